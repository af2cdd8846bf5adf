import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.backend import to_numpy
from arrayopt.errors import LeafError, OptionError
from arrayopt.learn import can, top_k_entropy
from tests.common.libraries import libraries
from tests.learn.oracle import loop, predictions, uncertainty


@given(st.integers(1, 60), st.integers(3, 30), st.floats(0.5, 4), st.floats(0.3, 1.0), st.integers(0, 999))
def test_it_is_the_articles_algorithm(samples, classes, spread, threshold, seed):
    p, prior = predictions(np.random.default_rng(seed), samples, classes, spread)
    np.testing.assert_allclose(can(p, prior, threshold=threshold), loop(p, prior, threshold=threshold), atol=1e-15)


@given(
    st.integers(1, 25), st.integers(3, 8), st.floats(0.5, 2) | st.just(1.0), st.integers(1, 6), st.integers(0, 999),
)  # fmt: skip
def test_so_it_is_at_any_power_and_number_of_rounds(samples, classes, alpha, rounds, seed):
    p, prior = predictions(np.random.default_rng(seed), samples, classes, 1.5)
    got, expected = (f(p, prior, alpha=alpha, rounds=rounds) for f in (can, loop))
    # every round multiplies the relative error by alpha
    np.testing.assert_allclose(got, expected, atol=1e-15 * 2 ** max(1, rounds * math.log2(alpha) + 2))


def test_many_predictions_are_done_in_blocks():
    p, prior = predictions(np.random.default_rng(3), 900, 119)
    assert 100 < (uncertainty(p, 3) >= 0.9).sum() < 800
    np.testing.assert_allclose(can(p, prior), loop(p, prior), atol=1e-15)
    np.testing.assert_allclose(can(p, prior, rounds=3)[:300], loop(p, prior, rounds=3)[:300], atol=1e-14)


def test_the_known_correction():
    p = np.asarray([[0.05, 0.95], [0.5, 0.5]])
    np.testing.assert_allclose(can(p, np.asarray([0.5, 0.5]), k=2), [[0.05, 0.95], [0.725, 0.275]], atol=5e-16)


@given(st.permutations(range(6)), st.integers(1, 3), st.integers(0, 99))
def test_a_permutation_of_the_classes_permutes_the_result(order, rounds, seed):
    p, prior = predictions(np.random.default_rng(seed), 20, 6, 1.5)
    order = list(order)
    got = can(p[:, order], prior[order], rounds=rounds)
    np.testing.assert_allclose(got, can(p, prior, rounds=rounds)[:, order], atol=1e-14)


@given(st.floats(1e-3, 1e3), st.integers(0, 99))
def test_only_ratios_of_the_prior_matter(c, seed):
    p, prior = predictions(np.random.default_rng(seed), 20, 6, 1.5)
    np.testing.assert_allclose(can(p, c * prior), can(p, prior), atol=1e-14)


@given(st.integers(1, 4), st.integers(0, 99))
def test_where_column_means_are_the_prior_nothing_changes(rounds, seed):
    p, _ = predictions(np.random.default_rng(seed), 20, 6, 1.5)
    certain = p[uncertainty(p, 3) < 0.9]
    doubt = np.full((1, 6), 1 / 6)
    stack = np.concatenate([certain, doubt])
    np.testing.assert_allclose(can(stack, stack.mean(axis=0), rounds=rounds), stack, atol=1e-14)


def test_many_rounds_reach_the_row_that_sinkhorn_does():
    p, prior = predictions(np.random.default_rng(1), 30, 5, 1.5)
    j = int(np.flatnonzero(uncertainty(p, 3) >= 0.9)[0])
    y = np.concatenate([p[uncertainty(p, 3) < 0.9], p[j : j + 1]])
    r = np.ones(len(y))
    for _ in range(2000):  # scalings of rows and columns alone, by sums instead of means
        c = len(y) * prior / (r @ y)
        r = 1 / (y @ c)
    np.testing.assert_allclose(can(p, prior, rounds=500)[j], r[-1] * y[-1] * c, atol=1e-13)


def test_certain_predictions_are_those_given_and_rows_sum_to_1():
    p, prior = predictions(np.random.default_rng(0), 200, 7)
    for rounds in (1, 2):
        got = can(p, prior, rounds=rounds)
        certain = top_k_entropy(p, 3) < 0.9
        np.testing.assert_array_equal(got[certain], p[certain])
        np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-14)
        assert not np.array_equal(got, p)
    np.testing.assert_array_equal(can(p, prior, rounds=0), p)
    np.testing.assert_array_equal(can(p, prior, threshold=1.1), p)


def test_what_was_given_is_not_written_to():
    p, prior = predictions(np.random.default_rng(0), 50, 7)
    p.flags.writeable = prior.flags.writeable = False
    for rounds in (1, 2):
        assert can(p, prior, rounds=rounds) is not p


