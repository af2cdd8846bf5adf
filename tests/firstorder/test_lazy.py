"""Lazy: rows that rest."""

import numpy as np
import pytest

from arrayopt import Adafactor, Adam, Lazy, Lion, Momentum

ROWS = np.array([[1.0, -2.0], [0.0, 0.0], [0.0, 3.0]])


def walk(rule, params, gradients):
    state = rule.init(params)
    for g in gradients:
        params, state = rule.update(g, state, params)
    return params, state


def test_two_steps_by_hand():
    rule = Lazy(rule=Momentum(lr=1.0, momentum=0.5))
    after, state = walk(rule, np.zeros((3, 2)), [ROWS, np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 0.0]])])
    # the second row is visited first in step 2; the first rests in it, with its velocity
    np.testing.assert_array_equal(after, [[-1.0, 2.0], [-2.0, 0.0], [-1.0, -4.5]])
    np.testing.assert_array_equal(state.slots["v"][""], [[1.0, -2.0], [2.0, 0.0], [1.0, 1.5]])


def test_rows_rest_from_decay_and_momentum():
    rule = Lion(lr=0.1, weight_decay=0.5)
    params = np.full((3, 2), 4.0)
    lazy, _ = walk(Lazy(rule=rule), params, [ROWS, 0 * ROWS])
    eager, _ = walk(rule, params, [ROWS])
    np.testing.assert_array_equal(lazy[[0, 2]], eager[[0, 2]])
    np.testing.assert_array_equal(lazy[1], params[1])


def test_only_the_leaves_that_are_named():
    params = {"embedding": {"w": np.ones((3, 2))}, "dense": np.ones((3, 2)), "bias": np.ones(3)}
    gradients = {"embedding": {"w": ROWS}, "dense": ROWS, "bias": np.zeros(3)}
    rule = Momentum(lr=0.1, weight_decay=0.5, decay="decoupled")
    after, _ = walk(Lazy(rule=rule, leaves=("embedding",)), params, [gradients])
    eager, _ = walk(rule, params, [gradients])
    np.testing.assert_array_equal(after["embedding"]["w"][1], [1.0, 1.0])
    np.testing.assert_array_equal(after["dense"], eager["dense"])
    np.testing.assert_array_equal(after["bias"], eager["bias"])


def test_vectors_and_numbers_have_no_rows():
    rule = Momentum(lr=0.1, weight_decay=0.5, decay="decoupled")
    params = {"vector": np.ones(2), "number": np.asarray(1.0)}
    gradients = {"vector": np.zeros(2), "number": np.asarray(0.0)}
    for k, x in walk(Lazy(rule=rule), params, [gradients])[0].items():
        np.testing.assert_array_equal(x, walk(rule, params, [gradients])[0][k])


def test_a_row_with_nan_moves():
    after, _ = walk(Lazy(rule=Adam()), np.ones((2, 2)), [np.array([[np.nan, 0.0], [0.0, 0.0]])])
    assert np.isnan(after[0, 0])
    np.testing.assert_array_equal(after[1], 1.0)


def test_slots_of_another_shape_are_those_of_the_rule():
    rule = Adafactor(lr=0.1)
    lazy, eager = (walk(r, np.ones((3, 2)), [ROWS, ROWS])[1] for r in (Lazy(rule=rule), rule))
    for slot, by in eager.slots.items():
        np.testing.assert_array_equal(lazy.slots[slot][""], by[""], err_msg=slot)


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (2, 3, 2)])
def test_any_shape_of_at_least_two_axes(shape):
    g = np.zeros(shape)
    if g.size:
        g[0, 0, 0] = 1.0
    after, _ = walk(Lazy(rule=Adam(weight_decay=0.5)), np.ones(shape), [g])
    assert after.shape == shape
    np.testing.assert_array_equal(after[1:], 1.0)
