"""What solvers cost beside the function: `python -m validation.problems.overhead [--rounds N] [--json FILE] [--doc]`.

Time per iteration, that in the function subtracted, of ours and of SciPy's on Rosenbrock's function in pairs of
variables, from the same start and for the same number of iterations; and the time of a batch of 1,000 starts against a
loop of SciPy's over them. One process, one thread, shuffled rounds, medians of ratios of one round. `--doc` writes
docs/overhead.md. Set OMP_NUM_THREADS=1 for the one thread.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from arrayopt.core.results import write_json
from arrayopt.solve import minimize, minimize_batch
from validation.problems import page, results
from validation.problems.problem import Array
from validation.problems.solvers import SOLVERS, UNLIMITED, Solver

ROUNDS = 15
SIZES = {10: 30, 1_000: 30, 100_000: 20, 1_000_000: 8}
"""Numbers of variables, and the iterations of a run."""
DENSE = (1_000, 3)
BATCH = 1_000
GTOL = 1e-5
PAGE = Path(__file__).resolve().parents[2] / "docs" / "overhead.md"
HEAD = """\
# What solvers cost beside the function

This page is written by `python -m validation.problems.overhead --doc`; do not edit it.

Time per iteration without that in the function, on Rosenbrock's function in pairs of variables, same start, same
iterations, one thread; the ratio is the median of those of one round. `batch` is the time of `minimize_batch` on
{batch:,} random starts, function included, against a loop of SciPy's L-BFGS-B over them.
"""


def rosenbrock(x: Array) -> tuple[float, Array]:
    """Return value and gradient of the sum of 100 (b - a^2)^2 + (1 - a)^2 over pairs (a, b)."""
    a, b = x[0::2], x[1::2]
    bent, away = b - a * a, 1 - a
    g = np.empty_like(x)
    g[0::2], g[1::2] = -400 * bent * a - 2 * away, 200 * bent
    return float(100 * (bent @ bent) + away @ away), g


def rosenbrock_rows(x: Array) -> tuple[Array, Array]:
    """Return values, shape (B,), and gradients, shape (B, n), of rows."""
    a, b = x[:, 0::2], x[:, 1::2]
    bent, away = b - a * a, 1 - a
    g = np.empty_like(x)
    g[:, 0::2], g[:, 1::2] = -400 * bent * a - 2 * away, 200 * bent
    return (100 * bent * bent + away * away).sum(axis=1), g


@dataclass(frozen=True)
class Target:
    """Reach `most` times the time of `against`."""

    cell: str
    way: str
    against: str
    most: float


TARGETS = (
    *(Target(f"n = {n}", "lbfgs", "scipy l-bfgs-b", r) for n, r in zip(SIZES, (2.5, 1.5, 0.5, 0.5), strict=True)),
    *(Target(f"n = {n}", "cg pr+", "scipy cg", 0.5) for n in SIZES),
    Target(f"dense, n = {DENSE[0]}", "bfgs", "scipy bfgs", 1 / 40),
    Target("batch, n = 2", "lbfgs batch", "scipy loop", 1 / 25),
    Target("batch, n = 10", "lbfgs batch", "scipy loop", 1 / 8),
)


def overhead(solver: Solver, n: int, iterations: int) -> float:
    """Return the seconds per iteration that are not spent in the function."""
    spent = 0.0

    def fun(x: Array) -> tuple[float, Array]:
        nonlocal spent
        began = time.perf_counter()
        out = rosenbrock(x)
        spent += time.perf_counter() - began
        return out

    x0 = np.where(np.arange(n) % 2 == 0, -1.2, 1.0) + np.cos(np.arange(n)) / 10
    began = time.perf_counter()
    if solver.ours:
        done = minimize(fun, x0, method=solver.method, jac=True,
                        options={**solver.options, "gtol": 0.0, "maxiter": iterations})  # fmt: skip
    else:
        from scipy import optimize

        done = optimize.minimize(fun, x0, method=solver.method, jac=True,
                                 options={**solver.options, "gtol": 0.0, "maxiter": iterations})  # fmt: skip
    whole = time.perf_counter() - began
    if done.nit != iterations:
        raise RuntimeError(f"{solver.name}, n = {n}: {done.nit} iterations instead of {iterations}: {done.message}")
    return (whole - spent) / iterations


def batch(n: int) -> float:
    """Return the seconds that a batch takes; all rows converge."""
    x0 = _starts(n)
    began = time.perf_counter()
    done = minimize_batch(rosenbrock_rows, x0, method="lbfgs", options={"gtol": GTOL})
    whole = time.perf_counter() - began
    _all_converged(np.asarray(done.success), f"minimize_batch, n = {n}")
    return whole


def loop(n: int) -> float:
    """Return the seconds that a loop of SciPy's L-BFGS-B takes over the same starts."""
    from scipy import optimize

    x0, found = _starts(n), []
    began = time.perf_counter()
    for row in x0:
        options = {"maxcor": 10, "gtol": GTOL, "ftol": 0.0, "maxfun": UNLIMITED}
        found.append(optimize.minimize(rosenbrock, row, jac=True, method="L-BFGS-B", options=options))
    whole = time.perf_counter() - began
    _all_converged(np.asarray([np.abs(r.jac).max() <= 10 * GTOL for r in found]), f"SciPy's loop, n = {n}")
    return whole