@pytest.mark.parametrize("rounds", [1, 2, 5])
@pytest.mark.parametrize("alpha", [1.0, 1.5])
def test_trap_zeros_among_the_greatest_lose_no_row(rounds, alpha):
    # the article's code takes the log of 0 there
    p = np.asarray([[0.5, 0.5, 0, 0], [0.9, 0, 0.1, 0], [0.4, 0.35, 0.25, 0], [0, 0, 0.02, 0.98]])
    prior = np.full(4, 0.25)
    got = can(p, prior, k=3, threshold=0.6, alpha=alpha, rounds=rounds)
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-14)
    assert (got[p == 0] == 0).all()
    with np.errstate(invalid="ignore"):
        expected = loop(p, prior, threshold=0.6, alpha=alpha, rounds=rounds)
    # where the certain ones have no part in a class, 0 / 0 of the plain algorithm spoils its row
    same = np.isfinite(expected).all(axis=1)
    np.testing.assert_allclose(got[same], expected[same], atol=1e-14)


@pytest.mark.parametrize("rounds", [1, 2])
def test_extremes(rounds):
    prior = np.asarray([0.2, 0.3, 0.5])
    even = np.full((4, 3), 1 / 3)
    # no certain ones: the prior, on the classes that are possible
    np.testing.assert_allclose(can(even, prior, rounds=rounds), [prior] * 4, atol=1e-15)
    np.testing.assert_allclose(can(np.asarray([[0.5, 0.5, 0]]), prior, k=2, rounds=rounds), [[0.4, 0.6, 0]], atol=1e-15)
    # rows that are no predictions are left, and do not spoil the others
    bad = np.concatenate([even[:1], [[np.nan, 0.5, 0.5], [np.inf, 0, 0], [0, 0, 0]], [[0.98, 0.01, 0.01]]])
    got = can(bad, prior, rounds=rounds)
    np.testing.assert_array_equal(got[1:], bad[1:])
    np.testing.assert_allclose(got[0], can(bad[[0, 4]], prior, rounds=rounds)[0], atol=1e-15)
    # nothing in common with the prior
    apart = np.asarray([[0.5, 0.5, 0]])
    np.testing.assert_array_equal(can(apart, np.asarray([0.0, 0, 1]), k=2, rounds=rounds), apart)
    tiny = np.asarray([[5e-324, 1.0, 0], [1 / 3] * 3, [0.5, 0.5, 1e-300]])
    for alpha in (1.0, 2.0):
        found = can(tiny, prior, alpha=alpha, rounds=rounds)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-15)
    for shape in ((0, 3), (1, 3)):
        assert can(np.ones(shape) / 3, prior, rounds=rounds).shape == shape
    np.testing.assert_array_equal(can(np.ones((2, 1)), np.ones(1), k=1, threshold=0, rounds=rounds), np.ones((2, 1)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("rounds", [1, 2])
def test_the_dtype_is_kept_and_computed_in_double(dtype, rounds):
    p, prior = (x.astype(dtype) for x in predictions(np.random.default_rng(0), 40, 7, 1.5))
    got = can(p, prior, rounds=rounds)
    assert got.dtype == dtype
    wide = can(p.astype(np.float64), prior.astype(np.float64), rounds=rounds)
    np.testing.assert_array_equal(got, wide.astype(dtype))


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("alpha", [1.0, 1.2])
@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_libraries(xp, alpha, rounds):
    p, prior = (x.astype(np.float32) for x in predictions(np.random.default_rng(0), 40, 7, 1.5))
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    made = xp.asarray(p, **where)
    got = can(made, xp.asarray(prior, **where), alpha=alpha, rounds=rounds)
    assert (type(got), got.dtype, got.device) == (type(made), made.dtype, made.device)
    np.testing.assert_allclose(to_numpy(got), can(p, prior, alpha=alpha, rounds=rounds), rtol=1e-5)


def test_biased_logits_of_many_classes_are_corrected():
    # the more classes, the more there is to gain
    gains = []
    for classes in (5, 50):
        rng = np.random.default_rng(classes)
        prior = np.full(classes, 1 / classes)
        labels = rng.integers(classes, size=4000)
        z = rng.standard_normal((4000, classes)) * 1.2 + 4 * np.eye(classes)[labels] + rng.standard_normal(classes)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        before, after = (np.mean(x.argmax(axis=1) == labels) for x in (p, can(p, prior)))
        gains.append(after - before)
    assert 0 < gains[0] < gains[1]


def test_what_is_refused():
    p, prior = np.ones((2, 3)) / 3, np.ones(3) / 3
    with pytest.raises(OptionError, match="k: expected a number of classes from 1 to 3, got 4"):
        can(p, prior, k=4)
    for alpha in (0, -1.0, math.inf, math.nan):
        with pytest.raises(OptionError, match="alpha: expected a finite number > 0"):
            can(p, prior, alpha=alpha)
    with pytest.raises(OptionError, match="rounds must be an integer >= 0, got -1"):
        can(p, prior, rounds=-1)
    with pytest.raises(OptionError, match="prior: expected finite frequencies >= 0"):
        can(p, -prior)
    with pytest.raises(LeafError, match="prior: expected a number a class, 3, got 2"):
        can(p, prior[:2])
    with pytest.raises(LeafError, match=r"probabilities: expected a matrix, a row a sample, got the shape \(3,\)"):
        can(prior, prior)
    with pytest.raises(LeafError, match="prior: expected real floating-point numbers, got the dtype int64"):
        can(p, np.ones(3, np.int64))
