import numpy as np
import pytest

from arrayopt import OptionError, minimize
from arrayopt.sampling.directions import directions_at
from arrayopt.sampling.spsa import SPSA, Gain, spsa_gain


def quadratic(x):
    return (np.array([1.0, 3.0]) * x**2).sum(axis=-1) + x[..., 0]


def test_the_gains_are_spalls():
    strategy = SPSA(a=2.0, c=0.3, A=50.0).strategy
    for k in (1, 2, 1000):
        assert strategy.lr(k) == 2.0 / (50.0 + k) ** 0.602
        assert strategy.sigma(k) == 0.3 / k**0.101


def test_it_is_spalls_recursion_with_division_by_the_components():
    method, x = SPSA(a=0.5, c=0.1, A=3.0, centre=False), np.array([1.0, -1.0])
    state = method.init(x, seed=6)
    for k in range(1, 20):
        u = directions_at(x, 1, "rademacher", 6, k - 1)[0]
        a, c = 0.5 / (3.0 + k) ** 0.602, 0.1 / k**0.101
        points = method.ask(state)
        assert np.abs(points - np.stack([x + c * u, x - c * u])).max() < 1e-14
        x = x - a * (quadratic(x + c * u) - quadratic(x - c * u)) / (2 * c) / u
        state = method.tell(state, points, quadratic(points))
        assert np.abs(state.x - x).max() < 1e-13


def test_under_noise_the_error_of_the_iterates_follows_its_law():
    # E (u u'g)_i^2 = |g|^2 for signs u, so that the second moments of the error obey a linear recursion, exactly.
    noise, runs, H = 0.1, 100, np.array([2.0, 6.0])
    rng, method, best = np.random.default_rng(0), SPSA(a=1.0, c=noise, A=20.0, centre=False), np.array([-0.5, 0.0])
    state = method.init(np.ones((runs, 2)))
    v = (np.ones(2) - best) ** 2
    for k in range(1, 301):
        x = method.ask(state)
        state = method.tell(state, x, quadratic(x) + noise * rng.standard_normal(x.shape[:-1]))
        a, c = method.strategy.lr(k), method.strategy.sigma(k)
        v = v - 2 * a * H * v + a * a * ((H * H * v).sum() + noise**2 / (2 * c * c))
    excess = quadratic(state.x) - quadratic(best)
    assert abs(excess.mean() - (H * v).sum() / 2) < 4.5 * excess.std() / np.sqrt(runs)
    assert excess.mean() < noise / 2  # where a single value tells nothing any more


def test_two_values_a_step_and_a_third_for_the_centre():
    counted = [
        minimize(quadratic, np.ones(2), method="spsa", options={"maxiter": 10, "centre": centre}).nfev
        for centre in (False, True)
    ]
    assert counted == [1 + 20, 1 + 30]


def test_spsa_gain_makes_the_first_steps_as_long_as_was_asked():
    x0, c, A = np.array([2.0, -3.0]), 0.05, 20.0
    a = spsa_gain(quadratic, x0, 0.1, c=c, A=A, n=4000, seed=1, vectorized=True)
    # |g.u| for the four u, at random
    sizes = np.abs(np.array([5.0, -18.0]) @ np.array([[1, 1], [1, -1]]).T)
    expected = 0.1 * (A + 1) ** 0.602 / sizes.mean()
    assert a == pytest.approx(expected, rel=4.5 * sizes.std() / sizes.mean() / np.sqrt(4000))
    with pytest.raises(OptionError, match="spsa_gain: fun varies by 0 around x0"):
        spsa_gain(lambda x: 1.0, x0, 0.1)


def test_a_gain_is_a_schedule():
    assert [Gain(6.0, 1.0, 1.0)(k) for k in (1, 2, 5)] == [3.0, 2.0, 1.0]
    with pytest.raises(OptionError, match="SPSA: c must be a finite number > 0"):
        SPSA(c=0.0)
