import math

import numpy as np
import pytest

from arrayopt.errors import OptionError
from arrayopt.theory import post_norm_weights, pre_norm_variance, residual_stack, rms_norm
from tests.theory.elsewhere import assert_same, on_other_libraries


def test_the_factor_of_branches():
    x = np.asarray([1.0, 2.0])
    found = residual_stack(x, [np.sin], norm="none", alpha=0.5)[-1]
    np.testing.assert_array_equal(found, x + 0.5 * np.sin(x))
    pre = residual_stack(x, [lambda h: h], norm="pre", alpha=2.0)[-1]
    np.testing.assert_allclose(pre, x + 2 * x / math.sqrt(2.5))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rms_norm(dtype):
    big, small = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    for v in (big, small):
        assert rms_norm(np.asarray([v, -v], dtype)).tolist() == [1, -1]
    assert rms_norm(np.asarray([2, 4, 6], dtype), center=True).dtype == dtype
    assert rms_norm(np.asarray([2, 4], dtype), center=True).tolist() == [-1, 1]
    assert rms_norm(np.zeros(3, dtype)).tolist() == [0, 0, 0]
    assert rms_norm(np.zeros((2, 0), dtype)).shape == (2, 0)
    assert np.isnan(rms_norm(np.asarray([math.nan, 1], dtype))).all()


@on_other_libraries
def test_other_libraries(xp):
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert_same(xp, rms_norm, x)
    assert_same(xp, lambda x: rms_norm(x, center=True), x)
    for norm in ("post", "pre", "none"):
        assert_same(xp, lambda x, norm=norm: residual_stack(x, [lambda h: h * h] * 2, norm=norm), x)


def test_refusals():
    with pytest.raises(OptionError, match="norm: expected"):
        residual_stack(np.ones(2), [], norm="batch")
    for f in (post_norm_weights, pre_norm_variance):
        with pytest.raises(OptionError, match="layers, variance: expected numbers >= 0"):
            f(-1)
        with pytest.raises(OptionError, match="layers, variance: expected numbers >= 0"):
            f(1, math.nan)
