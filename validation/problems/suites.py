"""Which problems are run, from where, in what precision, and until when."""

import random
from dataclasses import asdict, dataclass

import numpy as np

from validation.problems import nist, s2mpj
from validation.problems.problem import Array, Problem

THE_LIST = [
    "ALLINITU", "BDQRTIC", "BRYBND", "CHWIRUT2LS", "CLIFF", "CUBE", "CYCLIC3LS", "CYCLOOCFLS", "EGGCRATE", "EIGENALS",
    "EIGENBLS", "ELATVIDU", "ERRINROS", "ERRINRSM", "FMINSRF2", "FREUROTH", "GAUSSIAN", "GENHUMPS", "GROWTHLS",
    "HAIRY", "HATFLDD", "HATFLDE", "HATFLDFL", "HEART6LS", "HEART8LS", "HIMMELBB", "HIMMELBCLS", "HIMMELBF", "JENSMP",
    "KOWOSB", "LOGHAIRY", "LSC1LS", "LSC2LS", "MEXHAT", "MOREBV", "MSQRTBLS", "NCB20B", "NONCVXU2", "NONCVXUN",
    "NONDIA", "PENALTY1", "POWER", "POWERSUM", "QING", "RAT42LS", "RAT43LS", "ROSENBR", "ROSENBRTU", "SBRYBND",
    "SINEVAL", "SINQUAD", "SISSER", "SISSER2", "TQUARTIC", "TRIDIA", "ZANGWIL2",
]  # fmt: skip
"""The 56 problems that the counts of `targets` are about."""
MOST_VARIABLES = 25
"""Of the problems in "all": the largest in the list has as many."""
SLOW = ("FBRAIN3LS",)
"""Not in any group: its 2211 data make an evaluation take a quarter of a second."""
LOGISTIC = {
    f"logistic {data} {label}": (data, penalty)
    for data in ("breast_cancer", "digits")
    for label, penalty in (("1/m", None), ("1e-4", 1e-4))
}
"""By name: the data set and the penalty; None is one over the number of rows."""
SAMPLED_FROM, SAMPLED = 103, 60
"""The sample for single precision: as many of the smallest problems."""
GROUPS = ("list", "outside", "all", "sample", "logistic", "nist")


@dataclass(frozen=True)
class Suite:
    """Problems and how they are run.

    Attributes
    ----------
    problems : str
        A name in `GROUPS`, or names of problems with commas between.
    start : float
        What the start is multiplied by; for NIST's problems, which of its two starts it is.
    scale : int
        Everything, gtol too, is multiplied by 2**scale.
    precision : str
        "float64"; or "float32", to which values, gradients and the start are rounded.
    """

    problems: str = "list"
    start: float = 1.0
    scale: int = 0
    precision: str = "float64"

    @property
    def key(self) -> str:
        """What results are filed under."""
        return f"{self.problems}/x{self.start:g}/2^{self.scale}/{self.precision}"

    @property
    def limits(self) -> "Limits":
        """When runs end, and what counts as solved."""
        single = self.precision == "float32"
        gtol, cap, share = (1e-5, 1000, 1e-4) if single else (1e-8, 2000, 1e-7)
        if self.problems == "nist":
            gtol = 0.0
        if single and self.problems == "logistic":
            gtol, cap = 1e-6, 2000
        return Limits(gtol * 2.0**self.scale, cap, share)

    def names(self) -> list[str]:
        """Return the names of its problems."""
        if self.problems == "list":
            return THE_LIST
        if self.problems in ("outside", "all", "sample"):
            every = s2mpj.unconstrained().items()
            small = {name: n for name, n in every if n <= MOST_VARIABLES and name not in SLOW}
            if self.problems == "sample":
                pool = sorted(small, key=lambda name: (small[name], name))[:SAMPLED_FROM]
                return sorted(random.Random(0).sample(pool, SAMPLED))
            return [name for name in small if self.problems == "all" or name not in THE_LIST]
        if self.problems == "logistic":
            return list(LOGISTIC)
        if self.problems == "nist":
            return list(nist.CERTIFIED)
        return self.problems.split(",")

    def plain(self) -> dict[str, object]:
        """Return the fields, for a file."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """When a run ends.

    Attributes
    ----------
    gtol : float
        The largest component of the gradient that solvers are to reach; 0 asks for all that rounding lets them.
    cap : int
        Evaluations at most.
    share : float
        F: the first evaluation with f <= f_best + share (f_0 - f_best).
    """

    gtol: float
    cap: int
    share: float


def load(name: str, suite: Suite) -> tuple[Problem, Array]:
    """Return a problem, and where a suite starts it.

    Raises
    ------
    NotLoadedError
        If there is no such problem, or not from there.
    """
    problem = _logistic(name, suite.precision) if name in LOGISTIC else s2mpj.load(name)
    if suite.problems == "nist":
        x0 = nist.start(name, problem, round(suite.start))
    else:
        if suite.start != 1.0 and not problem.x0.any():
            raise s2mpj.NotLoadedError("it starts at 0, which no factor moves")
        x0 = problem.x0 * suite.start
    x0 = x0.astype(suite.precision)
    f, g = problem.value_and_gradient(x0)
    if not (np.isfinite(f) and np.isfinite(g).all()):
        raise s2mpj.NotLoadedError("value or gradient is not finite at the start")
    return problem, x0


def _logistic(name: str, precision: str) -> Problem:
    from arrayopt.errors import MissingPeerError
    from arrayopt.problems import logistic_on

    data, penalty = LOGISTIC[name]
    try:
        loss = logistic_on(data, penalty, precision)
    except MissingPeerError as error:
        raise s2mpj.NotLoadedError(str(error)) from error

    def at(x: Array) -> Array:
        return np.asarray(x, dtype=precision)  # in single precision all of the arithmetic is

    def value_and_gradient(x: Array) -> tuple[float, Array]:
        f, g = loss.value_and_gradient(at(x))
        return float(f), g

    return Problem(name, np.asarray(loss.start), value_and_gradient, lambda x: loss.hessian(at(x)))
