import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.core.orthogonal import KELLER, TAYLOR, coefficients, composite, newton_schulz
from arrayopt.errors import OptionError
from arrayopt.theory import (
    basin_end,
    critical_points,
    fit_newton_schulz,
    fixed_points,
    image_of_interval,
    invariant_band,
    marchenko_pastur,
    newton_schulz_mse,
)

# kexue.fm/archives/10592: n, m, T, kappa, x1, x2, error, error of the official coefficients
TABLE = [
    (1024, 1024, 3, 7.020, 0.830, 0.830, 0.10257, 0.18278),
    (1024, 1024, 5, 1.724, 0.935, 1.235, 0.02733, 0.04431),
    (2048, 1024, 5, 1.476, 0.983, 1.074, 0.00038, 0.02954),
    (4096, 1024, 3, 6.948, 0.802, 0.804, 0.00371, 0.02574),
    (2048, 2048, 3, 11.130, 0.767, 0.767, 0.10739, 0.24410),
    (4096, 4096, 3, 18.017, 0.705, 0.705, 0.11303, 0.33404),
    (4096, 4096, 5, 2.057, 0.894, 1.201, 0.04700, 0.06372),
    (8192, 8192, 3, 30.147, 0.643, 0.643, 0.11944, 0.44843),
]
# a and b that the article prints, of parameters with more digits than it prints
PRINTED = [
    (4.328, -9.666),
    (3.297, -4.136),
    (2.644, -3.128),
    (3.886, -8.956),
    (4.857, -13.103),
    (5.460, -17.929),
    (3.373, -4.613),
    (6.139, -24.893),
]


@pytest.mark.parametrize("row", TABLE)
def test_the_table_of_the_article(row):
    n, m, steps, kappa, x1, x2, error, official = row
    assert newton_schulz_mse(n, m, steps, coefficients(kappa, x1, x2)) == pytest.approx(error, abs=3e-4)
    assert newton_schulz_mse(n, m, steps) == pytest.approx(official, abs=3e-4)
    a, b = PRINTED[TABLE.index(row)]
    assert coefficients(kappa, x1, x2)[:2] == pytest.approx((a, b), abs=0.04)
    # the fit is at least as good as the article's, and little better
    _, best = fit_newton_schulz(n, m, steps)
    own = newton_schulz_mse(n, m, steps, coefficients(kappa, x1, x2))
    assert own - 1e-4 < best <= own


def test_fits_find_the_parameters_of_the_article():
    for row in (TABLE[1], TABLE[2], TABLE[6]):
        found, _ = fit_newton_schulz(*row[:3])
        assert found == pytest.approx(row[3:6], abs=2e-3)


def test_the_error_is_that_of_random_matrices():
    G = np.random.default_rng(0).standard_normal((4, 192, 96))
    sigma = np.linalg.svd(G / np.linalg.norm(G, axis=(-2, -1), keepdims=True), compute_uv=False)
    measured = np.mean((composite(KELLER * 5, sigma) - 1) ** 2)
    assert newton_schulz_mse(192, 96, 5) == pytest.approx(measured, abs=2e-3)
    out = newton_schulz(np, G[0], 0.0, polynomials=KELLER * 5)
    np.testing.assert_allclose(np.linalg.svd(out, compute_uv=False), np.sort(composite(KELLER * 5, sigma[0]))[::-1])


@pytest.mark.parametrize(("n", "m"), [(5, 5), (1024, 1024), (1025, 1024), (4096, 3), (10**9, 1), (7, 20)])
def test_moments_of_the_law(n, m):
    s, w = marchenko_pastur(n, m)
    q, small = min(n, m) / max(n, m), min(n, m)
    assert w.sum() == pytest.approx(1, rel=1e-12)
    assert w @ s**2 * small == pytest.approx(1, rel=1e-12)
    assert w @ s**4 * small**2 == pytest.approx(1 + q, rel=1e-12)
    assert w @ s**6 * small**3 == pytest.approx(1 + 3 * q + q * q, rel=1e-12)
    assert np.all(np.diff(s) > 0)
    edges = np.asarray([1 - math.sqrt(q), 1 + math.sqrt(q)]) / math.sqrt(small)
    assert edges[0] <= s[0] * (1 + 1e-12)
    assert s[-1] <= edges[1] * (1 + 1e-12)
    np.testing.assert_array_equal(s, marchenko_pastur(m, n)[0])


def test_the_quadrature_has_converged():
    for n, m in ((1024, 1024), (1030, 1024)):
        errors = []
        for panels in (128, 512):
            s, w = marchenko_pastur(n, m, panels=panels)
            errors.append(w @ (composite(KELLER * 5, s) - 1) ** 2)
        assert errors[0] == pytest.approx(errors[1], rel=1e-11)


