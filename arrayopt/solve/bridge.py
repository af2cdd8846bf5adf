"""To and from SciPy: its methods by name here, and ours as the `method` of `scipy.optimize.minimize`."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from array_api_compat import device

from arrayopt.backend import to_numpy
from arrayopt.core.method import Method, Status
from arrayopt.core.objective import Objective, Point
from arrayopt.core.optimizer import Optimizer
from arrayopt.errors import OptionError

PREFIX = "scipy:"
SCIPY = (
    "nelder-mead", "powell", "cg", "bfgs", "newton-cg", "l-bfgs-b", "tnc", "cobyla", "cobyqa", "slsqp", "trust-constr",
    "dogleg", "trust-ncg", "trust-exact", "trust-krylov",
)  # fmt: skip
"""The methods of `scipy.optimize.minimize`."""


def for_scipy(method: str | Method | Optimizer = "lbfgs") -> Callable[..., Any]:
    """Return a method of this package in the form that ``scipy.optimize.minimize(method=...)`` takes.

    Parameters
    ----------
    method : str, Method or Rule
        As in `arrayopt.minimize`. SciPy passes its own options on as options of ours.

    Examples
    --------
    >>> from scipy.optimize import minimize, rosen, rosen_der
    >>> from arrayopt import for_scipy
    >>> minimize(rosen, [-1.2, 1.0], jac=rosen_der, method=for_scipy("bfgs")).x.round(4)
    array([1., 1.])
    """

    def call(
        fun: Callable[..., Any], x0: Any, args: Any = (), jac: Any = None, hess: Any = None, hessp: Any = None,
        bounds: Any = None, constraints: Any = (), callback: Any = None, **options: Any,
    ) -> Any:  # fmt: skip
        from arrayopt.solve.entry import minimize

        given = {k: v for k, v in options.items() if v is not None}
        result = minimize(
            fun, x0, args, method, jac if callable(jac) else None, hess if callable(hess) else None, hessp, bounds,
            constraints, given.pop("tol", None), callback, given,
        )  # fmt: skip
        if result.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        return result

    return call


def is_foreign(method: Any) -> bool:
    """Tell whether `method` is one of SciPy's by name, or a callable as SciPy takes."""
    if isinstance(method, str):
        return method.startswith(PREFIX)
    return callable(method) and not isinstance(method, (Method, Optimizer))


def run(method: Any, objective: Objective, callback: Any, options: Mapping[str, Any], **arguments: Any) -> Any:
    """Run a foreign method on vectors on the host, with the derivatives that the objective was given."""
    from scipy import optimize

    if isinstance(method, str):
        name, method = method, method.removeprefix(PREFIX).lower()
        if method not in SCIPY:
            raise OptionError(f"minimize: unknown method {name!r}; SciPy's are {', '.join(PREFIX + x for x in SCIPY)}")
    host = _Host(objective)
    passed = {"jac": host.gradient, "hess": host.hessian, "hessp": host.product}
    arguments |= {name: f for name, f in passed.items() if name in objective.given}
    x0 = to_numpy(objective.x0).astype(np.float64)
    result = optimize.minimize(host.value, x0, method=method, callback=callback, options=dict(options), **arguments)
    result.x = objective.tree(host.back(result.x))
    if "numpy" not in objective.xp.__name__:
        result.message = f"{result.message} (values were copied to the host for SciPy)"
    return result


class _Host:
    """An objective as SciPy calls it: float64 vectors of NumPy; a point is evaluated once for value and gradient."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._point: Point | None = None
        self._at = np.empty(0)

    def back(self, x: np.ndarray) -> Any:
        """Return a vector in the library and dtype of x0."""
        objective = self._objective
        return objective.xp.asarray(x, dtype=objective.dtype, device=device(objective.x0))

    def _evaluated(self, x: np.ndarray) -> Point:
        if self._point is None or not np.array_equal(x, self._at):
            self._point, self._at = self._objective.at(self.back(x)), np.array(x)
        return self._point

    def value(self, x: np.ndarray) -> float:
        return self._evaluated(x).f

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return to_numpy(self._evaluated(x).g).astype(np.float64)

    def hessian(self, x: np.ndarray) -> np.ndarray:
        return to_numpy(self._objective.hessian(self._evaluated(x))).astype(np.float64)

    def product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        return to_numpy(self._objective.hessian_product(self._evaluated(x), self.back(v))).astype(np.float64)
