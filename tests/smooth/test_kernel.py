"""Kernels: their repeated integrals, moments and transforms, against 40-digit arithmetic and quadrature."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from arrayopt.backend import to_numpy
from arrayopt.errors import BackendError, LeafError, OptionError
from arrayopt.smooth import Cauchy, Gaussian, Logistic, StudentT2
from arrayopt.smooth.logistic import eta
from tests.common.libraries import libraries

KERNELS = [Gaussian, Logistic, Cauchy, StudentT2]
LIGHT = [Gaussian, Logistic]
INF, NAN = math.inf, math.nan
V = [-36.0, -20.0, -8.1, -3.3, -2.05, -1.99, -1.21, -1.19, -1.01, -0.99, -0.5, -1e-3, 0.0]


def exact_tail(kernel, m, v):
    """H_m(v) to 30 digits."""
    v = mpmath.mpf(v)
    if kernel is Logistic:
        return -mpmath.re(mpmath.polylog(m, -mpmath.exp(v)))
    if kernel is Cauchy:
        return mpmath.atan2(1, -v) / mpmath.pi
    if kernel is StudentT2:
        h = mpmath.sqrt(1 + v * v)
        return (1 + v / h) / 2 if m == 0 else (v + h) / 2
    u, width = -v, 1 / max(-v, mpmath.mpf(1))
    knots = [width * k for k in (0, 1, 2, 4, 7, 12, 25, 60, 130)]
    integral = mpmath.quad(lambda w: w**m * mpmath.exp(-u * w - w * w / 2), knots)
    return mpmath.exp(-u * u / 2) * integral / mpmath.sqrt(2 * mpmath.pi) / mpmath.factorial(m)


ORDERS = [(kernel, top) for kernel in KERNELS for top in (0, 1, 6) if top <= kernel.order]


@pytest.mark.parametrize(("kernel", "top"), ORDERS)
def test_repeated_integrals_are_relatively_exact(kernel, top):
    digits = {0: 1e-15, 1: 2.5e-15, 6: 1e-14}[top]
    found = kernel.tails(np, np.asarray(V), top)
    assert len(found) >= top + 1
    with mpmath.workdps(30):
        for m in {0, 1, top} & {*range(top + 1)}:
            for v, got in zip(V, found[m], strict=True):
                assert abs(mpmath.mpf(float(got)) / exact_tail(kernel, m, v) - 1) < digits, (m, v)


@pytest.mark.parametrize("kernel", LIGHT)
def test_each_integral_is_the_derivative_of_the_next(kernel):
    v, h = np.linspace(-9, -0.01, 50), 1e-5
    up, down, at = (kernel.tails(np, v + d, 8) for d in (h, -h, 0.0))
    for m in range(8):
        np.testing.assert_allclose((up[m + 1] - down[m + 1]) / (2 * h), at[m], rtol=1e-7)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_distribution_function_is_the_integral_of_the_density(kernel):
    k = kernel(0.7)
    for x in (-9.0, -0.3, 0.0, 0.4, 5.0):
        part = integrate.quad(k.density, 0.0, x, epsabs=1e-13)[0]
        assert k.cdf(x) == pytest.approx(0.5 + part, abs=1e-12)
    assert integrate.quad(k.density, -INF, INF)[0] == pytest.approx(1, abs=1e-8)


@given(st.floats(-50, 50), st.floats(0.01, 10))
def test_symmetry(x, scale):
    for kernel in KERNELS:
        k = kernel(scale)
        assert k.density(x) == k.density(-x)
        assert k.cdf(x) + k.cdf(-x) == pytest.approx(1, abs=3e-16)
    assert Cauchy(scale).cdf(x) == pytest.approx(0.5 + math.atan(x / scale) / math.pi, abs=3e-16)
    b = scale * scale
    assert StudentT2(scale).density(x) == pytest.approx(b / (2 * (x * x + b) ** 1.5), rel=1e-13)
    assert Cauchy(scale).density(x) == pytest.approx(scale / (math.pi * (x * x + b)), rel=1e-14)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_transform_is_that_of_the_density(kernel):
    k = kernel(0.3)
    for frequency in (0.0, 0.2, 1.0, 2.5):
        cosine = {"weight": "cos", "wvar": 2 * math.pi * frequency} if frequency else {}
        expected = 2 * integrate.quad(k.density, 0, INF, epsabs=1e-12, **cosine)[0]
        assert k.transform(frequency) == pytest.approx(expected, abs=1e-9)
        assert k.transform(-frequency) == k.transform(frequency)


def test_the_transforms_of_the_article():
    for k in (1, 2, 3):
        assert Gaussian(0.2).transform(k) == pytest.approx(math.exp(-2 * (math.pi * k * 0.2) ** 2), rel=1e-14)
        w = 2 * math.pi**2 * k / 10
        assert Logistic(0.1).transform(k) == pytest.approx(w / math.sinh(w), rel=1e-14)
    for kernel in KERNELS:
        assert kernel(1e-300).transform(1e-20) == pytest.approx(1)
        assert kernel(1e300).transform(1.0) == 0


@pytest.mark.parametrize("kernel", LIGHT)
def test_moments_are_integrals(kernel):
    k = kernel(0.6)
    for order in range(7):
        expected = integrate.quad(lambda x, n=order: x**n * k.density(x), -30, 30, points=[0.0], epsabs=1e-12)[0]
        assert k.moment(order) == pytest.approx(expected, abs=1e-10)
    assert Logistic().moment(2) == pytest.approx(math.pi**2 / 3, rel=1e-15)
    assert Gaussian(2.0).moment(4) == 48.0


def test_moments_that_do_not_exist_are_refused():
    assert (Cauchy().moment(0), StudentT2().moment(0), StudentT2().moment(1)) == (1, 1, 0)
    for k, kernel in [(1, Cauchy()), (2, StudentT2()), (-1, Gaussian())]:
        with pytest.raises(OptionError, match="k: expected an integer from 0"):
            kernel.moment(k)


@pytest.mark.parametrize("kernel", [Cauchy, StudentT2])
@pytest.mark.parametrize("scale", [0.3, 1.0])
def test_partial_moments_are_integrals_over_an_interval(kernel, scale):
    ends = kernel.partial_moments(np, np.asarray([-0.8, 2.5]), scale, 7)
    for k, (low, high) in enumerate(ends):
        expected = integrate.quad(lambda z, n=k: z**n * kernel(scale).density(z), -0.8, 2.5, epsabs=1e-14)[0]
        assert high - low == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extremes_give_limits_and_keep_the_dtype(kernel, dtype):
    top, tiny = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    x = np.asarray([-INF, -top, -tiny, 0.0, tiny, top, INF, NAN], dtype)
    for scale in (1e-3, 1.0, 1e3):
        cdf, density = kernel(scale).cdf(x), kernel(scale).density(x)
        assert cdf.dtype == density.dtype == dtype
        np.testing.assert_allclose(cdf[[0, 2, 3, 4, 6]], [0, 0.5, 0.5, 0.5, 1], rtol=1e-3)
        assert 0 <= cdf[1] < 0.01
        assert 0.99 < cdf[5] <= 1
        np.testing.assert_array_equal(density[[0, 6]], 0)
        assert np.isnan(cdf[7])
        assert np.isnan(density[7])
    assert kernel().cdf(np.zeros((0, 3), dtype)).shape == (0, 3)
    assert isinstance(kernel().cdf(1), float)


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
@pytest.mark.parametrize("kernel", KERNELS)
def test_other_array_libraries_keep_dtype_and_device(xp, kernel):
    x = np.asarray([-3.0, -0.2, 0.0, 1.7], np.float32)
    strict = xp.__name__ == "array_api_strict"
    made = xp.asarray(x, **({"device": xp.Device("device1")} if strict else {}))
    if strict and kernel is Gaussian:
        with pytest.raises(BackendError, match="erfcx: array_api_strict has no such function"):
            kernel(0.5).cdf(made)
        return
    for f in (kernel(0.5).cdf, kernel(0.5).density):
        got = f(made)
        assert type(got) is type(made)
        assert (got.dtype, got.device) == (made.dtype, made.device)
        np.testing.assert_allclose(to_numpy(got), f(x), rtol=2e-6)


def test_the_alternating_zeta_function():
    with mpmath.workdps(30):
        for s in range(-9, 30):
            assert float(eta(s)) == pytest.approx(float(mpmath.altzeta(s)), rel=1e-15, abs=1e-30)


def test_what_is_refused():
    for scale in (0.0, -1.0, INF, NAN, "wide"):
        with pytest.raises(OptionError, match="scale: expected a finite number > 0"):
            Gaussian(scale)
    with pytest.raises(LeafError, match="x: expected real floating-point numbers, got the dtype int64"):
        Gaussian().cdf(np.arange(3))
    with pytest.raises(LeafError, match="x: expected a number or an array, got a list"):
        Gaussian().cdf([1.0])
    with pytest.raises(OptionError, match="frequency: expected a finite number"):
        Gaussian().transform(INF)
