"""Tiger: two steps by hand, closed sums over the history, and what its options do (archive 9512, 8634)."""

import itertools

import array_api_strict
import numpy as np
import pytest

from arrayopt.backend import to_numpy
from arrayopt.core.random import normal, stream
from arrayopt.core.trees import Leaf
from arrayopt.errors import OptionError
from arrayopt.firstorder.tiger import Tiger
from tests.common.follow import GRADIENTS, P0, assert_displacements, follow
from tests.firstorder.hand import literals
from tests.firstorder.hand import tiger as hand

EXAGGERATED = dict(lr=0.1, beta=0.6, weight_decay=0.25)
EPS = np.finfo(float).eps

HAND = [
    [1.3005459926658111322, -1.7824138101808848715, 0.095876448878126783973],
    [1.1315783377779510713, -1.8531047047649335996, -0.034689466262492354029],
]
HAND_ACCUMULATED = [
    [1.5, -2.0, 0.25],
    [1.3005459926658111322, -2.0725287299397050428, 0.095876448878126783973],
    [1.3005459926658111322, -2.0725287299397050428, 0.095876448878126783973],
    [1.1132060649808605576, -2.1406523400069597973, -0.048886222514789569164],
]


def test_two_steps_by_hand():
    assert_displacements(follow(Tiger(**EXAGGERATED), P0, GRADIENTS), HAND, P0)


def test_two_accumulations_by_hand():
    actual = follow(Tiger(accumulate=2, **EXAGGERATED), P0, [*GRADIENTS, *GRADIENTS])
    assert_displacements(actual, HAND_ACCUMULATED, P0)


def test_the_script_prints_these_literals():
    assert [[float(x) for x in row] for row in literals(hand.two_steps())] == HAND
    assert [[float(x) for x in row] for row in literals(hand.four_calls())] == HAND_ACCUMULATED


def test_closed_sums_over_the_history():
    rng = np.random.default_rng(0)
    gradients, p0 = rng.normal(size=(7, 5)), rng.normal(size=5)
    theta, path = p0, []
    for t in range(1, 8):
        # sign(m_t) without the factor 1 - beta, and the decay as a factor of theta
        sign = np.sign(0.6 ** np.arange(t - 1, -1, -1.0) @ gradients[:t])
        eta = 0.1 * np.linalg.norm(theta) / np.sqrt(5)
        theta = (1 - 0.25 * eta) * theta - eta * sign
        path.append(theta)
    assert_displacements(follow(Tiger(**EXAGGERATED), p0, gradients), path, p0)


# Claims ---------------------------------------------------------------------------------------


def test_the_decay_is_taken_at_the_relative_rate():
    p0 = np.array([3.0, -4.0, 5.0, 1.0])
    (after,) = follow(Tiger(lr=0.1, weight_decay=0.5), p0, [np.zeros(4)])
    np.testing.assert_allclose(after, p0 * (1 - 0.1 * 0.5 * np.sqrt(51 / 4)), rtol=4 * EPS)


# What the name of a leaf asks for ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["bias", "norm_gamma", "beta2"])
def test_half_rate_leaves_move_by_half_the_rate_and_do_not_decay(name):
    p0 = {"dense": {name: np.array([3.0, 0.0])}}
    (after,) = follow(Tiger(lr=0.1, weight_decay=0.5), p0, [{"dense": {name: np.array([2.0, -2.0])}}])
    np.testing.assert_array_equal(after["dense"][name], [3.0 - 0.05, 0.05])


def test_only_the_last_component_of_a_path_makes_a_leaf_special():
    p0 = {"beta": {"kernel": np.ones(2)}}
    (after,) = follow(Tiger(lr=0.5, weight_decay=0.0), p0, [{"beta": {"kernel": np.ones(2)}}])
    np.testing.assert_array_equal(after["beta"]["kernel"], [0.5, 0.5])


