"""Smoothed piecewise polynomials: relative exactness far away, limits, refusals; the claims have quadrature."""

import math

import mpmath
import numpy as np
import pytest

from arrayopt.backend import to_numpy
from arrayopt.errors import OptionError
from arrayopt.smooth import (
    ABSOLUTE,
    HARD_TANH,
    RELU,
    STEP,
    Cauchy,
    Gaussian,
    Logistic,
    PiecewisePolynomial,
    StudentT2,
    mollify,
)
from tests.common.libraries import libraries

KERNELS = [Gaussian, Logistic, Cauchy, StudentT2]
HEAVY = [Cauchy, StudentT2]
INF, NAN = math.inf, math.nan
HUBER = PiecewisePolynomial((-1, 1), ((-0.5, -1), (0, 0, 0.5), (-0.5, 1)))
BUMP = PiecewisePolynomial((-1, 1), ((), (1, 0, -1), ()))


@pytest.mark.parametrize("kernel", [Gaussian, Logistic])
def test_polynomials_are_smoothed_by_moments(kernel):
    k = kernel(0.5)
    for n in range(6):
        f = PiecewisePolynomial((), ((0.0,) * n + (1.0,),))
        expected = sum(math.comb(n, i) * 1.7 ** (n - i) * k.moment(i) for i in range(n + 1))
        assert mollify(f, 1.7, k) == pytest.approx(expected, rel=1e-14)


def test_closed_forms():
    x = np.linspace(-4, 4, 33)
    np.testing.assert_allclose(mollify(ABSOLUTE, x, StudentT2(3.0)), np.sqrt(x * x + 9), rtol=1e-14)
    for kernel in KERNELS:
        np.testing.assert_allclose(mollify(STEP, x, kernel(0.6)), kernel(0.6).cdf(x), rtol=1e-15)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_narrow_kernel_at_a_breakpoint_gives_the_middle_of_the_jump(kernel):
    # the middle of a piece plus half its width is not its end, as rounded
    f = PiecewisePolynomial(
        (-2.07, -1.22, 2.9), ((1.0,), (-2.0, -0.7, 0.05, 0.9, -1.0), (-1.5, 2.4, -3.0, 2.9, -2.1), ())
    )
    for scale in (1e-12, 1e-16, 1e-300):
        for j, c in enumerate(f.breakpoints):
            left, right = (sum(a * c**k for k, a in enumerate(f.coefficients[i])) for i in (j, j + 1))
            assert mollify(f, c, kernel(scale)) == pytest.approx((left + right) / 2, rel=1e-9)


def test_what_is_small_is_relatively_exact():
    with mpmath.workdps(60):
        for x in (-5.0, -20.0):
            ramp = mpmath.npdf(x) + x * mpmath.ncdf(x)
            assert mollify(RELU, x, Gaussian()) == pytest.approx(float(ramp), rel=5e-15)
            square = PiecewisePolynomial((0.0,), ((), (0.0, 0.0, 1.0)))
            expected = (1 + x * x) * mpmath.ncdf(x) + x * mpmath.npdf(x)
            assert mollify(square, x, Gaussian()) == pytest.approx(float(expected), rel=5e-15)
            assert mollify(square, x, Logistic()) == pytest.approx(
                float(-2 * mpmath.polylog(2, -mpmath.exp(x))), rel=5e-15
            )


@pytest.mark.parametrize("kernel", HEAVY)
@pytest.mark.parametrize("x", [0.0, 0.9, 2.9, 3.1, -7.0, 1e3, -1e6, 1e12, 1e100])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_a_bump_far_away_is_relatively_exact(kernel, x, scale):
    def integrand(y):
        d2 = (x - y) ** 2 + mpmath.mpf(scale) ** 2
        phi = scale / mpmath.pi / d2 if kernel is Cauchy else mpmath.mpf(scale) ** 2 / 2 / d2 ** mpmath.mpf(1.5)
        return (1 - y * y) * phi

    with mpmath.workdps(30):
        near = [x + d * scale for d in (-100, -10, -1, 0, 1, 10, 100) if -1 < x + d * scale < 1]
        expected = mpmath.quad(integrand, [-1, *near, 1])
    assert mollify(BUMP, x, kernel(scale)) == pytest.approx(
        float(expected), rel=3e-13 if abs(x) < 3 else 3e-12 if abs(x) < 3.05 else 1e-14
    )


@pytest.mark.parametrize("f", [RELU, ABSOLUTE, HUBER, PiecewisePolynomial((), ((0, 1),))])
def test_cauchy_has_no_first_moment_and_refuses(f):
    with pytest.raises(
        OptionError, match="f: expected a function bounded, got one of degree 1 at infinity; Cauchy has no moment"
    ):
        mollify(f, 0.0, Cauchy())


def test_student_has_no_second_moment_and_refuses():
    with pytest.raises(OptionError, match="f: expected a function of at most linear growth, got one of degree 2"):
        mollify(PiecewisePolynomial((0.0,), ((), (0, 0, 1))), 0.0, StudentT2())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("kernel", KERNELS)
def test_extremes_and_dtype(kernel, dtype):
    top, tiny = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    x = np.asarray([-INF, -top, top, INF, NAN, -tiny, tiny], dtype)
    for scale in (1e-3, 1.0):
        k = kernel(scale)
        for f, least in [(STEP, 0), (HARD_TANH, -1)]:
            got = mollify(f, x, k)
            assert got.dtype == dtype
            np.testing.assert_allclose(got[:5], [least, least, 1, 1, NAN], atol=1e-4)
            np.testing.assert_allclose(got[5:], (least + 1) / 2, atol=1e-6)
        if kernel is not Cauchy:
            got = mollify(RELU, x, k)
            assert got.dtype == dtype
            np.testing.assert_allclose(got[:5], np.asarray([0, 0, top, INF, NAN]), atol=1e-4)
    assert mollify(RELU, np.zeros((3, 0), dtype), Gaussian()).shape == (3, 0)
    assert isinstance(mollify(STEP, 1, kernel()), float)


@pytest.mark.parametrize("kernel", KERNELS)
def test_scales_beyond_the_dtype_are_limits(kernel):
    x = np.float32([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(mollify(HARD_TANH, x, kernel(1e-300)), [-1, 0, 1], atol=1e-30)
    np.testing.assert_allclose(mollify(STEP, x, kernel(1e300)), 0.5)


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries_keep_dtype_and_device(xp):
    x = np.asarray([-30.0, -0.2, 0.0, 1.7, 9.0], np.float32)
    strict = xp.__name__ == "array_api_strict"
    made = xp.asarray(x, **({"device": xp.Device("device1")} if strict else {}))
    for f, kernel in [(HUBER, Logistic(0.5)), (HUBER, StudentT2(0.5)), (HARD_TANH, Cauchy(0.5))] + [
        (HUBER, Gaussian(0.5))
    ] * (not strict):
        got = mollify(f, made, kernel)
        assert type(got) is type(made)
        assert (got.dtype, got.device) == (made.dtype, made.device)
        np.testing.assert_allclose(to_numpy(got), mollify(f, x, kernel), rtol=2e-5, atol=2e-7)
