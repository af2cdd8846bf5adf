import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import OptionError
from arrayopt.theory import POWER_FAMILIES, PowerFamily, am_gm_split
from tests.theory.elsewhere import assert_same, on_other_libraries

A, B = POWER_FAMILIES["A"](), POWER_FAMILIES["B"]()


@st.composite
def families(draw):
    c = draw(st.floats(0.2, 6))
    return PowerFamily(c * draw(st.floats(0.05, 0.95)), draw(st.floats(-0.9, 12)), c, draw(st.floats(0.2, 6)))


@given(families(), st.floats(-4, 12))
def test_integrals_are_hypergeometric_functions(family, exponent):
    n = 10.0**exponent
    with mpmath.workdps(40):
        s, U = (mpmath.mpf(family.b) + 1) / family.d, mpmath.mpf(n) ** family.c
        exact = mpmath.mpf(n) ** family.a / (family.d * s) * mpmath.hyp2f1(1, s, s + 1, -U)
    # exponents like a log n round, and the sum over steps down from s
    tolerance = 1e-15 * (20 + 30 * family.c * (1 + float(s)) + 4 * float(s))
    assert family.integral(n) == pytest.approx(float(exact), rel=tolerance)


def test_the_three_cases():
    assert (A.exponent, A.integrable, A.limit) == (-1, False, math.pi / 4)
    assert A.integral(1e9) == pytest.approx(math.pi / 4, rel=1e-13)
    assert (B.exponent, B.integrable, B.limit) == (-0.5, True, 0)
    assert B.envelope(0.25) == pytest.approx(2 / (4 * 27**-0.25), rel=1e-14)
    assert round(4 * 27**-0.25, 4) == 1.7548
    assert B.integral(1e9) < 1e-7
    below = PowerFamily(3, 1, 4, 4)
    assert (below.integrable, below.limit) == (False, math.inf)
    assert below.integral(1e9) > 1e8
    other = PowerFamily(1.0, 0.5, 2.0, 3.0)
    assert other.exponent == -1
    assert other.integral(1e12) == pytest.approx(other.limit, rel=1e-5)
    for s in (0.1, 1.0, 7.0):
        family = POWER_FAMILIES["C"](s)
        assert family.exponent == pytest.approx(0, abs=1e-15)
        assert family.envelope(0.5) == pytest.approx(s ** (s / (s + 1)) / (1 + s), rel=1e-14)


def test_values_far_out():
    assert am_gm_split(0.0, 0.3) == 0
    assert A(2.0, 0.0) == 0 == B(2.0, 0.0)
    assert A(1e100, 1e-100) == pytest.approx(0.5e100, rel=1e-12)
    assert A(1e300, 0.5) == 0 == A(1e308, 1.0)
    assert PowerFamily(1, 0, 2, 2)(3.0, 0.0) == pytest.approx(3, rel=1e-15)
    assert PowerFamily(1, -0.5, 2, 2)(3.0, 0.0) == math.inf
    assert A.envelope(0.0) == math.inf == A.peak(0.0)
    assert math.isfinite(A.integral(1e100))
    assert A.integral(5e-324) == 0
    assert PowerFamily(8.0, 30.0, 10.0, 3.0).integral(1e60) >= 0


@on_other_libraries
def test_other_libraries(xp):
    n, x = np.asarray([0.5, 1.0, 30.0]), np.asarray([0.0, 0.3, 1.0])
    for family in (A, B, PowerFamily(0.4, 2.5, 1.3, 0.7)):
        assert_same(xp, family.integral, n)
        assert_same(xp, family.peak, x[1:])
        assert_same(xp, family.envelope, x[1:])
        assert_same(xp, family, n, x)
        assert_same(xp, lambda x, family=family: family(3.0, x), x)


def test_refusals():
    for numbers in ((2, 1, 2, 1), (0, 1, 2, 1), (1, -1, 2, 1), (1, 1, 2, 0), (math.nan, 1, 2, 1)):
        with pytest.raises(OptionError, match="a, b, c, d: expected 0 < a < c, b > -1 and d > 0"):
            PowerFamily(*numbers)
    with pytest.raises(OptionError, match="n: expected a number > 0"):
        A.integral(0.0)
    with pytest.raises(OptionError, match="x: expected a number >= 0"):
        A(1.0, -0.5)
    with pytest.raises(OptionError, match=r"theta: expected a number in \(0, 1\)"):
        am_gm_split(1.0, 1.0)