def test_fixed_points_bands_and_basins():
    assert [round(x, 7) for x in fixed_points(KELLER[0])] == [0.8680258, 1.2637291]
    assert [round(x, 5) for x in invariant_band(KELLER[0])] == [0.68183, 1.13436]
    low, high = image_of_interval(KELLER[0], 0.01, 1.0, steps=5)
    assert (round(low, 4), round(high, 4)) == (0.6818, 1.1344)
    low, high = image_of_interval(KELLER[0], 0.002, 1.0, steps=5)
    assert (round(low, 2), round(high, 3)) == (0.68, 1.202)
    assert high < 1.203
    assert fixed_points(TAYLOR[0]) == pytest.approx([1, math.sqrt(7 / 3)], rel=1e-15)
    assert basin_end(TAYLOR[0]) == pytest.approx(1.5275, abs=5e-5)
    assert invariant_band(TAYLOR[0], 0.01, 1.5) == pytest.approx((1, 1), abs=1e-12)
    end = basin_end(TAYLOR[0])
    assert composite(TAYLOR * 60, end * (1 - 1e-9)) == pytest.approx(1, abs=1e-12)
    assert composite(TAYLOR * 25, end * (1 + 1e-3)) > 1e6


def test_taylors_polynomial():
    assert [round(float(composite(TAYLOR * t, 0.01)), 4) for t in (5, 8, 10)] == [0.2285, 0.9427, 1.0]
    for h in (1e-2, 1e-3):
        assert (1 - composite(TAYLOR, 1 - h)) / h**3 == pytest.approx(2.5, rel=20 * h)


@given(st.floats(0.1, 30), st.floats(0.3, 1), st.floats(1, 1.5))
def test_the_parameters_are_the_fixed_points(kappa, x1, x2):
    found = fixed_points(coefficients(kappa, x1, x2))
    if x2 - x1 > 1e-3:
        assert found == pytest.approx([x1, x2], rel=1e-6)


@given(st.floats(0.1, 10), st.floats(0.3, 1), st.floats(1, 1.5), st.floats(0, 1), st.floats(0, 1.5))
def test_images_are_exact(kappa, x1, x2, low, width):
    p = coefficients(kappa, x1, x2)
    a, b = image_of_interval(p, low, low + width)
    values = composite([p], np.linspace(low, low + width, 2001))
    slack = 1e-12 * (1 + abs(a) + abs(b))
    assert a - slack <= values.min() <= values.max() <= b + slack
    assert values.min() - a < 1e-3 * (b - a) + slack
    assert b - values.max() < 1e-3 * (b - a) + slack
    for x in critical_points(p):
        assert p[0] + 3 * p[1] * x**2 + 5 * p[2] * x**4 == pytest.approx(0, abs=1e-9 * p[0])


def test_special_polynomials():
    assert fixed_points((1.0, 0.0, 0.0)) == []
    assert fixed_points((1.5, -0.5, 0.0)) == [1.0]
    assert fixed_points((2.0, 0.0, 1.0)) == []
    assert critical_points((1.5, -0.5, 0.0)) == [1.0]
    assert basin_end((2.0, 0.0, 1.0)) == 0
    assert image_of_interval((1.5, -0.5, 0.0), 0.2, 0.9, steps=0) == (0.2, 0.9)


def test_extremes():
    assert newton_schulz_mse(100, 50, 0) == pytest.approx(newton_schulz_mse(100, 50, 0, (2.0, 0.0, 0.0)))
    assert newton_schulz_mse(4, 4, 9, (1e3, 1e3, -1e3)) == math.inf
    assert math.isnan(newton_schulz_mse(4, 4, 1, (math.nan, 0.0, 0.0)))
    assert newton_schulz_mse(1, 1, 0) >= 0


def test_refusals():
    with pytest.raises(OptionError, match="n, m: expected a shape of at least 1 x 1"):
        marchenko_pastur(4, 0)
    with pytest.raises(OptionError, match="steps: expected at least 0"):
        newton_schulz_mse(4, 4, -1)
    with pytest.raises(OptionError, match="coefficients: expected a map that rises at last"):
        basin_end((1.5, -0.5, 0.0))
    with pytest.raises(OptionError, match="coefficients: expected a map under which intervals settle"):
        invariant_band((3.0, 0.0, 1.0))
    with pytest.raises(OptionError, match="low, high: expected 0 <= low <= high"):
        image_of_interval(KELLER[0], 1.0, 0.5)
