"""The solvers, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

UNLIMITED = 10**7
"""Iterations, and evaluations where a solver counts them: our counter is what ends a run."""


@dataclass(frozen=True)
class Solver:
    """A solver.

    Attributes
    ----------
    name : str
        What tables call it; SciPy's begin with "scipy".
    method : str
        As `minimize` of this package, or of SciPy, takes it.
    options : mapping
        Further options.
    second : bool
        Whether it is given the Hessian.
    bounded : bool
        Whether it has a tolerance for the gradient.
    """

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    second: bool = False
    bounded: bool = True

    @property
    def ours(self) -> bool:
        """Whether it is of this package."""
        return not self.name.startswith("scipy")


def _searches(method: str) -> list[Solver]:
    names = {"": "auto", " mt": "more_thuente", " hz": "hager_zhang"}
    return [Solver(method + short, method, {"line_search": rule}) for short, rule in names.items()]


SOLVERS = {
    s.name: s
    for s in (
        Solver("scipy l-bfgs-b", "L-BFGS-B", {"maxcor": 10, "ftol": 0.0, "maxfun": UNLIMITED}),
        Solver("scipy bfgs", "BFGS"),
        Solver("scipy cg", "CG"),
        Solver("scipy newton-cg", "Newton-CG", {"xtol": 1e-12}, second=True, bounded=False),
        Solver("scipy trust-exact", "trust-exact", second=True),
        *_searches("lbfgs"),
        *_searches("bfgs"),
        *(Solver(f"cg {beta}", "cg", {"beta": beta}) for beta in ("pr+", "hs+", "fr", "dy", "hz", "pr-fr")),
        Solver("newton", "newton", second=True),
        *(Solver(f"newton {m}", "newton", {"modification": m}, second=True) for m in ("gmw", "eigenvalues")),
        Solver("newton_cg", "newton_cg", second=True),
        Solver("trust_region", "trust_region", second=True),
        Solver("trust_steihaug", "trust_steihaug", second=True),
    )
}
"""By name. Without a word after it, the line search is the method's own choice; mt is Moré and Thuente's, hz Hager and
Zhang's."""
REFERENCE = "scipy l-bfgs-b"
"""What evaluations are compared with."""


def missing(solver: Solver) -> str:
    """Return why a solver cannot be run; nothing if it can."""
    if not solver.ours:
        return ""
    from arrayopt.solve import METHODS

    return "" if solver.method in METHODS else f"minimize has no method {solver.method!r}"
