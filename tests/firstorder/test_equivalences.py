"""Where two rules are one, or are not, beside what `arrayopt.claims` declares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import inplace
from arrayopt.firstorder import RULES
from arrayopt.firstorder.momentum import Momentum
from arrayopt.firstorder.sgd import SGD
from arrayopt.firstorder.tiger import Tiger
from tests.common.follow import follow
from tests.common.rules import exaggerated

seeds = st.integers(0, 10**6)
rates = st.floats(0.0, 0.99)


def walk(seed=0, shape=(5,), steps=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(steps, *shape)), rng.normal(size=shape)


def apart(a, b):
    """The largest distance between two paths."""
    return np.max(np.abs(np.array(a) - np.array(b)))


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_decay_through_the_gradient_is_decoupled_decay_for_sgd_alone(cls):
    gradients, p0 = walk(shape=(4, 3))
    rule = exaggerated(cls, decay="l2")
    distance = apart(follow(rule, p0, gradients), follow(rule.replace(decay="decoupled"), p0, gradients))
    assert distance < 1e-14 if cls is SGD else distance > 1e-4


FOLDING = [
    Momentum(lr=0.1, momentum=0.6, form="ema"),
    Momentum(lr=0.1, momentum=0.6, dampening=0.3, first="gradient", weight_decay=0.2),
    Momentum(lr=0.1, momentum=0.6, lr_place="inside", weight_decay=0.2, decay="decoupled"),
    Tiger(lr=0.1, beta=0.6, weight_decay=0.2),
]


@given(st.integers(1, 5), seeds, rates)
def test_the_folded_velocity_is_a_running_mean_over_groups_by_closed_sums(k, seed, mu):
    gradients, p0 = walk(seed, steps=3 * k)
    rule = Momentum(lr=1.0, momentum=mu, form="ema", accumulate=k)
    means = gradients.reshape(3, k, -1).mean(axis=1)
    reach = 1 - mu ** np.arange(3, 0, -1.0)  # (1 - mu)(1 + mu + ...) over the steps that a group still moves
    np.testing.assert_allclose(follow(rule, p0, gradients)[-1], p0 - reach @ means, rtol=0, atol=1e-13)


@pytest.mark.parametrize("rule", FOLDING)
def test_folded_accumulation_in_place_is_the_pure_one_bit_for_bit(rule):
    gradients, p0 = walk(steps=7)
    rule = rule.replace(accumulate=3)
    params, state = p0.copy(), rule.init(p0)
    stepper = inplace(rule, block=2)
    for g, expected in zip(gradients, follow(rule, p0, gradients), strict=True):
        params, state = stepper.update(g, state, params)
        np.testing.assert_array_equal(params, expected)
