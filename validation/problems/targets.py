"""What the solvers are to reach, as data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from validation.problems import nist
from validation.problems.results import Result
from validation.problems.running import FALSE, LINE_SEARCH
from validation.problems.scores import Scores
from validation.problems.solvers import SOLVERS
from validation.problems.suites import Suite

Status = Literal["reached", "missed", "not measured"]
Measure = Callable[[Scores], float | None]
LIST, LOGISTIC, EVERY = Suite(), Suite("logistic"), Suite("all")
SAMPLE, SINGLE = Suite("sample", precision="float32"), Suite("logistic", precision="float32")
NEAR = Suite("nist", start=2.0)
CG = [name for name in SOLVERS if name.startswith("cg")]
OURS = [name for name, solver in SOLVERS.items() if solver.ours]


@dataclass(frozen=True)
class Target:
    """Something to reach: at least, or at most, a number measured on a suite."""

    what: str
    suite: Suite
    sense: Literal[">=", "<="]
    bound: float
    measure: Measure

    def outcome(self, results: Mapping[str, Result]) -> tuple[float | None, Status]:
        """Return what was measured, and what became of the target."""
        result = results.get(self.suite.key)
        value = self.measure(result.scores) if result else None
        if value is None:
            return None, "not measured"
        return value, "reached" if (value >= self.bound if self.sense == ">=" else value <= self.bound) else "missed"


def counted(*solvers: str) -> Measure:
    """Return what counts the problems solved, by the best of some solvers."""

    def measure(scores: Scores) -> float | None:
        found = [n for s in solvers if (n := scores.count(s)) is not None]
        return max(found, default=None)

    return measure


def unsolved(solver: str) -> Measure:
    """Return what counts the problems that are not solved."""
    return lambda scores: None if (n := scores.count(solver)) is None else len(scores.sizes) - n


def compared(solvers: Sequence[str], against: str, what: str = "solved") -> Measure:
    """Return what compares evaluations, of the best of some solvers."""

    def measure(scores: Scores) -> float | None:
        found = [ratio[0] for s in solvers if (ratio := scores.ratio(s, against, what))]
        return min(found, default=None)

    return measure


def ended(ending: str, *solvers: str, per: int | None = None) -> Measure:
    """Return what counts an ending, over all of the solvers; `per` as many problems if it is given."""

    def measure(scores: Scores) -> float | None:
        runs = [x for s in solvers for x in scores.of(s)]
        if not runs:
            return None
        found = sum(x.ending == ending for x in runs)
        return found if per is None else found * per / len(runs)

    return measure


def within(solver: str, problems: str) -> Measure:
    """Return after how many evaluations gtol was reached, on the worst of some problems, with x in single precision."""

    def measure(scores: Scores) -> float | None:
        mine = [x for x in scores.of(solver) if x.problem.startswith(problems)]
        if not mine:
            return None
        kept = all(x.within is not None and x.dtype == "float32" for x in mine)
        return max(float(x.within or 0) for x in mine) if kept else float("inf")

    return measure


def digits(name: str) -> Measure:
    """Return the digits of the better of Newton's method and the trust region."""

    def measure(scores: Scores) -> float | None:
        mine = [scores.runs.get((name, s)) for s in ("newton", "trust_region")]
        return max((x.digits for x in mine if x is not None and x.digits is not None), default=None)

    return measure


TARGETS = (
    Target("L-BFGS: solved", LIST, ">=", 49, counted("lbfgs mt")),
    Target("L-BFGS, with its own choice of search: solved", LIST, ">=", 49, counted("lbfgs")),
    Target("BFGS: solved", LIST, ">=", 48, counted("bfgs mt")),
    Target("BFGS, with its own choice of search: solved", LIST, ">=", 48, counted("bfgs")),
    Target("the best nonlinear CG: solved", LIST, ">=", 44, counted(*CG)),
    Target("Newton: solved", LIST, ">=", 46, counted("newton")),
    Target("L-BFGS mt / L-BFGS-B: evaluations", LIST, "<=", 1.05, compared(["lbfgs mt"], "scipy l-bfgs-b")),
    Target("L-BFGS hz / L-BFGS-B: evaluations", LIST, "<=", 1.12, compared(["lbfgs hz"], "scipy l-bfgs-b")),
    Target("BFGS mt / SciPy's BFGS: evaluations", LIST, "<=", 1.10, compared(["bfgs mt"], "scipy bfgs")),
    Target("CG PR+ / SciPy's CG: evaluations", LIST, "<=", 0.95, compared(["cg pr+"], "scipy cg")),
    Target("the best CG / SciPy's CG: evaluations to gtol", LOGISTIC, "<=", 0.55, compared(CG, "scipy cg", "within")),
    Target("L-BFGS / L-BFGS-B: evaluations to gtol", LOGISTIC, "<=", 1.0,
           compared(["lbfgs"], "scipy l-bfgs-b", "within")),
    Target("L-BFGS hz: line searches that fail, of 127", EVERY, "<=", 3, ended(LINE_SEARCH, "lbfgs hz", per=127)),
    Target("BFGS hz: line searches that fail, of 127", EVERY, "<=", 3, ended(LINE_SEARCH, "bfgs hz", per=127)),
    Target("ours, those that were run: success said with |g| > gtol", EVERY, "<=", 0, ended(FALSE, *OURS)),
    Target("L-BFGS hz: not solved, of 60", SAMPLE, "<=", 6, unsolved("lbfgs hz")),
    Target("BFGS hz: not solved, of 60", SAMPLE, "<=", 4, unsolved("bfgs hz")),
    Target("L-BFGS hz, breast_cancer 1e-4: evaluations to |g| <= 1e-6", SINGLE, "<=", 100,
           within("lbfgs hz", "logistic breast_cancer 1e-4")),
    Target("L-BFGS hz, digits 1e-4: evaluations to |g| <= 1e-6", SINGLE, "<=", 150,
           within("lbfgs hz", "logistic digits 1e-4")),
    Target("BFGS hz, breast_cancer 1e-4: |g| <= 1e-6 reached", SINGLE, "<=", 2000,
           within("bfgs hz", "logistic breast_cancer 1e-4")),
    Target("BFGS hz, digits 1e-4: |g| <= 1e-6 reached", SINGLE, "<=", 2000, within("bfgs hz", "logistic digits 1e-4")),
    *(
        Target(f"{name}: correct digits from start 2", NEAR, ">=", nist.ENOUGH, digits(name))
        for name, about in nist.CERTIFIED.items()
        if not about.hard
    ),
)  # fmt: skip
