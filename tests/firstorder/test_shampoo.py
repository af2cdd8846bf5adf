"""Shampoo: two steps by hand, closed sums over the history, and its claims."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.core import options
from arrayopt.core.state import State
from arrayopt.core.tracing import trace
from arrayopt.core.trees import describe
from arrayopt.errors import OptionError
from arrayopt.firstorder.sgd import SGD
from arrayopt.firstorder.shampoo import Shampoo
from arrayopt.readers.inplace import inplace
from tests.common.follow import assert_displacements, follow
from tests.firstorder.hand import literals
from tests.firstorder.hand import muon as data
from tests.firstorder.hand import shampoo as hand

SQUARE = np.array(data.SQUARE, dtype=float)
GRADIENTS = np.array(data.SQUARE_GRADIENTS, dtype=float)
EXAGGERATED = dict(lr=0.1, eps=0.05)

HAND = [
    [1.4758878588914793943, -1.9051909073720045551, 0.15355143556591757733, 0.97629772684300113876],
    [1.4870188481258204459, -1.9980659873937344943, 0.10898774062766483275, 0.96430439945751027128],
]


def test_two_steps_by_hand():
    path = follow(Shampoo(**EXAGGERATED), SQUARE, GRADIENTS)
    assert_displacements(path, [np.reshape(w, (2, 2)) for w in HAND], SQUARE)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND


def power(a, exponent):
    w, v = np.linalg.eigh(a)
    return v * w**exponent @ v.T


def closed_sums(gradients, p0, lr, eps, beta=1.0, momentum=0.0):
    """The parameters from the history alone; each axis by a sum over all others (einsum)."""
    theta, path, k = p0, [], p0.ndim
    letters = "abcdef"[:k]
    for t in range(1, len(gradients) + 1):
        ages = np.arange(t - 1, -1, -1.0)
        u = np.tensordot((1 - momentum) * momentum**ages, gradients[:t], 1)
        for i in range(k):
            other = letters[:i] + "z" + letters[i + 1 :]
            grams = [np.einsum(f"{letters},{other}->{letters[i]}z", g, g) for g in gradients[:t]]
            gram = eps * beta**t * np.eye(p0.shape[i]) + np.tensordot(beta**ages, grams, 1)
            u = np.einsum(f"{letters},{letters[i]}z->{other}", u, power(gram, -1 / (2 * k)))
        theta = theta - lr * u
        path.append(theta)
    return path


@pytest.mark.parametrize("shape", [(5,), (4, 3), (3, 4), (2, 3, 4), (2, 1, 3, 2)])
@pytest.mark.parametrize("hyper", [{}, {"beta": 0.8}, {"beta": 0.8, "momentum": 0.6}], ids=str)
def test_closed_sums_over_the_history(shape, hyper):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(5, *shape)), rng.normal(size=shape)
    actual = follow(Shampoo(**EXAGGERATED, **hyper), p0, gradients)
    assert_displacements(actual, closed_sums(gradients, p0, **EXAGGERATED, **hyper), p0, rel=1e-12)


@given(st.integers(-40, 40))
def test_scaling_all_gradients_changes_nothing_at_eps_zero(k):
    gradients = np.random.default_rng(1).normal(size=(4, 3, 3))
    rule, p0 = Shampoo(eps=0.0), np.zeros((3, 3))
    assert_displacements(follow(rule, p0, gradients * 2.0**k), follow(rule, p0, gradients), p0, rel=1e-12)


@given(st.integers(0, 2**32))
def test_it_turns_with_orthogonal_matrices_on_both_sides(seed):
    rng = np.random.default_rng(seed)
    q, r = (np.linalg.qr(rng.normal(size=(n, n)))[0] for n in (3, 4))
    gradients, p0 = rng.normal(size=(3, 3, 4)), rng.normal(size=(3, 4))
    turned = follow(Shampoo(), q @ p0 @ r, q @ gradients @ r)
    assert_displacements(turned, q @ np.array(follow(Shampoo(), p0, gradients)) @ r, p0, rel=1e-11)


def test_on_a_column_it_is_less_than_full_matrix_adagrad_by_a_root_of_the_norm():
    # two axes, so exponents of 1/4: the second statistic is the sum of squared norms
    rng = np.random.default_rng(1)
    gradients = rng.normal(size=(4, 3, 1))
    column = follow(Shampoo(eps=0.0), np.zeros((3, 1)), gradients)
    gram = sum(g @ g.T for g in gradients)
    expected = power(gram, -0.25) @ gradients[3] / np.trace(gram) ** 0.25
    np.testing.assert_allclose(column[3] - column[2], -0.1 * expected, rtol=1e-10)


def test_on_a_vector_of_one_it_is_adagrad_and_on_a_number_sgd():
    gradients = np.array([2.0, -1.0, 0.5])
    path = follow(Shampoo(eps=0.0), np.zeros(1), gradients[:, None])
    steps = -0.1 * gradients / np.sqrt(np.cumsum(gradients**2))
    np.testing.assert_allclose(np.ravel(path), np.cumsum(steps), rtol=1e-14)
    numbers = [np.asarray(g) for g in gradients]
    for a, b in zip(
        follow(Shampoo(), np.asarray(1.0), numbers), follow(SGD(lr=0.1), np.asarray(1.0), numbers), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_a_constant_gradient_is_damped_like_adagrad():
    g = np.random.default_rng(1).normal(size=(3, 3))
    path = follow(Shampoo(eps=0.0), np.zeros((3, 3)), [g] * 9)
    np.testing.assert_allclose(path[8] - path[7], path[0] / 3, rtol=1e-9)


def test_feedback_and_gradient_momentum_start_alike_up_to_a_factor_and_part_at_the_second_step():
    over = dict(lr=0.1, momentum=0.6)
    mean = follow(Shampoo(**over), SQUARE, GRADIENTS)
    feedback = follow(Shampoo(**over, momentum_form="feedback"), SQUARE, GRADIENTS)
    np.testing.assert_allclose(mean[0] - SQUARE, 0.4 * (feedback[0] - SQUARE), rtol=1e-13)
    assert np.max(np.abs(mean[1] - mean[0] - 0.4 * (feedback[1] - feedback[0]))) > 1e-3


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3), (2, 2, 0)])
def test_empty_leaves_stay_empty(shape):
    (after,) = follow(Shampoo(), np.zeros(shape), [np.zeros(shape)])
    assert after.shape == shape


def test_a_zero_gradient_leaves_a_leaf_where_it_is_even_at_eps_zero():
    np.testing.assert_array_equal(follow(Shampoo(eps=0.0), SQUARE, [np.zeros((2, 2))])[0], SQUARE)


def test_statistics_are_named_and_may_come_in_any_order():
    rule, p = Shampoo(momentum=0.5), np.ones((2, 3, 4, 1))
    state = rule.init(p)
    assert {s: x[""].shape for s, x in state.slots.items()} == {
        "l": (2, 2),
        "r": (3, 3),
        "h2": (4, 4),
        "h3": (1, 1),
        "m": p.shape,
    }
    np.testing.assert_array_equal(state.slots["r"][""], 1e-4 * np.eye(3))
    other = State(0, dict(reversed(state.slots.items())))
    g = np.random.default_rng(1).normal(size=p.shape)
    np.testing.assert_array_equal(rule.update(g, state, p)[0], rule.update(g, other, p)[0])


def test_beta_may_be_one_but_not_more():
    with pytest.raises(OptionError, match=r"Shampoo: beta must be a number in \[0, 1\], got 1.5"):
        Shampoo(beta=1.5)


VALUES = [(f, v) for f, values in options.dialects(Shampoo).items() for v in values]


@pytest.mark.parametrize(("field", "value"), VALUES, ids=str)
@pytest.mark.parametrize("momentum", [0.0, 0.6])
def test_every_dialect_can_be_traced_and_replayed_in_place(field, value, momentum):
    rule = Shampoo(weight_decay=0.1, momentum=momentum, **{field: value})
    rng = np.random.default_rng(6)
    for shape in ((), (3,), (3, 4), (2, 2, 3), (0, 3)):
        leaf = describe("w", np.zeros(shape, np.float32))
        for t in (1, 2):
            trace(rule, leaf, rule.numbers_at(t, leaf), rule.slot_shapes(leaf))
        p0 = rng.normal(size=shape).astype(np.float32)
        gradients = [np.asarray(rng.normal(size=shape), dtype=np.float32) for _ in range(2)]
        p0 = np.asarray(p0, dtype=np.float32)
        stepper, params = inplace(rule, block=5, engine="numpy"), p0.copy()
        state = stepper.init(params)
        for g in gradients:
            params, state = stepper.update(g, state, params)
        np.testing.assert_array_equal(params, follow(rule, p0, gradients)[-1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_dtype_is_kept(dtype):
    rule, p = Shampoo(), np.ones((2, 3), dtype)
    after, state = rule.update(p, rule.init(p), p)
    assert after.dtype == state.slots["l"][""].dtype == state.slots["r"][""].dtype == dtype
