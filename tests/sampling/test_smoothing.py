import array_api_strict as strict
import numpy as np
import pytest

from arrayopt import OptionError, to_numpy
from arrayopt.sampling.directions import draw_directions
from arrayopt.sampling.smoothing import (
    Smoothing,
    above_baseline,
    score_gradient,
    stein_hessian,
)


def test_for_directions_of_one_length_the_best_baseline_is_the_mean():
    f = np.array([3.0, -1.0, 5.0])
    u = draw_directions(3, 4, "rademacher", rng=0)
    assert above_baseline(f, "optimal", u).tolist() == pytest.approx(above_baseline(f, "mean", u).tolist(), abs=1e-15)


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
