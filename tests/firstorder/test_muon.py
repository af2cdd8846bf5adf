"""Muon: two steps by hand, closed sums over the history, and its claims."""

import array_api_compat.numpy as xp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.core import options
from arrayopt.core.orthogonal import coefficients, composite, msign, named, polar_express, take
from arrayopt.core.tracing import trace
from arrayopt.core.trees import describe
from arrayopt.errors import LeafError, OptionError
from arrayopt.firstorder.muon import Muon
from arrayopt.readers.inplace import inplace
from tests.common.follow import assert_displacements, follow
from tests.firstorder.hand import literals
from tests.firstorder.hand import muon as hand

TALL = np.array(hand.TALL, dtype=float)
TALL_GRADIENTS = np.array(hand.TALL_GRADIENTS, dtype=float)
SQUARE = np.array(hand.SQUARE, dtype=float)
SQUARE_GRADIENTS = np.array(hand.SQUARE_GRADIENTS, dtype=float)
EXAGGERATED = dict(lr=0.1, momentum=0.6, eps=0.05, weight_decay=0.2)

KELLER = [
    [
        *(1.4366080352308551409, -1.8900620155810708344, 0.11098029598265479994),
        *(0.96228958142488482685, -0.49829483296396083084, 0.78748006742835956614),
    ],
    [
        *(1.4119055444186756244, -1.9841682399686483362, 0.049459620339580071367),
        *(0.91577013106418339245, -0.42849726036213210762, 0.76869558448064249105),
    ],
]
ARTICLE = [
    [1.4457464374963667026, -1.8629857499854668106, 0.14798574998546681059, 0.95574643749636670265],
    [1.4297654271532161738, -1.9248860761043796477, 0.045865993867135301087, 0.92369759033966256338],
]


def test_two_steps_by_hand():
    path = follow(Muon(**EXAGGERATED), TALL, TALL_GRADIENTS)
    assert_displacements(path, [np.reshape(w, (3, 2)) for w in KELLER], TALL)


def test_two_steps_of_the_article_by_hand():
    path = follow(Muon.preset("paper", lr=0.1, momentum=0.6, weight_decay=0.2), SQUARE, SQUARE_GRADIENTS)
    assert_displacements(path, [np.reshape(w, (2, 2)) for w in ARTICLE], SQUARE)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.keller())] == KELLER
    assert [[float(x) for x in row] for row in literals(hand.article())] == ARTICLE


def closed_sums(gradients, p0, rule):
    """The parameters from the history alone: sums for the momentum, numbers for the iteration."""
    mu, theta, path = rule.momentum, p0, []
    rows, columns = p0.shape
    gamma = {
        "keller": max(1, rows / columns) ** 0.5,
        "optax": max(1, columns / rows) ** 0.5,
        "moonlight": 0.2 * max(rows, columns) ** 0.5,
        "dion": (rows / columns) ** 0.5,
        "none": 1.0,
    }[rule.scale]
    for t in range(1, len(gradients) + 1):
        g = gradients[:t]
        weights = mu ** np.arange(t - 1, -1, -1.0) * (1 - mu if rule.form == "ema" else 1)
        m = np.tensordot(weights, g, 1)
        u = {
            "damped": mu * m + (1 - mu) * g[-1],
            "heavy": mu * m + g[-1],
            "bias_corrected": mu * m / (1 - mu ** (t + 1)) + (1 - mu) * g[-1] / (1 - mu**t),
            "debiased": m / (1 - mu**t),
            "none": m,
        }[rule.nesterov]
        left, s, right = np.linalg.svd(u, full_matrices=False)
        n = np.sqrt(np.sum(s**2))
        divisor = {"add": n + rule.eps, "max": max(n, rule.eps), "safety": 1.02 * n + rule.eps}[rule.norm]
        after = composite(take(rule.polynomials or named(rule.coefficients), rule.ns_steps), s / divisor)
        o = left * (np.ones_like(s) if rule.orthogonalize == "exact" else after) @ right
        theta = theta - rule.lr * rule.weight_decay * theta - rule.lr * gamma * o
        path.append(theta)
    return path


DIALECTS = [
    {},
    dict(form="heavy_ball", nesterov="heavy", norm="max"),
    dict(nesterov="bias_corrected", norm="safety", scale="optax"),
    dict(nesterov="debiased", ns_steps=1),
    dict(nesterov="none", coefficients="quintic", scale="moonlight", ns_steps=7),
    dict(form="heavy_ball", nesterov="none", coefficients="polar_express", scale="dion", ns_steps=3),
    dict(orthogonalize="exact", scale="none"),
    dict(polynomials=(coefficients(1.724, 0.935, 1.235), coefficients(1.0, 0.9, 1.1)), ns_steps=4),
    dict(coefficients="taylor", ns_steps=12),
]