@pytest.mark.parametrize("decay", ["in_update", "decoupled", "l2"])
def test_special_leaves_may_take_a_tenth_of_the_decay(decay):
    p0, g = np.array([3.0, -1.0]), np.array([0.5, 0.5])
    hyper = dict(lr=0.1, half_rate=("b",), decay=decay)
    (tenth,) = follow(Tiger(weight_decay=0.5, special_decay=0.1, **hyper), {"b": p0}, [{"b": g}])
    (whole,) = follow(Tiger(weight_decay=0.05, special_decay=1.0, **hyper), {"b": p0}, [{"b": g}])
    np.testing.assert_allclose(tenth["b"], whole["b"], rtol=2 * EPS)


def test_a_leaf_without_decay_is_not_asked_for_it():
    decaying = set()
    for name, share, decay in itertools.product(("w", "bias"), (0.0, 0.1), (0.0, 0.5)):
        rule = Tiger(weight_decay=decay, special_decay=share)
        if rule.numbers_at(1, Leaf(name, (2,), "float64"))["decays"]:
            decaying.add((name, share, decay))
    assert decaying == {("w", 0.0, 0.5), ("w", 0.1, 0.5), ("bias", 0.1, 0.5)}


@pytest.mark.parametrize("path", ["embedding", "embeddings"])
def test_each_row_of_an_embedding_moves_at_its_own_rate(path):
    table, g = np.array([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]]), np.ones((3, 2))
    (after,) = follow(Tiger(lr=0.5, weight_decay=0.0), {path: {"w": table}}, [{path: {"w": g}}])
    rows = np.sqrt([[12.5], [0.0], [50.0]])
    np.testing.assert_allclose(after[path]["w"], table - 0.5 * rows, rtol=4 * EPS)


@pytest.mark.parametrize("path", ["kernel", "word_embedding"])
def test_a_matrix_elsewhere_is_measured_whole(path):
    p0 = {path: np.array([[3.0, 4.0], [0.0, 0.0]])}
    (after,) = follow(Tiger(lr=0.5, weight_decay=0.0), p0, [{path: np.ones((2, 2))}])
    np.testing.assert_array_equal(after[path], p0[path] - 0.5 * 2.5)


def test_an_embedding_of_rank_zero_or_one_is_measured_whole():
    p0 = {"embedding": {"a": np.array(2.0), "b": np.array([3.0, 4.0])}}
    (after,) = follow(Tiger(lr=0.5, weight_decay=0.0), p0, [p0])
    assert after["embedding"]["a"] == 1.0
    np.testing.assert_allclose(after["embedding"]["b"], [3 - 0.5 * 12.5**0.5, 4 - 0.5 * 12.5**0.5])


# NaN ---------------------------------------------------------------------------------------------

NAN = np.array([1.0, np.nan, 1.0])


def test_a_nan_in_the_first_call_of_an_accumulation_skips_the_factor_beta():
    rule = Tiger(accumulate=2, beta=0.5)
    state, g = rule.init(P0), GRADIENTS[0]
    for gradient in (g, g, NAN, g):
        _, state = rule.update(gradient, state, P0)
    # after the first pair m = g / 2; in the second pair only one of two shares enters, and nothing decays
    np.testing.assert_array_equal(state.slots["m"][""], g / 2 + g / 4)
    for gradient in (g, NAN):
        _, state = rule.update(gradient, state, P0)
    np.testing.assert_array_equal(state.slots["m"][""], (g / 2 + g / 4) / 2 + g / 4)


def test_unchecked_nan_reaches_the_whole_leaf_through_the_rms_one_step_later():
    path = follow(Tiger(nan="propagate", **EXAGGERATED), P0, [NAN, GRADIENTS[0]])
    np.testing.assert_array_equal(np.isnan(path), [[False, True, False], [True, True, True]])
    alone = follow(Tiger(nan="propagate", scale="none", **EXAGGERATED), P0, [NAN, GRADIENTS[0]])
    np.testing.assert_array_equal(np.isnan(alone), [[False, True, False]] * 2)


