"""IfFinite: which steps are taken, and what is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.if_finite import IfFinite
from arrayopt.firstorder.sgd import SGD
from tests.common.follow import follow

ADAM = Adam(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05, weight_decay=0.2)
GOOD, BAD = np.array([1.0, 2.0]), np.array([np.nan, 1.0])


@given(st.lists(st.sampled_from([None, np.nan, np.inf, -np.inf]), max_size=8))
def test_a_run_with_bad_gradients_is_the_run_without_them(bad):
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=3) if b is None else np.array([0.0, b, 1.0]) for b in bad]
    good = [g for g, b in zip(gradients, bad, strict=True) if b is None]
    path, expected = follow(IfFinite(rule=ADAM), np.ones(3), gradients), follow(ADAM, np.ones(3), good)
    taken = [p for p, b in zip(path, bad, strict=True) if b is None]
    assert len(taken) == len(expected)
    for a, e in zip(taken, expected, strict=True):
        np.testing.assert_array_equal(a, e)


def test_one_bad_leaf_holds_all_leaves():
    params = {"a": np.ones(2), "b": np.ones(2)}
    rule = IfFinite(rule=ADAM)
    state = rule.init(params)
    after, new = rule.update({"a": GOOD, "b": BAD}, state, params)
    assert all(np.array_equal(after[k], params[k]) for k in params)
    assert rule.inner(new).t == 0
    for slot in ("m", "v"):
        assert all(np.array_equal(new.slots[slot][k], state.slots[slot][k]) for k in params)
    assert rule.skipped(new) == 1


def counts(state):
    return [int(state.slots[f"if_finite.{k}"][""]) for k in ("applied", "run", "total")]


def test_after_too_many_errors_in_a_row_the_step_is_taken():
    rule, params = IfFinite(rule=SGD(lr=1.0), max_consecutive_errors=2), np.zeros(2)
    state, found = rule.init(params), []
    for g in [BAD, GOOD, BAD, BAD, BAD, GOOD]:
        params, state = rule.update(g, state, params)
        found.append((counts(state), params.tolist()))
    assert [c for c, _ in found] == [[0, 1, 1], [1, 0, 1], [1, 1, 2], [1, 2, 3], [2, 3, 4], [3, 0, 4]]
    assert found[3][1] == [-1, -2]
    assert np.isnan(found[4][1][0])  # the fifth is taken, and poisons what it touches
    assert found[5][1][1] == -5
    assert rule.skipped(state) == 3


@pytest.mark.parametrize("limit", [0, None])
def test_no_error_allowed_takes_every_step_and_no_limit_takes_none(limit):
    rule = IfFinite(rule=SGD(lr=1.0), max_consecutive_errors=limit)
    path = follow(rule, np.zeros(2), [BAD] * 20)
    assert np.isnan(path[-1][0]) == (limit == 0)


def test_large_but_finite_gradients_are_not_errors():
    rule = IfFinite(rule=SGD(lr=1.0))
    (after,) = follow(rule, np.zeros(2), [np.array([1e308, -1e308])])
    np.testing.assert_array_equal(after, [-1e308, 1e308])


def test_empty_leaves_are_finite():
    rule, params = IfFinite(rule=SGD(lr=1.0)), {"none": np.zeros((0, 3)), "w": np.zeros(1)}
    after, _ = rule.update({"none": np.zeros((0, 3)), "w": np.ones(1)}, rule.init(params), params)
    assert after["w"].tolist() == [-1.0]