@pytest.mark.parametrize("dialect", DIALECTS, ids=str)
@pytest.mark.parametrize("shape", [(4, 3), (3, 5), (2, 2)])
def test_closed_sums_over_the_history(dialect, shape):
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, *shape)), rng.normal(size=shape)
    rule = Muon(**EXAGGERATED, **dialect)
    assert_displacements(follow(rule, p0, gradients), closed_sums(gradients, p0, rule), p0, rel=1e-12)


# What it does to gradients -----------------------------------------------------------------------


@given(st.integers(-60, 60), st.sampled_from(["newton_schulz", "exact"]))
def test_scaling_all_gradients_changes_nothing_at_eps_zero(k, orthogonalize):
    rule = Muon(eps=0.0, orthogonalize=orthogonalize)
    there, here = (follow(rule, SQUARE, SQUARE_GRADIENTS * c) for c in (2.0**k, 1.0))
    assert_displacements(there, here, SQUARE, rel=1e-13)


@pytest.mark.parametrize("orthogonalize", ["newton_schulz", "exact"])
def test_heavy_ball_is_the_running_mean_at_eps_zero_where_nesterov_keeps_the_proportion(orthogonalize):
    rng = np.random.default_rng(2)
    gradients, p0 = rng.normal(size=(5, 3, 4)), rng.normal(size=(3, 4))
    rule = Muon(eps=0.0, momentum=0.6, orthogonalize=orthogonalize)
    for mean, ball in (("damped", "heavy"), ("none", "none")):
        assert_displacements(
            follow(rule.replace(form="heavy_ball", nesterov=ball), p0, gradients),
            follow(rule.replace(nesterov=mean), p0, gradients),
            p0,
            rel=1e-12,
        )
    corrected = follow(rule.replace(nesterov="bias_corrected"), p0, gradients)
    assert np.max(np.abs(corrected[1] - follow(rule, p0, gradients)[1])) > 1e-4


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32))
def test_an_exact_step_is_as_steep_as_a_step_of_its_spectral_norm_can_be(rows, columns, seed):
    g = np.random.default_rng(seed).normal(size=(rows, columns))
    rule = Muon(lr=0.1, orthogonalize="exact")
    (after,) = follow(rule, np.zeros((rows, columns)), [g])
    gamma = max(1, rows / columns) ** 0.5
    np.testing.assert_allclose(np.linalg.norm(after, 2), 0.1 * gamma, rtol=1e-13)
    nuclear = np.sum(np.linalg.svd(g, compute_uv=False))
    np.testing.assert_allclose(np.sum(after * g), -0.1 * gamma * nuclear, rtol=1e-12)


def test_l2_decay_alone_makes_a_whole_orthogonal_step():
    rule = Muon(lr=0.1, weight_decay=1e-3, decay="l2", orthogonalize="exact")
    (after,) = follow(rule, SQUARE, [np.zeros((2, 2))])
    np.testing.assert_allclose(after, SQUARE - 0.1 * msign(xp, SQUARE), rtol=1e-14)


def test_no_steps_of_newton_schulz_leave_the_normalised_momentum():
    (after,) = follow(Muon(lr=1.0, ns_steps=0, eps=0.0), np.zeros((2, 2)), SQUARE_GRADIENTS[:1])
    np.testing.assert_allclose(after, -SQUARE_GRADIENTS[0] / np.linalg.norm(SQUARE_GRADIENTS[0]), rtol=1e-15)


def test_an_iteration_in_bfloat16_ends_in_bfloat16():
    rough, fine = step_of(Muon(ns_dtype="bfloat16"), (3, 4)), step_of(Muon(), (3, 4))
    np.testing.assert_array_equal(rough, rough.astype(ml_dtypes.bfloat16).astype(float))
    assert 1e-4 < np.max(np.abs(rough - fine)) < 0.05


# Shapes ------------------------------------------------------------------------------------------


def step_of(rule, shape, seed=4):
    g = np.random.default_rng(seed).normal(size=shape)
    return follow(rule.replace(lr=1.0), np.zeros(shape), [g])[0]


@pytest.mark.parametrize(
    ("shape", "same"),
    [
        ((4, 4), [("keller", "none"), ("optax", "none"), ("dion", "none")]),
        ((3, 5), [("keller", "none")]),
        ((5, 3), [("optax", "none"), ("dion", "keller")]),
        ((25, 25), [("moonlight", "keller")]),
        ((2, 25), [("moonlight", "keller")]),
    ],
)
def test_scales_that_coincide(shape, same):
    for a, b in same:
        np.testing.assert_allclose(step_of(Muon(scale=a), shape), step_of(Muon(scale=b), shape), rtol=1e-14)


