import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import OptionError
from arrayopt.theory import post_norm_weights, pre_norm_variance, residual_stack, rms_norm
from tests.theory.elsewhere import assert_same, on_other_libraries


def independent(n, layers, size=1.0):
    """Branches whose outputs do not depend on x: orthogonal directions of one root mean square."""
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, layers + 1)))
    vectors = size * math.sqrt(n) * Q.T
    return vectors[0] / size, [lambda x, v=v: v for v in vectors[1:]], vectors[1:]


@given(st.integers(0, 60), st.floats(0, 100))
def test_post_norm_weights_are_of_square_one(layers, variance):
    shortcut, branches = post_norm_weights(layers, variance)
    assert shortcut**2 + variance * float(np.sum(branches**2)) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("variance", [1.0, 0.0565])
def test_stacks_of_independent_branches(variance):
    x, branches, vectors = independent(200, 6, math.sqrt(variance))
    shortcut, weights = post_norm_weights(6, variance)
    post = residual_stack(x, branches, norm="post")[-1]
    np.testing.assert_allclose(post, shortcut * x + weights @ vectors, rtol=1e-10, atol=1e-12)
    pre = residual_stack(x, branches, norm="pre")
    np.testing.assert_allclose([np.mean(h * h) for h in pre], [pre_norm_variance(i, variance) for i in range(7)])


def test_known_answers():
    assert post_norm_weights(24)[0] == 2**-12
    assert round(post_norm_weights(24)[0], 5) == 0.00024
    assert round(post_norm_weights(24, 0.0565)[0], 3) == 0.517
    assert pre_norm_variance(7) == 8
    assert post_norm_weights(0)[0] == 1


def test_rezero_is_the_identity_at_first():
    x = np.asarray([1.0, 2.0])
    assert residual_stack(x, [np.sin] * 4, norm="none", alpha=0.0)[-1].tolist() == x.tolist()
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