def test_infinity_is_not_nan():
    (after,) = follow(Tiger(**EXAGGERATED), P0, [np.array([0.5, -np.inf, 2.0])])
    np.testing.assert_array_equal(after, follow(Tiger(**EXAGGERATED), P0, GRADIENTS[:1])[0])


def test_noise_depends_on_seed_step_and_path_alone():
    p0 = {"a": np.zeros(1000), "b": np.zeros(1000)}
    bad = {k: np.full(1000, np.nan) for k in p0}
    rule = Tiger(noise=0.5)
    path, other = follow(rule, p0, [bad, bad]), follow(rule.replace(seed=1), p0, [bad])
    draws = [path[0]["a"], path[0]["b"], path[1]["a"] - 0.99 * path[0]["a"], other[0]["a"]]
    correlation = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlation).max() < 5 / 1000**0.5
    # standard error of a standard deviation: sigma / sqrt(2 n)
    assert np.std(draws, axis=1) == pytest.approx([0.5] * 4, abs=5 * 0.5 / 2000**0.5)
    np.testing.assert_array_equal(path[0]["a"], follow(rule, {"a": p0["a"]}, [{"a": bad["a"]}])[0]["a"])


def test_noise_disturbs_healthy_steps_not_at_all():
    np.testing.assert_array_equal(
        follow(Tiger(noise=0.5, **EXAGGERATED), P0, GRADIENTS), follow(Tiger(**EXAGGERATED), P0, GRADIENTS)
    )


def test_noise_is_drawn_only_where_it_is_asked_for():
    leaf = Leaf("w", (2,), "float64")
    for rule in (Tiger(noise=0.5), Tiger(noise=lambda t: 0.5 / t)):
        assert rule.numbers_at(1, leaf)["noisy"]
    for rule in (Tiger(), Tiger(nan="propagate"), Tiger(nan="propagate", noise=0.5)):
        assert not rule.numbers_at(1, leaf)["noisy"]


def test_noise_is_added_to_the_shrunk_leaf():
    (after,) = follow(Tiger(noise=0.5), {"w": P0}, [{"w": NAN}])
    np.testing.assert_allclose(after["w"], 0.99 * P0 + 0.5 * normal(0, 1, stream("w"), P0.shape), rtol=4 * EPS)


def test_every_array_library_gets_the_same_noise():
    device = array_api_strict.Device("device1")
    rule, p0, bad = Tiger(noise=0.5), np.ones(4, dtype="float32"), np.full(4, np.nan, dtype="float32")
    (there,) = follow(rule, array_api_strict.asarray(p0, device=device), [array_api_strict.asarray(bad, device=device)])
    np.testing.assert_array_equal(to_numpy(there), follow(rule, p0, [bad])[0])


# Dialects ----------------------------------------------------------------------------------------


def test_the_scale_makes_no_difference_to_a_leaf_of_unit_rms():
    p0, g = np.array([1.0, -1.0, 1.0]), GRADIENTS[0]
    np.testing.assert_array_equal(follow(Tiger(lr=0.1), p0, [g]), follow(Tiger(lr=0.1, scale="none"), p0, [g]))


def test_without_scale_the_decay_in_the_update_is_the_decoupled_one():
    hyper = dict(scale="none", **EXAGGERATED)
    a, b = (follow(Tiger(decay=decay, **hyper), P0, GRADIENTS) for decay in ("in_update", "decoupled"))
    assert_displacements(a, b, P0)


def test_with_scale_the_decoupled_decay_forgets_the_rms():
    (a,) = follow(Tiger(decay="decoupled", **EXAGGERATED), P0, [0 * P0])
    np.testing.assert_allclose(a, P0 * (1 - 0.1 * 0.25), rtol=2 * EPS)


@pytest.mark.parametrize("accumulate", [0, -1, 1.0, True])
def test_the_number_of_calls_is_checked(accumulate):
    with pytest.raises(OptionError, match="Tiger: accumulate must be an integer >= 1"):
        Tiger(accumulate=accumulate)
