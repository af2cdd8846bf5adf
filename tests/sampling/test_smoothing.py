import array_api_strict as strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import OptionError, to_numpy
from arrayopt.sampling.directions import draw_directions
from arrayopt.sampling.smoothing import (
    Smoothing,
    above_baseline,
    antithetic_gradient,
    score_gradient,
    stein_hessian,
)
from tests.sampling.designs import gaussian_design, rademacher_design, samples, skewed_design, sphere_design

SOME = settings(max_examples=25)
SEEDS = st.integers(0, 2**32)


class Quadratic:
    def __init__(self, seed, d):
        rng = np.random.default_rng(seed)
        H = rng.standard_normal((d, d))
        self.H, self.b, self.c = H + H.T, rng.standard_normal(d), rng.standard_normal()
        self.x = rng.standard_normal(d)

    def __call__(self, x):
        return 0.5 * np.einsum("...i,ij,...j", x, self.H, x) + x @ self.b + self.c

    @property
    def gradient(self):
        return self.H @ self.x + self.b


# Smoothing ------------------------------------------------------------------------------------------


@SOME
@given(SEEDS, st.integers(1, 3), st.floats(1e-2, 2.0))
def test_the_smoothed_value_of_a_quadratic_is_its_value_and_half_sigma_squared_times_the_trace(seed, d, sigma):
    f, u = Quadratic(seed, d), gaussian_design(d)
    expected = f(f.x) + sigma**2 / 2 * np.trace(f.H)
    assert f(f.x + sigma * u).mean() == pytest.approx(expected, rel=1e-12, abs=1e-12)


@SOME
@given(SEEDS, st.integers(1, 3), st.floats(1e-2, 2.0))
def test_the_zeroth_order_gradient_of_a_quadratic_is_exact_for_every_sigma(seed, d, sigma):
    f = Quadratic(seed, d)
    for u in (gaussian_design(d), rademacher_design(d)):
        g = score_gradient(f(f.x + sigma * u), u, sigma)
        assert np.abs(g - f.gradient).max() < 1e-11 / sigma


def test_trap_with_a_third_moment_it_is_not_exact_even_for_a_quadratic():
    f, u, sigma = Quadratic(0, 2), skewed_design(2), 0.1
    g = score_gradient(f(f.x + sigma * u) - f(f.x), u, sigma)
    # E[u' H u u_i] = H_ii E u^3, since the components are independent
    assert np.abs(g - f.gradient - sigma / 2 * np.diag(f.H) * 1.5).max() < 1e-12
    assert np.abs(g - f.gradient).max() > 0.01


@pytest.mark.parametrize(("design", "order"), [(rademacher_design, 2), (gaussian_design, 2), (skewed_design, 1)])
def test_the_error_is_of_order_sigma_squared_for_symmetric_directions_and_sigma_otherwise(design, order):
    x, u = np.array([0.3, -0.5]), design(2)
    exact = np.exp(x[0] * 1.0 - x[1]) * np.array([1.0, -1.0]) + np.cos(x)

    def f(x):
        return np.exp(x[..., 0] - x[..., 1]) + np.sin(x).sum(axis=-1)

    def ratio(sigma):
        return np.linalg.norm(score_gradient(f(x + sigma * u) - f(x), u, sigma) - exact) / sigma**order

    assert ratio(2e-3) == pytest.approx(ratio(1e-3), rel=0.02)
    assert ratio(1e-3) > 0.1  # and no better than that


def test_gaussian_smoothing_has_the_gradient_of_the_smoothed_function_even_of_a_step():
    from scipy.special import ndtri

    n, x, sigma = 200_000, 0.3, 0.5
    u = ndtri((np.arange(n) + 0.5) / n)[:, None]
    g = score_gradient((x + sigma * u[:, 0] > 0).astype(float), u, sigma)
    density = np.exp(-0.5 * (x / sigma) ** 2) / np.sqrt(2 * np.pi) / sigma
    assert g[0] == pytest.approx(density, abs=10 / n / sigma)  # a cell of the sample, at most 5 wide in u


@SOME
@given(SEEDS, st.integers(1, 3), st.floats(0.05, 2.0))
def test_the_best_baseline_for_a_quadratic_is_the_value_and_a_multiple_of_the_trace(seed, d, sigma):
    f, u = Quadratic(seed, d), gaussian_design(d)
    values = f(f.x + sigma * u)
    b = values - above_baseline(values, "optimal", u)
    expected = f(f.x) + sigma**2 * (d + 2) / (2 * d) * np.trace(f.H)
    assert np.abs(b - expected).max() < 1e-11


