import math

import numpy as np
import pytest

from arrayopt.errors import OptionError
from arrayopt.theory import (
    fans,
    initial_weights,
    orthogonal_weights,
    scheme_std,
)


@pytest.mark.parametrize("distribution", ["normal", "uniform", "truncated_normal"])
@pytest.mark.parametrize("scheme", ["xavier", "he", "lecun", "ntk"])
def test_a_seed_gives_the_same_weights(scheme, distribution):
    W = initial_weights((300, 200), scheme, distribution=distribution, rng=0)
    assert abs(float(W.mean())) < 0.02 * float(W.std())
    np.testing.assert_array_equal(W, initial_weights((300, 200), scheme, distribution=distribution, rng=0))


def test_layouts():
    assert fans((4, 5)) == (4, 5) == fans((5, 4), "out_in")
    assert fans((3, 3, 16, 32)) == (144, 288) == fans((32, 16, 3, 3), "out_in")
    assert fans((3, 0, 2)) == (0, 0)
    W = initial_weights((64, 16, 3, 3), "he", layout="out_in", dtype="float32", rng=1)
    assert W.dtype == np.float32
    assert float(W.std()) == pytest.approx(math.sqrt(2 / 144), rel=0.02)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 1), (0, 3)])
def test_orthogonal_weights(shape):
    Q = orthogonal_weights(shape, gain=2.0, rng=0)
    assert Q.shape == shape
    small = Q if shape[0] <= shape[1] else Q.T
    np.testing.assert_allclose(small @ small.T, 4 * np.eye(min(shape)), atol=1e-14)


def test_orthogonal_weights_are_uniform():
    # of a Haar matrix each entry has mean 0 and variance 1/n, the diagonal too
    rng = np.random.default_rng(0)
    Q = np.stack([orthogonal_weights((3, 3), rng=rng) for _ in range(3000)])
    assert np.abs(Q.mean(axis=0)).max() < 0.05
    np.testing.assert_allclose((Q**2).mean(axis=0), 1 / 3, atol=0.03)


def test_refusals():
    with pytest.raises(OptionError, match="shape: expected a kernel of at least two axes"):
        fans((3,))
    with pytest.raises(OptionError, match="layout: expected"):
        fans((3, 3), "HWIO")
    with pytest.raises(OptionError, match="scheme: expected"):
        scheme_std("glorot", 3)
    with pytest.raises(OptionError, match="fan_out: expected a number of outputs"):
        scheme_std("xavier", 3)
    with pytest.raises(OptionError, match="fan_in, fan_out: expected at least 1"):
        scheme_std("he", 0)
    with pytest.raises(OptionError, match="distribution: expected"):
        initial_weights((3, 3), "he", distribution="cauchy")
