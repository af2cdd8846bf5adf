"""NIST's reference problems of nonlinear regression (StRD): their starts, certified parameters, and correct digits.

The models and data are S2MPJ's `*LS` problems. The certified values, eleven digits that NIST computed in 128 bits, and
the starts are those of NIST's files. `doubt` holds them against S2MPJ's own function: its value there has to be the
certified sum of squares, and Newton's step from there has to be below the digits that are given.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from validation.problems.problem import Array, Problem

DIGITS = 11
"""As many as are certified; no more are counted."""
ENOUGH = 6
STARTS = (1, 2)
"""The first is far from the minimiser, the second near."""


@dataclass(frozen=True)
class Certified:
    """What NIST says of a problem.

    Attributes
    ----------
    near : tuple of float
        Start 2. Start 1 is S2MPJ's own.
    parameters : tuple of float
        Of the least sum of squares.
    squares : float
        This sum.
    factors : tuple of float
        What S2MPJ's variables are multiplied by to be NIST's parameters, where they are others.
    hard : bool
        Whether six digits are not asked for.
    """

    near: Sequence[float]
    parameters: Sequence[float]
    squares: float
    factors: Sequence[float] = ()
    hard: bool = False

    def variables(self, parameters: Sequence[float]) -> Array:
        """Return parameters as S2MPJ's variables."""
        return np.asarray(parameters, dtype=float) / (np.asarray(self.factors) if self.factors else 1.0)


_LANCZOS = (0.5, 0.7, 3.6, 4.2, 4.0, 6.3)
_MGH10 = (0.02, 4000.0, 250.0), (5.6096364710e-03, 6.1813463463e03, 3.4522363462e02), 8.7945855171e01
CERTIFIED = {
    "CHWIRUT1LS": Certified(
        (0.15, 0.008, 0.010), (1.9027818370e-01, 6.1314004477e-03, 1.0530908399e-02), 2.3844771393e03
    ),
    "CHWIRUT2LS": Certified(
        (0.15, 0.008, 0.010), (1.6657666537e-01, 5.1653291286e-03, 1.2150007096e-02), 5.1304802941e02
    ),
    "ENSOLS": Certified(
        (10.0, 3.0, 0.5, 44.0, -1.5, 0.5, 26.0, 0.1, 1.5),
        (1.0510749193e01, 3.0762128085e00, 5.3280138227e-01, 4.4311088700e01, -1.6231428586e00, 5.2554493756e-01,
         2.6887614440e01, 2.1232288488e-01, 1.4966870418e00),
        7.8853978668e02,
    ),
    "GAUSS1LS": Certified(
        (94.0, 0.0105, 99.0, 63.0, 25.0, 71.0, 180.0, 20.0),
        (9.8778210871e01, 1.0497276517e-02, 1.0048990633e02, 6.7481111276e01, 2.3129773360e01, 7.1994503004e01,
         1.7899805021e02, 1.8389389025e01),
        1.3158222432e03,
    ),
    "GAUSS2LS": Certified(
        (98.0, 0.0105, 103.0, 105.0, 20.0, 73.0, 150.0, 20.0),
        (9.9018328406e01, 1.0994945399e-02, 1.0188022528e02, 1.0703095519e02, 2.3578584029e01, 7.2045589471e01,
         1.5327010194e02, 1.9525972636e01),
        1.2475282092e03,
    ),
    "GAUSS3LS": Certified(
        (96.0, 0.0096, 80.0, 110.0, 25.0, 74.0, 139.0, 25.0),
        (9.8940368970e01, 1.0945879335e-02, 1.0069553078e02, 1.1163619459e02, 2.3300500029e01, 7.3705031418e01,
         1.4776164251e02, 1.9668221230e01),
        1.2444846360e03,
    ),
    "LANCZOS1LS": Certified(
        _LANCZOS,
        (9.5100000027e-02, 1.0000000001e00, 8.6070000013e-01, 3.0000000002e00, 1.5575999998e00, 5.0000000001e00),
        1.4307867721e-25, hard=True,
    ),
    "LANCZOS2LS": Certified(
        _LANCZOS,
        (9.6251029939e-02, 1.0057332849e00, 8.6424689056e-01, 3.0078283915e00, 1.5529016879e00, 5.0028798100e00),
        2.2299428125e-11, hard=True,
    ),
    "LANCZOS3LS": Certified(
        _LANCZOS,
        (8.6816414977e-02, 9.5498101505e-01, 8.4400777463e-01, 2.9515951832e00, 1.5825685901e00, 4.9863565084e00),
        1.6117193594e-08, hard=True,
    ),
    "NELSONLS": Certified(
        (2.5, 0.000000005, -0.05), (2.5906836021e00, 5.6177717026e-09, -5.7701013174e-02), 3.7976833176e00
    ),
    "RAT42LS": Certified(
        (75.0, 2.5, 0.07), (7.2462237576e01, 2.6180768402e00, 6.7359200066e-02), 8.0565229338e00
    ),
    "RAT43LS": Certified(
        (700.0, 5.0, 0.75, 1.3),
        (6.9964151270e02, 5.2771253025e00, 7.5962938329e-01, 1.2792483859e00),
        8.7864049080e03,
    ),
    # S2MPJ's element is arctan(b3 / (b4 - x)), NIST's arctan(b3 / (x - b4)): b3 has the other sign.
    "ROSZMAN1LS": Certified(
        (0.2, -0.000005, 1200.0, -150.0),
        (2.0196866396e-01, -6.1953516256e-06, 1.2044556708e03, -1.8134269537e02),
        4.9484847331e-04, factors=(1.0, 1.0, -1.0, 1.0),
    ),
    "MGH10LS": Certified(*_MGH10, hard=True),
    "MGH10SLS": Certified(*_MGH10, factors=(0.01, 1000.0, 100.0), hard=True),
    "BENNETT5LS": Certified(
        (-1500.0, 45.0, 0.85), (-2.5235058043e03, 4.6736564644e01, 9.3218483193e-01), 5.2404744073e-04, hard=True
    ),
}  # fmt: skip
FAR = {"ROSZMAN1LS": (0.1, -0.00001, 1000.0, -100.0)}
"""Start 1 where S2MPJ's is another point: it has NIST's numbers, with which its sign of b3 does not go."""


def start(name: str, problem: Problem, which: int) -> Array:
    """Return one of the two starts, in S2MPJ's variables."""
    about = CERTIFIED[name]
    if which == 1:
        return about.variables(FAR[name]) if name in FAR else problem.x0
    return about.variables(about.near)


def digits(name: str, x: Sequence[float]) -> float:
    """Return to how many digits every parameter is right: the least -log10 of the relative errors, from 0 to 11."""
    right = CERTIFIED[name].variables(CERTIFIED[name].parameters)
    with np.errstate(all="ignore"):
        worst = float(np.max(np.abs(np.asarray(x) - right) / np.abs(right)))
    if not worst < 1.0:
        return 0.0
    return DIGITS if worst == 0.0 else min(DIGITS, max(0.0, -math.log10(worst)))


def doubt(name: str, problem: Problem) -> tuple[float, float]:
    """Hold the certified values against a problem.

    Returns
    -------
    tuple of float
        The relative difference between the value there and the certified sum of squares; and the largest component of
        Newton's step from there, relative to the parameter.
    """
    about = CERTIFIED[name]
    x = about.variables(about.parameters)
    f, g = problem.value_and_gradient(x)
    step = np.linalg.solve(problem.hessian(x), g)
    return abs(f / about.squares - 1), float(np.max(np.abs(step / x)))