@SOME
@given(SEEDS, st.integers(1, 2))
def test_no_constant_baseline_has_less_variance_than_the_best_one(seed, d):
    f, u = Quadratic(seed, d), gaussian_design(d)
    values = f(f.x + 0.5 * u)
    best = (values - above_baseline(values, "optimal", u))[0]

    def second_moment(b):
        return (((values - b)[:, None] * u) ** 2).sum(axis=1).mean()

    others = [0.0, values.mean(), f(f.x), best + 0.1, best - 0.1]
    assert all(second_moment(best) <= second_moment(b) * (1 + 1e-12) for b in others)


def test_for_directions_of_one_length_the_best_baseline_is_the_mean():
    f = np.array([3.0, -1.0, 5.0])
    u = draw_directions(3, 4, "rademacher", rng=0)
    assert above_baseline(f, "optimal", u).tolist() == pytest.approx(above_baseline(f, "mean", u).tolist(), abs=1e-15)


@SOME
@given(SEEDS, st.integers(1, 3))
def test_stein_hessian_of_a_quadratic_is_its_hessian(seed, d):
    f, u, sigma = Quadratic(seed, d), gaussian_design(d), 0.7
    for baseline in ("none", "mean"):
        assert np.abs(stein_hessian(f(f.x + sigma * u), u, sigma, baseline) - f.H).max() < 1e-10


def test_trap_stein_hessian_takes_gaussian_directions_rademacher_ones_do_not_see_the_diagonal():
    f, u, sigma = Quadratic(1, 2), rademacher_design(2), 0.7
    h = stein_hessian(f(f.x + sigma * u), u, sigma)
    assert np.abs(h - (f.H - np.diag(np.diag(f.H)))).max() < 1e-12
    assert np.abs(np.diag(f.H)).min() > 0.1


# Estimators on a sample --------------------------------------------------------------------------------


@SOME
@given(SEEDS, st.integers(1, 6), st.integers(1, 8))
def test_evolution_strategy_is_the_score_function_estimator_of_a_gaussian_policy_on_the_same_samples(seed, d, n):
    rng = np.random.default_rng(seed)
    theta, sigma = rng.integers(-4, 5, d) / 4, 0.5
    u = np.round(rng.standard_normal((n, d)) * 2**20) / 2**20  # so that the action less theta has no rounding
    f = rng.standard_normal(n)
    action = theta + sigma * u
    score = (action - theta) / sigma**2  # of N(theta, sigma^2 I)
    expected = (f[:, None] * score).mean(axis=0)
    scale = (np.abs(f)[:, None] * np.abs(score)).mean(axis=0)
    assert np.all(np.abs(score_gradient(f, u, sigma) - expected) <= 1e-15 * scale)


@SOME
@given(SEEDS, st.integers(1, 5), st.integers(1, 8), st.sampled_from(["gaussian", "rademacher", "orthogonal"]))
def test_antithetic_pairs_cancel_the_curvature_of_a_quadratic(seed, d, n, kind):
    f, u, sigma = Quadratic(seed, d), draw_directions(n, d, kind, rng=seed), 1.0
    g = antithetic_gradient(f(f.x + sigma * u), f(f.x - sigma * u), u, sigma)
    size = max(1.0, np.abs(f(f.x + sigma * u)).max()) * np.abs(u).max()
    assert np.abs(g - u.T @ (u @ f.gradient) / n).max() <= 1e-14 * size


@SOME
@given(SEEDS, st.integers(1, 6))
def test_d_orthogonal_directions_give_the_exact_gradient_of_a_quadratic(seed, d):
    f, sigma = Quadratic(seed, d), 0.5
    u = draw_directions(d, d, "orthogonal", rng=seed)
    g = antithetic_gradient(f(f.x + sigma * u), f(f.x - sigma * u), u, sigma)
    assert np.abs(g - f.gradient).max() < 1e-12


