"""Logistic regression by every deterministic method: the gradient's norm against evaluations.

`python -m scripts.logistic [-o DIR]` writes logistic.png and logistic.json, on the data sets that scikit-learn
brings along. Newton's method needs a Hessian beside each gradient, which the picture does not count.
"""

import sys
from collections.abc import Sequence

import numpy as np

from arrayopt import SGD, minimize
from arrayopt.problems import LogisticRegression, logistic_on
from scripts.experiment import arguments, figure, save

GTOL = 1e-8


def runs(loss: LogisticRegression, most: int) -> dict[str, dict[str, object]]:
    """Return evaluations and gradients of each method."""
    hess = {"hess": loss.hessian}
    methods = {
        "gradient descent, 1/L": (SGD(lr=1 / loss.smoothness), {}),
        "steepest descent": ("steepest_descent", {}),
        "conjugate gradients": ("cg", {}),
        "L-BFGS": ("lbfgs", {}),
        "BFGS": ("bfgs", {}),
        "DFP": ("dfp", {}),
        "Newton (IRLS)": ("newton", hess),
        "trust region": ("trust_region", hess),
        "SciPy L-BFGS-B": ("scipy:l-bfgs-b", {}),
        "SciPy CG": ("scipy:cg", {}),
    }
    found = {}
    for name, (method, more) in methods.items():
        evaluations: list[float] = []

        def fun(w: np.ndarray, seen: list[float] = evaluations) -> tuple[float, np.ndarray]:
            f, g = loss.value_and_gradient(w)
            seen.append(float(np.abs(g).max()))
            return f, g

        options = {"gtol": GTOL, "maxiter": most}
        if method == "scipy:l-bfgs-b":
            options |= {"ftol": 0.0}
        result = minimize(fun, loss.start, jac=True, method=method, options=options, **more)
        least = np.minimum.accumulate(evaluations)
        reached = np.flatnonzero(least <= GTOL)
        found[name] = {
            "evaluations to 1e-8": int(reached[0]) + 1 if reached.size else None,
            "value": float(result.fun), "message": str(result.message), "least gradient": least.tolist(),
        }  # fmt: skip
    return found


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments("logistic", __doc__, argv)
    most = 30 if given.quick else 3000
    made, axes = figure(1, 2, (14, 6))
    data = {}
    for panel, name in zip(axes[0], ("breast_cancer", "digits"), strict=True):
        loss = logistic_on(name)
        data[name] = runs(loss, most)
        for k, (method, run) in enumerate(data[name].items()):
            least = run["least gradient"]
            style = ":" if method.startswith("SciPy") else "-"
            panel.loglog(np.arange(1, len(least) + 1), least, style, color=f"C{k}", label=method)
        panel.set(title=f"{name}: {loss.m} rows, {loss.n} weights", xlabel="evaluations",
                  ylabel="largest component of the gradient so far", ylim=(1e-10, None))  # fmt: skip
    axes[0][0].legend(fontsize=8)
    save(made, data, "logistic", given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