def _starts(n: int) -> Array:
    return np.random.default_rng(n).uniform(-2, 2, (BATCH, n))


def _all_converged(good: Array, what: str) -> None:
    if not good.all():
        raise RuntimeError(f"{what}: {int((~good).sum())} of {BATCH} did not converge")


def cells() -> dict[str, dict[str, Callable[[], float]]]:
    """Return what is timed."""

    def ways(names: Sequence[str], n: int, iterations: int) -> dict[str, Callable[[], float]]:
        return {name: lambda name=name: overhead(SOLVERS[name], n, iterations) for name in names}

    first_order = ("lbfgs", "lbfgs hz", "scipy l-bfgs-b", "cg pr+", "cg hz", "scipy cg")
    found = {f"n = {n}": ways(first_order, n, iterations) for n, iterations in SIZES.items()}
    found[f"dense, n = {DENSE[0]}"] = ways(("bfgs", "scipy bfgs"), *DENSE)
    for n in (2, 10):
        found[f"batch, n = {n}"] = {"lbfgs batch": lambda n=n: batch(n), "scipy loop": lambda n=n: loop(n)}
    return found


def measure(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every way once a round, in shuffled order, after one that does not count."""
    shuffle, seconds = random.Random(0), {name: [] for name in ways}
    for k in range(rounds + 1):
        for name in shuffle.sample(list(ways), len(ways)):
            once = ways[name]()
            if k:
                seconds[name].append(once)
    return seconds


def ratio(seconds: Mapping[str, Sequence[float]], way: str, against: str) -> float:
    """Return the median of the ratios of one round."""
    return statistics.median(a / b for a, b in zip(seconds[way], seconds[against], strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m validation.problems.overhead", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", help="the beginning of the names of cells")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the times to this file")
    parser.add_argument("--doc", action="store_true", help="write docs/overhead.md")
    given = parser.parse_args(arguments)
    chosen = {name: ways for name, ways in cells().items() if name.startswith(given.only)}
    if not chosen:
        parser.error(f"--only: no cell begins with {given.only!r}; there are {', '.join(cells())}")
    measured: dict[str, dict[str, list[float]]] = {}
    times = [["cell", "way", "microseconds"]]
    for name, ways in chosen.items():
        measured[name] = measure(ways, given.rounds)
        for way, seconds in measured[name].items():
            times.append([name, way, f"{1e6 * statistics.median(seconds):.4g}"])
            print("  ".join(times[-1]), flush=True)
    outcomes = [["cell", "ours", "against", "wanted", "ratio", "outcome"]]
    for t in TARGETS:
        if t.cell in measured:
            found = ratio(measured[t.cell], t.way, t.against)
            judged = "reached" if found <= t.most else "missed"
            outcomes.append([t.cell, t.way, t.against, f"<= {t.most:.3g}", f"{found:.3g}", judged])
    print("\n" + page.plain(outcomes))
    if given.json is not None:
        write_json(
            given.json, {"about": results.releases(), "targets": [asdict(t) for t in TARGETS], "seconds": measured}
        )
    if given.doc:
        about = results.releases()
        head = HEAD.format(batch=BATCH) + f"\nSciPy {about['scipy']}, NumPy {about['numpy']}, {given.rounds} rounds.\n"
        PAGE.write_text("\n".join([head, page.markdown(outcomes), page.markdown(times)]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