def test_the_scale_of_optax_is_that_of_keller_on_the_transpose():
    g = np.random.default_rng(4).normal(size=(5, 3))
    (keller,) = follow(Muon(), np.zeros((5, 3)), [g])
    (optax,) = follow(Muon(scale="optax"), np.zeros((3, 5)), [g.T])
    np.testing.assert_allclose(optax, keller.T, rtol=1e-12)


def test_a_kernel_is_a_matrix_of_its_first_axis_and_the_rest():
    shape = (6, 1, 2, 2)
    flat = step_of(Muon(), (6, 4)).reshape(shape)
    np.testing.assert_allclose(step_of(Muon(), shape), flat, rtol=1e-14)
    # six rows and four columns as a matrix, two and two by the last axes
    np.testing.assert_allclose(step_of(Muon(conv="last_two"), shape), flat / (6 / 4) ** 0.5, rtol=1e-14)


def test_a_batch_of_matrices_is_orthogonalised_one_by_one():
    g = np.random.default_rng(4).normal(size=(3, 4, 2))
    (together,) = follow(Muon(conv="batched"), np.zeros((3, 4, 2)), [g])
    alone = [follow(Muon(), np.zeros((4, 2)), [x])[0] for x in g]
    np.testing.assert_allclose(together, alone, atol=1e-15)


def test_decay_goes_by_the_plain_rate_or_by_the_scaled_one():
    rule = Muon(lr=0.1, weight_decay=0.5)
    p0, g = np.ones((4, 1)), np.zeros((4, 1))
    np.testing.assert_allclose(follow(rule, p0, [g])[0], 0.95 * p0)
    np.testing.assert_allclose(follow(rule.replace(decay="in_update"), p0, [g])[0], 0.9 * p0)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_leaves_that_are_no_matrices_are_refused_by_name(shape):
    with pytest.raises(LeafError, match=r"leaf 'dense/b' has shape .*; give it .* AdamW, with Partition$"):
        Muon().init({"dense": {"w": np.zeros((2, 2)), "b": np.zeros(shape)}})


# Options -----------------------------------------------------------------------------------------


def test_given_polynomials_take_the_place_of_the_named_ones():
    rule = Muon(coefficients="polar_express")
    given_ones = Muon(polynomials=[list(p) for p in named("polar_express")])
    np.testing.assert_array_equal(step_of(given_ones, (3, 4)), step_of(rule, (3, 4)))
    assert given_ones == Muon(polynomials=named("polar_express"))
    assert Muon.preset("dion").polynomials == polar_express(5, safety=0.02, cushion=0.02)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (dict(ns_steps=-1), "ns_steps must be an integer >= 0, got -1"),
        (dict(ns_steps=2.5), "ns_steps must be an integer"),
        (dict(polynomials=(1.0, 2.0, 3.0)), r"polynomials must be a sequence of \(a, b, c\)"),
        (dict(polynomials=((1.0, 2.0),)), "polynomials must be a sequence"),
    ],
)
def test_bad_options_are_refused_by_name(bad, message):
    with pytest.raises(OptionError, match=message):
        Muon(**bad)


VALUES = [(f, v) for f, values in options.dialects(Muon).items() for v in values]


@pytest.mark.parametrize(("field", "value"), VALUES, ids=str)
def test_every_dialect_can_be_traced_and_replayed_in_place(field, value):
    rule = Muon(weight_decay=0.1, **{field: value})
    rng = np.random.default_rng(6)
    for shape in ((3, 4), (2, 2, 3), (0, 3)):
        leaf = describe("w", np.zeros(shape, np.float32))
        tape = trace(rule, leaf, rule.numbers_at(2, leaf), rule.slot_shapes(leaf))
        assert set(tape.outputs) == {"p", "m"}
        p0 = rng.normal(size=shape).astype(np.float32)
        gradients = rng.normal(size=(2, *shape)).astype(np.float32)
        stepper, params = inplace(rule, block=5, engine="numpy"), p0.copy()
        state = stepper.init(params)
        for g in gradients:
            params, state = stepper.update(g, state, params)
        np.testing.assert_array_equal(params, follow(rule, p0, gradients)[-1])


@pytest.mark.parametrize("preset", Muon.presets)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_presets_keep_the_dtype(preset, dtype):
    rule = Muon.preset(preset, lr=0.1, eps=1e-6)
    after, state = rule.update(np.ones((2, 3), dtype), rule.init(np.ones((2, 3), dtype)), np.ones((2, 3), dtype))
    assert after.dtype == state.slots["m"][""].dtype == dtype
    assert np.all(after < 1)