@SOME
@given(SEEDS, st.integers(2, 9), st.integers(1, 4))
def test_leaving_one_out_is_the_mean_baseline_times_n_over_n_minus_1(seed, n, d):
    rng = np.random.default_rng(seed)
    f, u = rng.standard_normal(n), rng.standard_normal((n, d))
    others = np.array([np.delete(f, i).mean() for i in range(n)])
    assert np.abs(above_baseline(f, "leave_one_out", u) - (f - others)).max() < 1e-14
    left_out, mean = (score_gradient(f, u, 0.3, b) for b in ("leave_one_out", "mean"))
    assert np.abs(left_out - mean * n / (n - 1)).max() < 1e-13


@pytest.mark.parametrize("n", [2, 3])
def test_a_mean_baseline_of_the_sample_shrinks_the_expectation_leaving_one_out_does_not(n):
    f, u = Quadratic(3, 2), samples(rademacher_design(2), n)
    values = f(f.x + 0.4 * u)
    exact = f.gradient
    for baseline, factor in [("none", 1.0), ("mean", (n - 1) / n), ("leave_one_out", 1.0)]:
        assert np.abs(score_gradient(values, u, 0.4, baseline).mean(axis=0) - factor * exact).max() < 1e-13


# The mean square error on a linear function -------------------------------------------------------------


def relative_mse(u, g):
    """Of antithetic estimates, one for each u of shape (n, d)."""
    slope = u @ g
    return (((antithetic_gradient(slope, -slope, u, 1.0) - g) ** 2).sum(axis=-1)) / (g @ g)


@pytest.mark.parametrize(("d", "n"), [(1, 1), (1, 3), (2, 1), (2, 2), (3, 1), (3, 2)])
def test_mse_of_gaussian_directions_is_d_plus_1_over_n(d, n):
    g = np.array([1.0, -0.5, 2.0])[:d]
    assert relative_mse(samples(gaussian_design(d), n), g).mean() == pytest.approx((d + 1) / n, rel=1e-12)


@pytest.mark.parametrize(("d", "n"), [(1, 1), (2, 1), (2, 3), (3, 1), (3, 3), (5, 2)])
def test_mse_of_rademacher_directions_is_d_minus_1_over_n(d, n):
    g = np.array([1.0, -0.5, 2.0, 0.3, -3.0])[:d]
    assert relative_mse(samples(rademacher_design(d), n), g).mean() == pytest.approx((d - 1) / n, abs=1e-12)


@pytest.mark.parametrize(("d", "n"), [(2, 1), (2, 3), (3, 1), (3, 3)])
def test_mse_of_directions_on_the_sphere_is_d_minus_1_over_n(d, n):
    g = np.array([1.0, -0.5, 2.0])[:d]
    assert relative_mse(samples(sphere_design(d), n), g).mean() == pytest.approx((d - 1) / n, rel=1e-12)


@pytest.mark.parametrize(("d", "n"), [(1, 1), (2, 1), (4, 3), (5, 2), (5, 5)])
def test_mse_of_orthogonal_directions_is_d_minus_n_over_n(d, n):
    # It depends on the mean of the projection only, which is n/d I; so is that of the n of d rows of one frame.
    from itertools import combinations

    frame, g = draw_directions(d, d, "orthogonal", rng=2), np.array([1.0, -0.5, 2.0, 0.3, -3.0])[:d]
    u = np.array([frame[list(rows)] for rows in combinations(range(d), n)])
    assert relative_mse(u, g).mean() == pytest.approx((d - n) / n, abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "law"), [("gaussian", 4.2), ("rademacher", 3.8), ("sphere", 3.8), ("orthogonal", 3.0)]
)
def test_mse_laws_on_drawn_directions_d_20_n_5(kind, law):
    found = relative_mse(draw_directions(5, 20, kind, rng=6, draws=4000), np.linspace(-1, 2, 20))
    assert abs(found.mean() - law) < 4 * found.std() / np.sqrt(4000)


def test_the_value_as_a_baseline_is_what_makes_the_error_small():
    g, n, u = np.array([1.0, 2.0]), 1, gaussian_design(2)[:, None, :]
    for level, expected in [(0.0, 3.0), (10.0, 3.0 + 2 * 10.0**2 / 5 / 0.01)]:
        f = level + 0.1 * u @ g
        error = ((score_gradient(f, u, 0.1) - g) ** 2).sum(axis=-1).mean() / (g @ g)
        assert error == pytest.approx(expected / n, rel=1e-12)


