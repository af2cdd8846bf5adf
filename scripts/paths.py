"""Paths over contours: gradient descent, momentum, conjugate gradients, Newton and BFGS on two functions.

`python -m scripts.paths [-o DIR]` writes paths.png and paths.json: on a quadratic, where steepest descent with exact
steps zigzags at its slowest rate and conjugate gradients need two steps, and on Rosenbrock's bent valley.
"""

import sys
from collections.abc import Sequence

import numpy as np

from arrayopt import Momentum, minimize
from arrayopt.problems import Problem, quadratic, rosenbrock
from arrayopt.solve import Method
from arrayopt.solve.table import METHODS
from scripts.experiment import arguments, figure, save

CONDITION = 20.0
NEAR = 1e-8


def methods(problem: Problem) -> dict[str, tuple[object, dict[str, object]]]:
    """Return methods, and what they need beside the gradient."""
    second = {"hess": problem.hessian}
    on_quadratic = problem.smoothness is not None
    rate = 1 / (problem.smoothness or 1000.0)
    steepest: Method = METHODS["steepest_descent"](line_search="exact" if on_quadratic else "armijo")  # type: ignore[assignment]
    return {
        "steepest descent": (steepest, second if on_quadratic else {}),
        "momentum 0.8": (Momentum(lr=rate, momentum=0.8), {}),
        "conjugate gradients": ("cg", {}),
        "Newton": ("newton", second),
        "BFGS": ("bfgs", {}),
    }


def paths(problem: Problem, most: int) -> dict[str, dict[str, object]]:
    """Return the iterates of each method, until the value is within 1e-8 of the minimum."""
    found = {}
    for name, (method, more) in methods(problem).items():
        points = [problem.start]

        def note(xk: np.ndarray, points: list[np.ndarray] = points) -> None:
            points.append(xk)
            if problem.value(xk) - problem.minimum < NEAR:
                raise StopIteration

        result = minimize(
            problem.value_and_gradient, problem.start, jac=True, method=method, callback=note,
            options={"gtol": 0.0, "maxiter": most}, **more,
        )  # fmt: skip
        values = [float(problem.value(x)) - problem.minimum for x in points]
        found[name] = {
            "x": np.stack(points).tolist(), "excess": values, "iterations": len(points) - 1, "evaluations": result.nfev,
        }  # fmt: skip
    return found


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments("paths", __doc__, argv)
    most = 60 if given.quick else 5000
    problems = {
        "quadratic": (quadratic(CONDITION), ((-22, 22), (-4, 4))),
        "rosenbrock": (rosenbrock(2), ((-1.8, 1.8), (-0.6, 2.0))),
    }
    made, axes = figure(2, 2, (13, 9))
    data = {}
    for row, (name, (problem, limits)) in zip(axes, problems.items(), strict=True):
        data[name] = paths(problem, most)
        u, v = (np.linspace(*limit, 300) for limit in limits)
        grid = problem.value(np.stack(np.meshgrid(u, v), axis=-1)) - problem.minimum
        row[0].contour(u, v, np.log10(grid + 1e-3), levels=25, cmap="Greys", linewidths=0.6, alpha=0.7)
        for k, (method, path) in enumerate(data[name].items()):
            x = np.asarray(path["x"])
            row[0].plot(x[:, 0], x[:, 1], ".-", color=f"C{k}", lw=1.2, ms=4, label=method)
            beyond = "over " if path["excess"][-1] > NEAR else ""
            label = f"{method}: {beyond}{path['iterations']}"
            row[1].semilogy(np.maximum(path["excess"], 1e-17), color=f"C{k}", label=label)
        row[0].plot(*problem.minimisers[0], "k*", ms=12)
        row[0].set(title=problem.name, xlim=limits[0], ylim=limits[1])
        row[1].set(title="value above the minimum", xlabel="iteration", ylim=(1e-12, None))
        row[1].set_xlim(0, 100)
        row[1].legend(title="iterations to 1e-8", fontsize=8)
    axes[0][0].legend(fontsize=8, loc="upper right")
    rates = np.asarray(data["quadratic"]["steepest descent"]["excess"][:20])
    slowest = ((CONDITION - 1) / (CONDITION + 1)) ** 2
    data["zigzag"] = {"ratio": (rates[1:] / rates[:-1]).tolist(), "bound": slowest}
    save(made, data, "paths", given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
