"""Armijo's rule by backtracking."""

from dataclasses import dataclass
from typing import final

from arrayopt.secondorder.line_search.search import Line, LineSearch, NoStep, Trials


@final
@dataclass(frozen=True, kw_only=True)
class Armijo(LineSearch):
    r"""Armijo's rule: the decrease is at least a share of what the slope promises.

    .. math:: \phi(a) \le \phi(0) + c_1 a \phi'(0)

    Parameters
    ----------
    c1 : float
        In (0, 1).
    factor : float
        What a trial that fails is multiplied by, in (0, 1).
    most : int
        Trials.

    References
    ----------
    Armijo, Minimization of functions having Lipschitz continuous first partial derivatives, 1966.
    """

    c1: float = 1e-4
    factor: float = 0.5
    most: int = 60

    slopes = False

    def trials(self, line: Line, a: float) -> Trials:
        """Try a, and shorter steps."""
        for _ in range(self.most):
            f, _slope = yield a
            if f <= line.f + self.c1 * a * line.slope:
                return a
            a *= self.factor
        raise NoStep(f"no step in {self.most} trials decreases the objective enough")
