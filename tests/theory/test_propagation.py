import math

import numpy as np
import pytest

from arrayopt.errors import OptionError
from arrayopt.theory import (
    gaussian_moment,
    ntk_linear,
    random_stack,
    second_moments,
)
from tests.theory.elsewhere import assert_same, on_other_libraries


def test_second_moments_of_no_layer_and_of_no_weights():
    assert second_moments([], []) == [1]
    assert second_moments([10], [0.0]) == [1, 0]


def test_moments_of_normal_numbers():
    for k, exact in ((0, 1), (1, 0), (2, 1), (4, 3), (6, 15)):
        assert gaussian_moment(lambda z: z, k) == pytest.approx(exact, abs=1e-13)
    assert gaussian_moment(np.exp, 1) == pytest.approx(math.exp(0.5), rel=1e-14)


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
