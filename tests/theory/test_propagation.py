import math

import numpy as np
import pytest
from scipy.integrate import quad

from arrayopt.errors import OptionError
from arrayopt.theory import (
    gaussian_moment,
    initial_scale,
    ntk_linear,
    random_stack,
    scheme_std,
    second_moments,
    selu_constants,
)
from tests.theory.elsewhere import assert_same, on_other_libraries


def test_the_analysis_of_002():
    found = initial_scale()
    assert round(found.real, 7) == 0.0175925
    assert round(found.xavier, 7) == 0.0360844
    assert round(found.ratio, 5) == 0.48754
    assert round(found.map_factor, 5) == 0.23769
    assert round(found.branch_variance, 4) == 0.0565
    assert round(found.shortcut, 3) == 0.517


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_random_stacks_have_the_expected_moments(activation):
    widths = [300, 400, 300, 200]
    x = np.random.default_rng(0).standard_normal((50, 300))
    stds = [0.05, 0.07, 0.03]
    expected = second_moments(widths[:-1], stds, activation=activation, first=float(np.mean(x * x)))
    measured = np.mean([random_stack(x, widths[1:], stds, activation=activation, rng=i) for i in range(10)], axis=0)
    np.testing.assert_allclose(measured, expected, rtol=0.05)


def test_schemes_keep_the_second_moment():
    widths = [100, 50, 7]
    assert second_moments(widths, [scheme_std("he", n) for n in widths], activation="relu") == pytest.approx([1] * 4)
    assert second_moments(widths, [scheme_std("lecun", n) for n in widths]) == pytest.approx([1] * 4)
    assert second_moments([], []) == [1]
    assert second_moments([10], [0.0]) == [1, 0]


def test_the_ntk_parametrisation():
    rng = np.random.default_rng(0)
    W, x = rng.standard_normal((50, 3)), rng.standard_normal((4, 50))
    np.testing.assert_allclose(ntk_linear(x, W), x @ (W * scheme_std("lecun", 50)), rtol=1e-12)


def test_moments_of_normal_numbers():
    assert round(gaussian_moment(lambda z: 1 / (1 + np.exp(-z))), 7) == 0.2933790
    for k, exact in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15)):
        assert gaussian_moment(lambda z: z, k) == pytest.approx(exact, abs=1e-13)
    assert gaussian_moment(np.exp, 1) == pytest.approx(math.exp(0.5), rel=1e-14)


def test_attention_logits_have_the_second_moment_d():
    q, k = np.random.default_rng(0).standard_normal((2, 100_000, 16))
    assert float(np.mean(np.sum(q * k, axis=-1) ** 2)) == pytest.approx(16, rel=0.02)


def test_selu_keeps_mean_and_second_moment():
    scale, alpha = selu_constants()
    assert (round(scale, 4), round(alpha, 4)) == (1.0507, 1.6733)

    def moment(k):
        def f(z):
            value = scale * (z if z > 0 else alpha * math.expm1(z))
            return value**k * math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)

        return quad(f, -12, 0, epsabs=1e-13)[0] + quad(f, 0, 12, epsabs=1e-13)[0]

    assert moment(1) == pytest.approx(0, abs=1e-12)
    assert moment(2) == pytest.approx(1, abs=1e-12)


@on_other_libraries
def test_other_libraries(xp):
    x, W = np.random.default_rng(0).standard_normal((2, 4, 4))
    assert_same(xp, ntk_linear, x, W)
    assert_same(xp, lambda x: random_stack(x, [5, 3], [0.5, 0.5], activation="relu", rng=0), x)


def test_refusals():
    with pytest.raises(OptionError, match="activation: expected"):
        second_moments([3], [1.0], activation="gelu")
    with pytest.raises(OptionError, match="stds: expected one for each of the 1 layers"):
        second_moments([3], [])
