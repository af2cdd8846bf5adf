"""TrustRatio: layer adaptation of any rule."""

import numpy as np
import pytest

from arrayopt import LAMB, SGD, Adam, Momentum, OptionError, TrustRatio


def walk(rule, params, gradients):
    state, path = rule.init(params), []
    for g in gradients:
        params, state = rule.update(g, state, params)
        path.append(params)
    return path


def test_two_steps_by_hand():
    path = walk(
        TrustRatio(rule=SGD(lr=2.0), lr=0.5), np.array([3.0, 4.0]), [np.array([0.0, 9.0]), np.array([1.0, 0.0])]
    )
    np.testing.assert_allclose(path, [[3.0, 1.5], [3.0 - 0.5 * np.hypot(3.0, 1.5), 1.5]], rtol=1e-15)


def test_every_leaf_by_itself():
    params = {"a": np.array([3.0, 4.0]), "b": np.array([[10.0]])}
    after = walk(TrustRatio(rule=Momentum(lr=1e-3), lr=0.1), params, [{"a": np.ones(2), "b": np.array([[-7.0]])}])[0]
    assert np.linalg.norm(after["a"] - params["a"]) == pytest.approx(0.5, rel=1e-12)
    assert after["b"] == pytest.approx(11.0, rel=1e-12)


def test_of_adam_it_is_lamb():
    rng = np.random.default_rng(0)
    params, gradients = rng.normal(size=(4, 3)), rng.normal(size=(6, 4, 3))
    lamb = walk(LAMB(lr=0.1, eps=1e-3), params, gradients)
    ours = walk(TrustRatio(rule=Adam(lr=1.0, eps=1e-3), lr=0.1), params, gradients)
    np.testing.assert_allclose(ours, lamb, rtol=1e-12)


@pytest.mark.parametrize(
    ("params", "g"), [(np.zeros(2), np.ones(2)), (np.ones(2), np.zeros(2)), (np.zeros(0), np.zeros(0))]
)
def test_where_a_norm_is_zero_the_step_is_that_of_the_rule(params, g):
    rule = SGD(lr=0.25)
    np.testing.assert_array_equal(walk(TrustRatio(rule=rule, lr=7.0), params, [g]), walk(rule, params, [g]))


def test_a_rate_below_zero_is_refused():
    with pytest.raises(OptionError, match="lr"):
        TrustRatio(rule=SGD(), lr=-1.0)


def test_a_schedule():
    path = walk(TrustRatio(rule=SGD(lr=1.0), lr=lambda t: 0.5**t), np.array([1.0]), [np.array([1.0])] * 2)
    np.testing.assert_allclose(path, [[0.5], [0.375]], rtol=1e-15)
