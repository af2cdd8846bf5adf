"""The sum of n-th powers over the n-th power of n: a monotone limit, the tool that proves it, and its rate."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Count, Element, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.theory.power_sums import (
    POWER_SUM_LIMIT,
    POWER_SUM_RATE,
    log_bound_end,
    power_sum,
    power_sum_gap,
    power_sum_richardson,
    power_sum_term,
)

SOURCE = article(13)
EPS = float(np.finfo(np.float64).eps)
N: dict[str, Element] = {"n": Count(1, 10**6, log=True)}
TERMS: dict[str, Element] = {**N, "i": Count(0, 60)}
SECOND = math.fsum(math.exp(-i) * (i**4 / 8 - i**3 / 3) for i in range(120))
"""The next coefficient: limit - S_n is RATE / n - SECOND / n^2 and so on."""


def _times(power: int) -> Callable[[Mapping[str, Any]], float]:
    """Return the tolerance of differences that are multiplied by a power of n."""
    return lambda instance: 16 * EPS * float(instance["n"]) ** power


def _exponent(instance: Mapping[str, Any]) -> float:
    """Return the tolerance of exponentials whose exponents are some times i and rounded."""
    return 4 * EPS * (2 + 4 * int(instance["i"]))


@claim(SOURCE, TERMS, tolerance=_exponent, infimum=0.0, smooth=False)
def terms_rise(n: int, i: int) -> float:
    r"""$(1 - i/n)^n$ does not fall as n grows, for $n \ge i$."""
    later = power_sum_term(n + 1, i)
    return slack(power_sum_term(n, i), later, later) if i <= n else 1.0


@claim(SOURCE, TERMS, tolerance=_exponent, infimum=0.0, smooth=False)
def terms_below(n: int, i: int) -> float:
    r"""$(1 - i/n)^n \le e^{-i}$, which is its limit: equal for $i = 0$."""
    return slack(power_sum_term(n, i), math.exp(-i), math.exp(-i))


@claim(SOURCE, {**N, "part": Real(0.0, 0.5)}, tolerance=ulps(4096), infimum=0.0, smooth=False)
def terms_above(n: int, part: float) -> float:
    r"""$(1 - i/n)^n \ge e^{-i - i^2/n}$ for $i \le n/2$."""
    i = min(int(n * part), 600)
    bound = math.exp(-i - i * i / n)
    return slack(bound, power_sum_term(n, i), bound) if bound > 0 else 1.0


@claim(
    SOURCE, {**N, "part": Real(0.0, 0.99)}, expect="refuted", smooth=False, instead="power_sums.terms_above",
    witness={"n": 10, "part": 0.9}, tolerance=ulps(4096),
)  # fmt: skip
def terms_above_everywhere(n: int, part: float) -> float:
    r"""$(1 - i/n)^n \ge e^{-i - i^2/n}$ for all $i < n$."""
    return float(terms_above.margin(n, part))


@claim(SOURCE, {"q": Real(0.0, 10.0), "i": Count(0, 60)}, tolerance=ulps(4), infimum=0.0, smooth=False)
def linear_terms(q: float, i: int) -> float:
    r"""$e^{-i} e^{-q} \ge e^{-i} (1 - q) \ge e^{-i} - q$ for $q = i^2 / n \ge 0$."""
    e = math.exp(-i)
    return min(slack(e * (1 - q), e * math.exp(-q), e * (1 + q)), slack(e - q, e * (1 - q), 1 + q))


@claim(SOURCE, {"x": Real(0.0, log_bound_end())}, tolerance=ulps(4), infimum=0.0)
def log_tool(x: float) -> float:
    r"""$\log(1 - x) \ge -x - x^2$ for $0 \le x \le 0.6838026$, with equality at both ends."""
    return slack(-x - x * x, math.log1p(-x))


@claim(
    SOURCE, {"x": Real(0.0, 0.99)}, tolerance=1e-6, expect="refuted", witness={"x": 0.7}, instead="power_sums.log_tool"
)
def log_tool_everywhere(x: float) -> float:
    r"""$\log(1 - x) \ge -x - x^2$ for $0 \le x < 1$."""
    return float(log_tool.margin(x))


@claim(SOURCE, {"n": Count(1, 10**10, log=True)}, tolerance=ulps(64), infimum=0.0, smooth=False)
def lower_bound(n: int) -> float:
    r"""$S_n \ge \sum_{i \le n^{1/4}} (e^{-i} - i^2/n)$, which has the same limit."""
    most = math.isqrt(math.isqrt(n))
    return slack(math.fsum(math.exp(-i) - i * i / n for i in range(most + 1)), power_sum(n))


@claim(SOURCE, {"n": Count(1, 10**4, log=True)}, tolerance=_times(2), infimum=0.0, smooth=False)
def increasing(n: int) -> float:
    r"""$S_n < S_{n+1}$, by at least $\frac{e-1}{4n}$ of what is left to the limit, with equality for $n = 1$."""
    return slack((math.e - 1) / 4, n * (power_sum(n + 1) - power_sum(n)) / power_sum_gap(n))


@claim(SOURCE, N, tolerance=_times(1), infimum=0.0, smooth=False)
def below(n: int) -> float:
    r"""$S_n < \frac{e}{e-1}$, by at least $\frac{1}{(e-1) n}$, with equality for $n = 1$."""
    return slack(1 / (math.e - 1), n * (POWER_SUM_LIMIT - power_sum(n)))


@claim(SOURCE, N, tolerance=ulps(64), infimum=0.0, smooth=False)
def rate(n: int) -> float:
    r"""$n (\frac{e}{e-1} - S_n) \le \frac{e(e+1)}{2(e-1)^3} = 0.9961$."""
    return slack(n * power_sum_gap(n), POWER_SUM_RATE)


@claim(SOURCE, N, kind="limit", tolerance=_times(1), infimum=0.0, smooth=False)
def rate_at_infinity(n: int) -> float:
    r"""$n (\frac{e}{e-1} - S_n)$ is less than this limit by at most $\frac1n \sum_i e^{-i} (i^4/8 - i^3/3)$."""
    return slack(n * (POWER_SUM_RATE - n * power_sum_gap(n)), SECOND)


@claim(SOURCE, {"n": Count(1, 10**4, log=True)}, kind="limit", tolerance=_times(2), infimum=0.0, smooth=False)
def richardson(n: int) -> float:
    r"""Richardson's step $S_n + 0.9961 / n$ is within $1 / n^2$ of the limit."""
    return slack(n * n * abs(power_sum_richardson(n) - POWER_SUM_LIMIT), SECOND)


