"""Adadelta: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adadelta import Adadelta
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.common.updates import final_state, updates, weights
from tests.firstorder.hand import adadelta as hand
from tests.firstorder.hand import literals

HAND = [
    [1.1464466094067262378, -1.5527864045000420607, -0.23507125007266594704],
    [1.360296340098801627, -2.1875974587727805026, -0.56530579989780987267],
]

seeds = st.integers(0, 2**32 - 1)
ULP = 2.0**-52


def test_two_steps_by_hand():
    assert_displacements(follow(Adadelta(rho=0.8, eps=0.05), P0, GRADIENTS), HAND, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


def test_closed_sums_over_the_histories_of_gradients_and_updates():
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    d = np.zeros((0, 5))
    for t in range(1, 8):
        v, u = weights(0.8, t) @ gradients[:t] ** 2, weights(0.8, t - 1) @ d**2
        d = np.vstack([d, np.sqrt((u + 0.05) / (v + 0.05)) * gradients[t - 1]])
    expected = [p0 - 0.3 * d[:t].sum(axis=0) for t in range(1, 8)]
    assert_displacements(follow(Adadelta(lr=0.3, rho=0.8, eps=0.05), p0, gradients), expected, p0, rel=1e-14)


@given(seeds, st.floats(0.0, 100.0))
def test_the_rate_does_not_show_in_the_state(seed, lr):
    gradients = np.random.default_rng(seed).normal(size=(5, 4))
    one, other = final_state(Adadelta(), gradients), final_state(Adadelta(lr=lr), gradients)
    for slot in "vu":
        np.testing.assert_array_equal(one.slots[slot][""], other.slots[slot][""])


@given(seeds)
def test_means_never_exceed_the_largest_square(seed):
    gradients = np.random.default_rng(seed).normal(size=(9, 4))
    rule = Adadelta(rho=0.8, eps=0.05)
    d, slots = updates(rule, gradients), final_state(rule, gradients).slots
    assert np.all(slots["v"][""] <= np.max(gradients**2, axis=0) * (1 + 36 * ULP))
    assert np.all(slots["u"][""] <= np.max(d**2, axis=0) * (1 + 36 * ULP))
