"""Constrained problems that are solved on paper: literal solutions and multipliers."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ByHand:
    """A problem with f(x), its gradient, constraints, a start, and the solution with its multipliers."""

    name: str
    fun: Any
    jac: Any
    constraints: Any
    x0: tuple
    x: tuple
    multipliers: tuple
    bounds: Any = None
    bound_multipliers: tuple = ()
    equal: bool = field(default=False)

    def __str__(self):
        return self.name


def eq(fun, jac, **more):
    return {"type": "eq", "fun": fun, "jac": jac, **more}


def ineq(fun, jac):
    return {"type": "ineq", "fun": fun, "jac": jac}


ROOT7 = math.sqrt(7)
QUARTER = (0.25,) * 4

LINE = ByHand(
    "nearest point of a line",
    lambda x: x @ x,
    lambda x: 2 * x,
    eq(lambda x: x[0] + x[1] - 1, lambda x: np.ones(2)),
    (3.0, -4.0),
    (0.5, 0.5),
    (1.0,),  # 2 x = m (1, 1)
    equal=True,
)
CIRCLE = ByHand(
    "lowest point of a circle",
    lambda x: x[0] + x[1],
    lambda x: np.ones(2),
    eq(lambda x: x @ x - 2, lambda x: 2 * x, hess=lambda x, v: 2 * v[0] * np.eye(2)),
    (-2.0, -0.5),
    (-1.0, -1.0),
    (-0.5,),  # (1, 1) = m (-2, -2)
    equal=True,
)
ENTROPY = ByHand(
    "most even distribution",
    lambda x: float(np.sum(x * np.log(x))) if np.all(x > 0) else math.inf,
    lambda x: np.log(np.where(x > 0, x, 1.0)) + 1,
    eq(lambda x: np.sum(x) - 1, lambda x: np.ones(4)),
    (0.1, 0.2, 0.3, 0.6),
    QUARTER,
    (1 - math.log(4),),  # log x + 1 = m
    equal=True,
)
SPHERE_AND_PLANE = ByHand(
    "a sphere cut by a plane",
    lambda x: x[2],
    lambda x: np.asarray([0.0, 0.0, 1.0]),
    [
        eq(lambda x: x @ x - 3, lambda x: 2 * x),
        eq(lambda x: x[0] + x[1] + x[2] - 1, lambda x: np.ones(3)),
    ],
    (1.0, 0.5, -1.0),
    (1.0, 1.0, -1.0),
    (-0.25, 0.5),  # (0, 0, 1) = a (2, 2, -2) + b (1, 1, 1)
    equal=True,
)
HS22 = ByHand(
    "corner of a parabola and a line",
    lambda x: (x[0] - 2) ** 2 + (x[1] - 1) ** 2,
    lambda x: 2 * (x - np.asarray([2.0, 1.0])),
    [
        ineq(lambda x: 2 - x[0] - x[1], lambda x: -np.ones(2)),
        ineq(lambda x: x[1] - x[0] ** 2, lambda x: np.asarray([-2 * x[0], 1.0])),
    ],
    (2.0, 2.0),
    (1.0, 1.0),
    (2 / 3, 2 / 3),  # (-2, 0) = a (-1, -1) + b (-2, 1)
)
INACTIVE = ByHand(
    "a constraint that does not matter",
    lambda x: (x[0] - 1) ** 2 + x[1] ** 2,
    lambda x: 2 * (x - np.asarray([1.0, 0.0])),
    ineq(lambda x: x, lambda x: np.eye(2)),
    (4.0, 5.0),
    (1.0, 0.0),
    (0.0, 0.0),  # the second is met with equality all the same
)
BOX = ByHand(
    "largest parcel (HS37)",
    lambda x: -x[0] * x[1] * x[2],
    lambda x: -np.asarray([x[1] * x[2], x[0] * x[2], x[0] * x[1]]),
    ineq(lambda x: 72 - x[0] - 2 * x[1] - 2 * x[2], lambda x: np.asarray([-1.0, -2.0, -2.0])),
    (10.0, 10.0, 10.0),
    (24.0, 12.0, 12.0),
    (144.0,),  # -(144, 288, 288) = m (-1, -2, -2)
    bounds=[(0, 42)] * 3,
    bound_multipliers=(0.0, 0.0, 0.0),
)
CORNER = ByHand(
    "corner of a box",
    lambda x: (x[0] - 3) ** 2 + (x[1] + 1) ** 2,
    lambda x: 2 * (x - np.asarray([3.0, -1.0])),
    ineq(lambda x: x[0] + x[1] - 1, lambda x: np.ones(2)),
    (0.5, 2.0),
    (2.0, 0.0),
    (0.0,),
    bounds=[(0, 2), (0, None)],
    bound_multipliers=(-2.0, 2.0),  # the gradient itself: negative at the upper bound, positive at the lower one
)
MIXED = ByHand(
    "an equality and an inequality (HS14)",
    lambda x: (x[0] - 2) ** 2 + (x[1] - 1) ** 2,
    lambda x: 2 * (x - np.asarray([2.0, 1.0])),
    [
        ineq(lambda x: 1 - x[0] ** 2 / 4 - x[1] ** 2, lambda x: np.asarray([-x[0] / 2, -2 * x[1]])),
        eq(lambda x: x[0] - 2 * x[1] + 1, lambda x: np.asarray([1.0, -2.0])),
    ],
    (2.0, 2.0),
    ((ROOT7 - 1) / 2, (ROOT7 + 1) / 4),
    # (root7 - 5, (root7 - 3)/2) = a (-(root7 - 1)/4, -(root7 + 1)/2) + b (1, -2): twice the first plus the second
    # line are free of b, and give a = (23 - 5 root7) / (2 root7).
    ((23 - 5 * ROOT7) / (2 * ROOT7), ROOT7 - 5 + (ROOT7 - 1) / 4 * (23 - 5 * ROOT7) / (2 * ROOT7)),
)
ALL = (LINE, CIRCLE, ENTROPY, SPHERE_AND_PLANE, HS22, INACTIVE, BOX, CORNER, MIXED)
EQUALITIES = tuple(p for p in ALL if p.equal)