@claim(SOURCE, N, kind="equality", tolerance=ulps(4), smooth=False)
def sum_and_gap(n: int) -> float:
    r"""$S_n$ and what it lacks, computed apart, add up to $\frac{e}{e-1}$."""
    return agreement(power_sum(n) + power_sum_gap(n), POWER_SUM_LIMIT)


@claim(SOURCE, {"n": Count(1, 60)}, kind="equality", tolerance=ulps(4), smooth=False)
def of_fractions(n: int) -> float:
    r"""$S_n = \sum_{k=1}^n (k/n)^n = \sum_{i=0}^{n-1} (1 - i/n)^n$, the former in exact fractions."""
    return agreement(power_sum(n), float(Fraction(sum(k**n for k in range(1, n + 1)), n**n)))


@claim(
    SOURCE, {"n": Count(120, 10**12, log=True), "i": Count(1, 60)}, kind="equality", tolerance=1e-12, smooth=False,
    expect="refuted", witness={"n": 10**9 + 7, "i": 10}, instead="power_sums.logarithms",
)  # fmt: skip
def powers_as_they_stand(n: int, i: int) -> float:
    r"""$(1 - i/n)^n$ may be computed as it stands: to $10^{-12}$, before n is so large that $1 - i/n$ is 1."""
    return agreement(math.pow(1 - i / n, n), power_sum_term(n, i))


@claim(
    SOURCE, {"n": Count(120, 10**12, log=True), "i": Count(1, 60)}, kind="equality", tolerance=_exponent, smooth=False,
)  # fmt: skip
def logarithms(n: int, i: int) -> float:
    r"""As $\exp(n \log(1 - i/n))$ with a log1p it is right for any n: $e^{-i - i^2/(2n) - i^3/(3n^2) - \dots}$."""
    x = i / n
    if x > 0.25:
        exact = float(Fraction(n - i, n) ** n)
        return agreement(power_sum_term(n, i), exact)
    return agreement(power_sum_term(n, i), math.exp(-i * math.fsum(x**k / (k + 1) for k in range(40))))


@claim(SOURCE, kind="behaviour")
def overflow() -> float:
    r"""In float64 $n^n$ overflows from n = 144 on, and the sum of powers from n = 143; that of quotients never does."""
    with np.errstate(over="ignore"):
        powers = {n: np.arange(1.0, n + 1) ** n for n in (142, 143, 144)}
        sums = {n: float(np.sum(p)) for n, p in powers.items()}
    as_said = math.isfinite(sums[142]) and math.isfinite(powers[143][-1]) and math.isinf(sums[143])
    as_said = as_said and math.isinf(powers[144][-1])
    return 1.0 if as_said and all(1.5 < power_sum(n) < POWER_SUM_LIMIT for n in (143, 144, 10**9)) else -1.0


def _scaled_gap(n: int) -> float:
    return n * float(power_sum_gap(n))


KNOWN = (
    *(
        Known(f"power_sums.s_{n}", f"$S_{{{n}}}$", SOURCE, printed, partial(power_sum, n))
        for n, printed in ((1, "1"), (2, "1.25"), (5, "1.416"), (100, "1.5721140664"))
    ),
    Known("power_sums.limit", r"$\frac{e}{e-1}$", SOURCE, "1.5819767", lambda: POWER_SUM_LIMIT),
    Known("power_sums.constant", r"$\frac{e(e+1)}{2(e-1)^3}$", SOURCE, "0.9961473836", lambda: POWER_SUM_RATE),
    *(
        Known(
            f"power_sums.rate_{n}", rf"$n (\frac{{e}}{{e-1}} - S_n)$ for n = {n}", SOURCE, printed,
            partial(_scaled_gap, n),
        )
        for n, printed in ((10**4, "0.99605"), (10**5, "0.99614"))
    ),
    Known("power_sums.log_end", r"The end of $\log(1-x) \ge -x - x^2$", SOURCE, "0.6838026", log_bound_end),
)  # fmt: skip
