"""First-order rules as methods of `minimize`: each iteration is one step of the rule on the whole gradient."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from arrayopt.core.method import Method
from arrayopt.core.objective import Objective, Point
from arrayopt.core.optimizer import Optimizer


@final
@dataclass(frozen=True, kw_only=True)
class ByRule(Method):
    """Steps of a rule, or of a wrapper around one.

    Parameters
    ----------
    rule : Optimizer
        It is given the gradient as a tree like x0, so that a matrix is a matrix to Muon.
    """

    rule: Optimizer

    def iterates(self, objective: Objective, start: Point) -> Iterator[Point]:
        """Step, evaluate, yield."""
        point, state = start, self.rule.init(objective.tree(start.x))
        while True:
            params, state = self.rule.update(objective.tree(point.g), state, objective.tree(point.x))
            point = objective.at(objective.flat(params))
            yield point
