// verdict: conforms | Lion in Rust, with a sign that is 0 at 0.
//
// A program that speaks the line protocol of docs/protocol.md, without any crate. To compile and check it:
//     rustc -O -o lion_rs validation/candidates/lion.rs
//     arrayopt check --exec ./lion_rs --against lion
use std::io::{self, BufRead, Write};

#[derive(Default)]
struct Lion {
    lr: f64,
    beta1: f64,
    beta2: f64,
    weight_decay: f64,
    params: Vec<Vec<f64>>,
    means: Vec<Vec<f64>>,
}

/// The rule has 0 at 0. `f64::signum` has 1 there and -1 at -0: with it, parameters whose gradient has always been
/// zero, such as rows of an embedding that are never used, would drift by lr a step.
fn sign(x: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else {
        x.signum()
    }
}

impl Lion {
    fn step(&mut self, grads: &[Vec<f64>]) {
        for ((p, m), g) in self.params.iter_mut().zip(&mut self.means).zip(grads) {
            for ((p, m), g) in p.iter_mut().zip(m).zip(g) {
                let direction = sign(self.beta1 * *m + (1.0 - self.beta1) * g);
                *p -= self.lr * (direction + self.weight_decay * *p);
                *m = self.beta2 * *m + (1.0 - self.beta2) * g;
            }
        }
    }

    fn set(&mut self, line: &str) {
        let hyper = after(line, "\"hyper\":");
        for (key, field) in [
            ("\"lr\":", &mut self.lr),
            ("\"beta1\":", &mut self.beta1),
            ("\"beta2\":", &mut self.beta2),
            ("\"weight_decay\":", &mut self.weight_decay),
        ] {
            if hyper.contains(key) {
                let value = after(hyper, key).split([',', '}']).next().unwrap();
                *field = number(value);
            }
        }
    }
}

// Reading and writing lines --------------------------------------------------------------------

fn after<'a>(line: &'a str, key: &str) -> &'a str {
    line.split_once(key).map_or("", |(_, rest)| rest)
}

/// Read a number; "NaN", "Infinity" and "-Infinity" come in quotes.
fn number(word: &str) -> f64 {
    word.trim_matches('"').parse().expect("a number")
}

/// Read `1.0,2.0],...` up to the bracket.
fn list(rest: &str) -> Vec<f64> {
    let inside = rest.split(']').next().unwrap();
    inside.split(',').filter(|word| !word.is_empty()).map(number).collect()
}

/// Write with as many digits as tell the number from its neighbours; NaN and inf are understood.
fn written(params: &[Vec<f64>]) -> String {
    let leaf = |p: &Vec<f64>| format!("[{}]", p.iter().map(f64::to_string).collect::<Vec<_>>().join(","));
    params.iter().map(leaf).collect::<Vec<_>>().join(",")
}

const HELLO: &str = r#"{"protocol":1,"name":"lion.rs","hyper":["lr","beta1","beta2","weight_decay"],"can":["set"]}"#;

fn main() {
    let mut lion = Lion::default();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let op = after(&line, "{\"op\":\"").split('"').next().unwrap();
        let answer = match op {
            "hello" => HELLO.to_string(),
            "make" => {
                let params: Vec<_> = line.split("\"data\":[").skip(1).map(list).collect();
                let means = params.iter().map(|p| vec![0.0; p.len()]).collect();
                lion = Lion {
                    lr: 1e-4,
                    beta1: 0.9,
                    beta2: 0.99,
                    weight_decay: 0.0,
                    params,
                    means,
                };
                lion.set(&line);
                "{}".to_string()
            }
            "step" => {
                let grads: Vec<_> = after(&line, "\"grads\":[").split('[').skip(1).map(list).collect();
                lion.step(&grads);
                format!("{{\"params\":[{}]}}", written(&lion.params))
            }
            "set" => {
                lion.set(&line);
                "{}".to_string()
            }
            _ => r#"{"error":"unknown request"}"#.to_string(),
        };
        println!("{answer}");
        io::stdout().flush().expect("standard output");
    }
}
