// verdict: conforms | Adam in C, on one flat array for all leaves.
//
// A program that speaks the line protocol of docs/protocol.md, without any library but libm. To compile and check it:
//     cc -O2 -o adam_c validation/candidates/adam.c -lm
//     arrayopt check --exec ./adam_c --against adam
#define _POSIX_C_SOURCE 200809L // getline
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The optimizer --------------------------------------------------------------------------------

static double lr, beta1, beta2, eps;
static double *p, *m, *v; // parameters and the two running means
static size_t size;       // of all leaves together
static long t;

static void step(const double *g)
{
    t++;
    double c1 = 1 - pow(beta1, t), c2 = 1 - pow(beta2, t);
    for (size_t i = 0; i < size; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        p[i] -= lr * (m[i] / c1) / (sqrt(v[i] / c2) + eps);
    }
}

// Reading and writing lines --------------------------------------------------------------------

static size_t leaves, *sizes; // how many leaves there are, and how many numbers each has

// Read one number after any of [ ] , " and return what follows. strtod reads "NaN" and "Infinity" too.
static const char *number(const char *s, double *x)
{
    char *end;
    *x = strtod(s + strspn(s, "[],\""), &end);
    return end + (*end == '"');
}

// Replace a hyper-parameter, if the line has it.
static void hyper(const char *line, const char *name, double *x)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *s = strstr(strstr(line, "\"hyper\":"), key);
    if (s)
        number(s + strlen(key), x);
}

static void hypers(const char *line)
{
    hyper(line, "lr", &lr);
    hyper(line, "beta1", &beta1);
    hyper(line, "beta2", &beta2);
    hyper(line, "eps", &eps);
}

static void *resized(void *array, size_t n, size_t each)
{
    array = realloc(array, n * each + 1);
    if (!array)
        exit(EXIT_FAILURE);
    return array;
}

// {"op":"make","params":[{"name":"a","shape":[4,3],"data":[...]},...],"hyper":{"lr":0.001,...}}
static void make(const char *line)
{
    size = leaves = 0, t = 0;
    for (const char *s = line; (s = strstr(s, "\"shape\":[")); leaves++) {
        size_t n = 1; // the product of the shape, which is 1 for []
        char *end = (char *)s + strlen("\"shape\":[");
        for (; *end != ']'; end += *end == ',')
            n *= strtoul(end, &end, 10);
        sizes = resized(sizes, leaves + 1, sizeof *sizes);
        sizes[leaves] = n;
        p = resized(p, size + n, sizeof *p);
        for (s = strstr(end, "\"data\":") + strlen("\"data\":"); n; n--)
            s = number(s, &p[size++]);
    }
    m = resized(m, size, sizeof *m), v = resized(v, size, sizeof *v);
    for (size_t i = 0; i < size; i++)
        m[i] = v[i] = 0;
    lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    hypers(line);
}

// {"params":[[...],...]}; 17 digits are exact, and nan and inf are understood as printf writes them.
static void answer(void)
{
    size_t i = 0;
    printf("{\"params\":[");
    for (size_t k = 0; k < leaves; k++) {
        printf(k ? ",[" : "[");
        for (size_t n = 0; n < sizes[k]; n++)
            printf(n ? ",%.17g" : "%.17g", p[i++]);
        printf("]");
    }
    printf("]}\n");
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        if (strstr(line, "{\"op\":\"hello\"") == line) {
            printf("{\"protocol\":1,\"name\":\"adam.c\",\"hyper\":[\"lr\",\"beta1\",\"beta2\",\"eps\"],"
                   "\"dtype\":\"float64\",\"can\":[\"set\"]}\n");
        } else if (strstr(line, "{\"op\":\"make\"") == line) {
            make(line);
            printf("{}\n");
        } else if (strstr(line, "{\"op\":\"step\"") == line) {
            double *g = resized(NULL, size, sizeof *g);
            const char *s = strstr(line, "\"grads\":") + strlen("\"grads\":");
            for (size_t i = 0; i < size; i++)
                s = number(s, &g[i]);
            step(g);
            free(g);
            answer();
        } else if (strstr(line, "{\"op\":\"set\"") == line) {
            hypers(line);
            printf("{}\n");
        } else {
            printf("{\"error\":\"unknown request\"}\n");
        }
        fflush(stdout); // without it the answer waits in a buffer, and arrayopt for the answer
    }
    return EXIT_SUCCESS;
}
