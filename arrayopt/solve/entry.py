"""`minimize`: SciPy's signature, every method of this package, and SciPy's own to compare with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from arrayopt.core import options as checks
from arrayopt.core.method import Method
from arrayopt.core.objective import Objective
from arrayopt.core.optimizer import Optimizer
from arrayopt.core.population import Population
from arrayopt.errors import OptionError
from arrayopt.solve import bridge
from arrayopt.solve.populations import ByPopulation
from arrayopt.solve.rules import ByRule
from arrayopt.solve.running import Limits, Run
from arrayopt.solve.table import METHODS

GTOL = 1e-5
"""As SciPy's; for dtypes with fewer digits than float64 it is `GTOL_SINGLE`, which rounding lets methods reach."""
GTOL_SINGLE = 1e-3
LEAST_ITERATIONS = 1000
GENERAL = ("gtol", "ftol", "xtol", "maxiter", "maxfun", "check_gradient")


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Sequence[Any] = (),
    method: Any = "lbfgs",
    jac: Callable[..., Any] | bool | None = None,
    hess: Callable[..., Any] | None = None,
    hessp: Callable[..., Any] | None = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Minimise a function; the arguments and the result are those of `scipy.optimize.minimize`.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``, a number; with ``jac=True`` the pair of the number and the gradient. It is given a tree
        like `x0`.
    x0 : tree of arrays, number or list of numbers
        Where to start. Arrays stay in their library, on their device and in their dtype; numbers become float64.
    args : tuple
        More arguments of `fun` and of its derivatives.
    method : str, Method, Rule or callable
        A name in `METHODS` ("lbfgs", "bfgs", "cg", "newton", "adam", ...), an instance with options of its own,
        ``"scipy:bfgs"`` and so on for SciPy's (values are copied to the host), or a callable as SciPy takes.
    jac : callable, True or None
        The gradient, a tree like `x0`. None takes forward differences, n more evaluations each; the message says so.
    hess, hessp : callable, optional
        The Hessian as an (n, n) array, or its product with a vector. Methods that need it and have neither take
        differences of the gradient.
    bounds : scipy.optimize.Bounds or sequence of pairs, optional
        For the methods that honour them ("lbfgsb").
    constraints : dict or sequence of dict
        As SciPy's dictionaries, for the methods that honour them ("augmented_lagrangian", "kkt_newton", ...).
    tol : float, optional
        Short for the option `gtol`.
    callback : callable, optional
        Called after each iteration, with ``intermediate_result=`` if it has a parameter of this name, else with x.
        It may raise StopIteration to end the run.
    options : mapping, optional
        `gtol` bounds the largest component of the gradient (1e-5, in single precision 1e-3); `ftol` the relative
        decrease of an iteration (0, off); `xtol` the relative step (0, off); `maxiter` (200 n, at least 1000);
        `maxfun` (no limit); `check_gradient` compares the gradient at `x0` with differences first (False). All
        others are fields of the method.

    Returns
    -------
    OptimizeResult
        With x, fun, jac, nit, nfev, njev, nhev, success, status (a `Status`), message and `trace`, a list of `Record`.

    Raises
    ------
    OptionError
        If a method or an option is unknown, or the method does not honour an argument.
    LeafError
        If `fun` or a derivative returns something of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt import minimize
    >>> result = minimize(lambda x: ((x - 3) ** 2).sum(), np.zeros(2), jac=lambda x: 2 * (x - 3))
    >>> result.x
    array([3., 3.])
    >>> result.status.name
    'CONVERGED'
    """
    given = dict(options or {})
    if tol is not None:
        given.setdefault("gtol", float(tol))
    general = {name: given.pop(name) for name in GENERAL if name in given}
    maxfun = general.pop("maxfun", None)
    if maxfun is not None:
        checks.check_count("minimize", "maxfun", maxfun)
    objective = Objective(fun, x0, args, jac, hess, hessp, maxfun)
    check = general.pop("check_gradient", False)
    if bridge.is_foreign(method):
        if check:
            objective.check_gradient()
        return bridge.run(method, objective, callback, {**general, **given}, bounds=bounds, constraints=constraints)
    chosen = _chosen(method, given)
    for name, value in (("bounds", bounds), ("constraints", constraints or None)):
        if value is None:
            continue
        if name not in chosen.honours:
            makers = {k: getattr(make, "func", make) for k, make in METHODS.items()}  # of a partial its class
            fit = [k for k, make in makers.items() if name in getattr(make, "honours", ())]
            raise OptionError(f"minimize: {type(chosen).__name__} takes no {name}; methods that do: {', '.join(fit)}")
        chosen = chosen.replace(**{name: value})
    run = Run(objective, chosen, _limits(objective, general), callback)
    if check:
        objective.check_gradient()
    return run.result()


def _chosen(method: Any, given: Mapping[str, Any]) -> Method:
    """Return the method of a name or an instance, with the options given."""
    if isinstance(method, Optimizer):
        return ByRule(rule=method.replace(**given) if given else method)
    if isinstance(method, Population):
        return _of_population(method, given)
    if isinstance(method, Method):
        return method.replace(**given) if given else method
    if method not in METHODS:
        import difflib

        near = difflib.get_close_matches(str(method), METHODS, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise OptionError(
            f"minimize: unknown method {method!r}; {hint}there are {', '.join(METHODS)}, and SciPy's as 'scipy:NAME'"
        )
    make: Any = METHODS[method]
    kind = getattr(make, "func", make)  # of a partial its class
    if isinstance(kind, type) and issubclass(kind, Population):
        return _of_population(make, given)
    made = make(**given)
    return made if isinstance(made, Method) else ByRule(rule=made)


def _of_population(make: Any, given: Mapping[str, Any]) -> Method:
    """Return a population method: some options are about how it is run, the others are its own."""
    own = dict(given)
    how = {name: own.pop(name) for name in ("seed", "vectorized", "workers") if name in own}
    return ByPopulation(population=make.replace(**own) if isinstance(make, Population) else make(**own), **how)


def _limits(objective: Objective, general: Mapping[str, Any]) -> Limits:
    """Return the limits of a run; checked."""
    found = {
        "gtol": GTOL if objective.eps < 1e-10 else GTOL_SINGLE,
        "maxiter": max(LEAST_ITERATIONS, 200 * objective.n),
        **general,
    }
    for name in ("gtol", "ftol", "xtol"):
        value = found.get(name, 0.0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
            raise OptionError(f"minimize: {name} must be a number >= 0, got {value!r}")
    checks.check_count("minimize", "maxiter", found["maxiter"], 0)
    return Limits(**found)