# Smoothing as options -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["antithetic", "forward", "score"])
@pytest.mark.parametrize("kind", ["gaussian", "rademacher", "sphere", "orthogonal"])
def test_every_form_and_kind_estimates_a_linear_gradient_without_bias(form, kind):
    draws, g = 4000, np.array([1.0, -2.0, 0.5])
    how = Smoothing(n=2, form=form, directions=kind)
    u = draw_directions(2, 3, kind, rng=8, draws=draws)
    x = np.ones((draws, 3))
    found = how.estimate(how.points_around(x, u, 0.1) @ g, u, 0.1)
    assert found.shape == (draws, 3)
    assert np.all(np.abs(found.mean(axis=0) - g) < 4.5 * found.std(axis=0) / np.sqrt(draws) + 1e-12)


def test_augmented_random_search_uses_the_best_directions_and_divides_by_their_deviation():
    how = Smoothing(n=4, top=2, shaping="standard")
    u = np.random.default_rng(0).standard_normal((4, 3))
    above, below = np.array([5.0, 1.0, 9.0, 3.0]), np.array([6.0, 8.0, 2.0, 7.0])
    # the least of each pair: 5, 1, 2, 3
    deviation = np.std([1.0, 8.0, 9.0, 2.0])
    expected = ((1.0 - 8.0) * u[1] + (9.0 - 2.0) * u[2]) / deviation / (2 * 2 * 0.1)
    assert np.abs(how.estimate(np.concatenate([above, below]), u, 0.1) - expected).max() < 1e-13


@pytest.mark.parametrize("shaping", ["none", "standard", "centred", "nes"])
@pytest.mark.parametrize("options", [{}, {"top": 2}, {"form": "forward"}, {"form": "score", "baseline": "optimal"}])
def test_values_that_are_not_finite_leave_the_estimate_finite_and_if_none_is_it_is_0(shaping, options):
    how, u = Smoothing(n=3, shaping=shaping, **options), draw_directions(3, 2, rng=0)
    m = how.points_around(np.zeros(2), u, 0.1).shape[0]
    for bad in (np.inf, np.nan):
        f = np.full(m, bad)
        assert np.all(how.estimate(f, u, 0.1) == 0)
        f[1] = 2.0
        assert np.all(np.isfinite(how.estimate(f, u, 0.1)))


def test_estimates_keep_library_device_and_dtype():
    device = strict.Device("device1")
    u = strict.asarray(draw_directions(3, 2, rng=0), dtype=strict.float32, device=device)
    x = strict.ones((2,), dtype=strict.float32, device=device)
    every = [
        {"top": 2, "shaping": "standard"},
        {"shaping": "nes"},
        {"form": "forward", "shaping": "centred"},
        *({"form": "score", "baseline": b} for b in ("none", "mean", "optimal", "leave_one_out")),
    ]
    for options in every:
        how = Smoothing(n=3, **options)
        points = how.points_around(x, u, 0.1)
        g = how.estimate(strict.sum(points * points, axis=-1), u, 0.1)
        assert (g.dtype, g.device, g.shape) == (strict.float32, device, (2,))
        host = how.points_around(np.ones(2, np.float32), to_numpy(u), 0.1)
        assert np.array_equal(to_numpy(g), how.estimate((host * host).sum(axis=-1), to_numpy(u), 0.1))
    h = stein_hessian(strict.ones((3,), dtype=strict.float32, device=device), u, 0.1, "mean")
    assert (h.dtype, h.device, h.shape) == (strict.float32, device, (2, 2))


def test_options_that_do_not_go_together_are_refused():
    with pytest.raises(OptionError, match="top must be at most n = 2 and goes with form='antithetic'"):
        Smoothing(n=2, top=3)
    with pytest.raises(OptionError, match="top must be at most n"):
        Smoothing(n=2, top=1, form="score")
    with pytest.raises(OptionError, match="baseline='mean' goes with form='score'"):
        Smoothing(baseline="mean")
    with pytest.raises(OptionError, match="needs n >= 2"):
        Smoothing(n=1, form="score", baseline="leave_one_out")
    with pytest.raises(OptionError, match="expected n >= 2 samples, got 1"):
        score_gradient(np.ones(1), np.ones((1, 2)), 0.1, "leave_one_out")
    with pytest.raises(OptionError, match=r"baseline must be one of 'none'.*got 'median'"):
        score_gradient(np.ones(1), np.ones((1, 2)), 0.1, "median")
