"""Rule: options, trees, states, and clear errors that leave everything as it was."""

import copy
import pickle
from typing import ClassVar

import numpy as np
import optree
import pytest

import arrayopt
from arrayopt import Adam, AdamW, LeafError, Momentum, OptionError, Shampoo, State
from arrayopt.core.optimizer import PerLeaf
from arrayopt.core.rule import Rule, ema
from arrayopt.core.schedules import PiecewiseLinear
from arrayopt.core.trees import Leaf

PARAMS = {"layer1": {"w": np.ones((2, 2)), "b": np.ones(2)}, "scale": np.ones(())}
GRADS = optree.tree_map(np.ones_like, PARAMS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"learning_rate": 0.1}, r"Adam: unknown option 'learning_rate'; .*the options are lr, "),
        ({"beta": 0.9}, r"did you mean 'beta2'|did you mean 'beta1'"),
        ({"lr": -1.0}, r"Adam: lr must be a finite number >= 0, got -1.0"),
        ({"lr": float("nan")}, r"Adam: lr must be a finite number >= 0, got nan"),
        ({"lr": float("inf")}, r"Adam: lr must be a finite number >= 0, got inf"),
        ({"lr": "0.1"}, r"Adam: lr must be a number or a schedule .*, got '0.1'"),
        ({"lr": True}, r"Adam: lr must be a number or a schedule"),
        ({"beta1": 1.0}, r"Adam: beta1 must be a number in \[0, 1\), got 1.0"),
        ({"beta2": -0.1}, r"Adam: beta2 must be a number in \[0, 1\), got -0.1"),
        ({"eps_place": "inside"}, r"Adam: eps_place must be one of 'paper', 'hat', .*, got 'inside'"),
        ({"decay": "adamw"}, r"Adam: decay must be one of 'l2', 'decoupled', 'in_update', got 'adamw'"),
    ],
)
def test_a_bad_option_is_refused_by_name(options, said):
    with pytest.raises(OptionError, match=said):
        Adam(**options)
    with pytest.raises(OptionError, match=said):
        Adam().replace(**options)


def test_options_are_given_by_name():
    with pytest.raises(OptionError, match=r"Adam: options are given by name, as in Adam\(lr=\.\.\.\)"):
        Adam(0.1)


def test_numbers_become_python_floats():
    rule = Adam(lr=np.float64(0.5), beta1=0)
    assert type(rule.lr) is float
    assert type(rule.beta1) is float


def test_a_schedule_is_checked_when_it_is_asked():
    rule = Adam(lr=lambda t: -1.0)
    with pytest.raises(OptionError, match="Adam at step 1: lr must be"):
        rule.update(np.ones(1), rule.init(np.ones(1)), np.ones(1))


def test_a_rule_is_data():
    rule = AdamW(lr=0.5, weight_decay=0.1)
    assert rule == AdamW(lr=0.5, weight_decay=0.1)
    assert hash(rule) == hash(copy.copy(rule))
    assert pickle.loads(pickle.dumps(rule)) == rule
    assert rule.replace(lr=0.25).lr == 0.25
    with pytest.raises(AttributeError):
        rule.lr = 1.0


def test_presets_are_named_and_can_be_overridden():
    assert Adam.preset("keras").eps == 1e-7
    assert Adam.preset("keras", eps=1e-3).eps == 1e-3
    with pytest.raises(OptionError, match="Adam: no preset 'theano'; the presets are paper, torch"):
        Adam.preset("theano")


def spoiled(what):
    """Parameters, gradients and state of which one thing is wrong."""
    rule = Adam()
    params, grads = copy.deepcopy(PARAMS), copy.deepcopy(GRADS)
    state = rule.init(params)
    match what:
        case "missing":
            del grads["layer1"]["w"]
        case "extra":
            grads["layer2"] = np.ones(1)
        case "shape":
            grads["layer1"]["w"] = np.ones((2, 1))
        case "dtype":
            grads["layer1"]["w"] = np.ones((2, 2), np.float32)
        case "list":
            grads["layer1"]["b"] = [1.0, 1.0]
        case "library":
            strict = pytest.importorskip("array_api_strict")
            grads["layer1"]["w"] = strict.ones((2, 2))
        case "integers":
            params["layer1"]["w"] = np.ones((2, 2), int)
        case "state":
            state = Momentum().init(params)
        case "slot shape":
            state.slots["m"]["layer1/w"] = np.ones(3)
        case "slot dtype":
            state.slots["m"]["layer1/w"] = np.ones((2, 2), np.float32)
        case "slot library":
            strict = pytest.importorskip("array_api_strict")
            state.slots["m"]["layer1/w"] = strict.zeros((2, 2))
        case "not a state":
            state = {"m": 0}
        case "empty":
            params = grads = {}
    return rule, grads, state, params


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", r"grads: the tree does not match params: it lacks leaf 'layer1/w'"),
        ("extra", r"it has leaf 'layer2' in excess"),
        ("shape", r"grads: leaf 'layer1/w' has shape \(2, 1\), expected \(2, 2\)"),
        ("dtype", r"grads: leaf 'layer1/w' has dtype float32, expected float64 like the parameter; cast it"),
        ("list", r"grads: the tree does not match params|leaf 'layer1/b/0' is a float, expected an array"),
        ("library", r"grads: leaf 'layer1/w' is a array_api_strict.*Array, but params leaf 'layer1/b' is a numpy.nd"),
        ("integers", r"params: leaf 'layer1/w' has dtype int64, expected a real floating dtype|grads"),
        ("state", r"state: leaf 'layer1/b' has the slots \['v'\], expected \['m', 'v'\]; make the state with Adam"),
        ("slot shape", r"state: slot 'm' of leaf 'layer1/w' has shape \(3,\), expected \(2, 2\)"),
        ("slot dtype", r"state: slot 'm' of leaf 'layer1/w' has dtype float32, expected float64"),
        ("slot library", r"state: leaf 'm/layer1/w' is a array_api_strict.*Array, but params leaf 'layer1/b' is a"),
        ("not a state", r"state: expected what Adam.init returned, got a dict"),
        ("empty", r"params: the tree has no leaves"),
    ],
)
def test_bad_input_is_refused_by_the_name_of_the_leaf_and_nothing_changes(what, said):
    rule, grads, state, params = spoiled(what)
    before = copy.deepcopy((grads, state, params)) if "library" not in what else None
    with pytest.raises(LeafError, match=said):
        rule.update(grads, state, params)
    if before is not None:
        for a, b in zip(optree.tree_leaves(before), optree.tree_leaves((grads, state, params)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_tree_without_leaves_is_refused_at_init():
    with pytest.raises(LeafError, match=r"^params: the tree has no leaves"):
        Adam().init({})


def test_integer_parameters_are_refused_at_init():
    with pytest.raises(LeafError, match=r"params: leaf 'n' has dtype int64, expected a real floating dtype"):
        Adam().init({"n": np.ones(2, int)})


def test_an_eps_that_underflows_in_float16_is_refused_at_init():
    for eps in (1e-8, lambda t: 1e-8 / t):
        with pytest.raises(LeafError, match=r"leaf 'w' is float16, in which eps=1e-08 underflows to 0"):
            Adam(eps=eps).init({"w": np.ones(2, np.float16)})
    Adam(eps=1e-3).init({"w": np.ones(2, np.float16)})
    Adam(eps=0.0).init({"w": np.ones(2, np.float16)})


def test_two_leaves_of_one_path_are_refused():
    with pytest.raises(LeafError, match="same path"):
        Adam().init({"a/b": np.ones(1), "a": {"b": np.ones(1)}})


def test_update_changes_nothing_that_it_is_given():
    rule, params = Adam(lr=0.1), copy.deepcopy(PARAMS)
    state = rule.init(params)
    rule.update(GRADS, state, params)
    assert state.t == 0
    assert all(np.all(x == 0) for leaves in state.slots.values() for x in leaves.values())
    for a, b in zip(optree.tree_leaves(params), optree.tree_leaves(PARAMS), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_tree_keeps_its_structure():
    rule, params = Momentum(lr=0.5), [np.ones(2), (np.ones(1), {"x": np.zeros(())})]
    after, state = rule.update(optree.tree_map(np.ones_like, params), rule.init(params), params)
    assert optree.tree_structure(after) == optree.tree_structure(params)
    assert sorted(state.slots["v"]) == ["0", "1/0", "1/1/x"]
    np.testing.assert_array_equal(after[1][1]["x"], -0.5)


def test_a_schedule_moves_the_rate_from_step_one():
    rule = arrayopt.SGD(lr=PiecewiseLinear(((2, 1.0),)))
    p, state = np.zeros(1), rule.init(np.zeros(1))
    seen = []
    for _ in range(3):
        q, state = rule.update(np.ones(1), state, p)
        seen.append(float((p - q)[0]))
        p = q
    assert seen == [0.5, 1.0, 1.0]


def test_the_scales_of_the_decoupled_decay():
    """One step of SGD on a zero gradient at t = 2, after the rate fell from 0.5 to 0.25: the decay alone."""
    expected = {"lr": 0.25 * 0.5, "independent": 0.5, "relative": 0.5 * 0.5, "squared": 0.5 * 0.25 * 0.5}
    for scale, shrink in expected.items():
        rule = arrayopt.SGD(lr=lambda t: 0.5 / t, weight_decay=0.5, decay="decoupled", decay_scale=scale)
        p, g = np.ones(1), np.zeros(1)
        after, _ = rule.update(g, State(1), p)
        assert after[0] == 1 - shrink, scale
        peaked, _ = rule.replace(lr_peak=1.0).update(g, State(1), p)
        assert peaked[0] == 1 - {"relative": 0.125, "squared": 0.03125}.get(scale, shrink)


def test_a_rate_that_starts_at_zero_has_no_peak_to_decay_relatively_to():
    for scale, shrink in {"lr": 0.5 * 0.5, "independent": 0.5, "relative": 0.0, "squared": 0.0}.items():
        rule = arrayopt.SGD(lr=lambda t: (t - 1) / 2, weight_decay=0.5, decay="decoupled", decay_scale=scale)
        after, _ = rule.update(np.zeros(1), State(1), np.ones(1))
        assert after[0] == 1 - shrink, scale


def test_the_decay_is_taken_before_or_after_the_update():
    rule = arrayopt.SGD(lr=0.5, weight_decay=0.5, decay="decoupled")
    p, g = np.full(1, 2.0), np.ones(1)
    before, _ = rule.update(g, State(), p)
    after, _ = rule.replace(decay_point="after").update(g, State(), p)
    assert (before[0], after[0]) == (2 - 0.25 * 2 - 0.5, (2 - 0.5) * (1 - 0.25))


@pytest.mark.parametrize("decay", ["l2", "decoupled", "in_update"])
def test_the_decay_enters_once_wherever_it_enters(decay):
    """Without moments or scales the three places are one."""
    rule = arrayopt.SGD(lr=0.5, weight_decay=0.5, decay=decay)
    after, _ = rule.update(np.ones(1), State(), np.full(1, 2.0))
    assert after[0] == 2 - 0.5 * (1 + 0.5 * 2)


def test_a_running_mean_weighs_the_old_and_the_new():
    assert ema(0.25, 4.0, 8.0) == 0.25 * 4 + 0.75 * 8


def test_the_structure_of_a_rule_is_all_but_its_numbers():
    rule = Adam(lr=0.5)
    assert rule.structure() == rule.replace(lr=0.25, beta1=0.5, weight_decay=0.5).structure()
    assert rule.structure() != rule.replace(amsgrad="max_raw").structure()


class ByPath(PerLeaf):
    """Adam for the leaf a, momentum for the others."""

    def for_leaf(self, leaf):
        return Adam(lr=0.5) if leaf.path == "a" else Momentum(lr=0.5)


def test_every_leaf_has_the_rule_in_charge_of_its_path():
    rule, params, grads = ByPath(), {"a": np.ones(2), "b": np.ones(2)}, {"a": np.full(2, 3.0), "b": np.full(2, 3.0)}
    after, state = rule.update(grads, rule.init(params), params)
    np.testing.assert_allclose(after["a"], 0.5)
    np.testing.assert_array_equal(after["b"], 1 - 0.5 * 3)
    assert {slot: list(leaves) for slot, leaves in state.slots.items()} == {"m": ["a"], "v": ["a", "b"]}


def test_slots_start_on_the_device_and_in_the_dtype_of_the_parameter():
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device("device1")
    state = Shampoo().init(strict.ones((2, 3), dtype=strict.float32, device=device))
    assert {(x.dtype, x.device) for leaves in state.slots.values() for x in leaves.values()} == {
        (strict.float32, device)
    }


def test_jax_is_told_of_states_only_when_its_arrays_are_met(monkeypatch):
    calls = []
    monkeypatch.setattr("arrayopt.core.optimizer.register_with_jax", lambda: calls.append("met"))
    rule, like_jax = Adam(), type("Array", (np.ndarray,), {"__module__": "jaxlib.like"})
    for x, met in ((np.ones(2), []), (np.ones(2).view(like_jax), ["met"])):
        rule.update(x, rule.init(x), x)
        assert calls == met


class Seeing(Rule):
    """A rule that notes the dtypes that its step is given."""

    seen: ClassVar[list] = []

    def slots(self, leaf):
        return {"n": 0.0}

    def step(self, xp, h, g, p, n):
        self.seen.extend(x.dtype for x in (g, p, n))
        return self.descend(h, p, g), {"n": n + g}


def test_a_step_sees_bfloat16_as_float32():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    rule, p = Seeing(lr=0.5), np.ones(2, ml_dtypes.bfloat16)
    Seeing.seen.clear()
    after, state = rule.update(p, rule.init(p), p)
    assert set(Seeing.seen) == {np.dtype(np.float32)}
    assert after.dtype == state.slots["n"][""].dtype == p.dtype


def test_other_libraries_widen_and_round_by_their_own_astype():
    # array_api_strict has no bfloat16: float64 stands in for it
    strict = pytest.importorskip("array_api_strict")
    rule, p = Seeing(lr=0.5), strict.ones(2, dtype=strict.float64)
    Seeing.seen.clear()
    after, slots = rule.on_leaf(strict, 1, Leaf("w", (2,), "bfloat16"), p, p, {"n": p})
    assert set(Seeing.seen) == {strict.float32}
    assert after.dtype == slots["n"].dtype == strict.float64
    assert (float(after[0]), float(slots["n"][0])) == (0.5, 2.0)


class Counting(Rule):
    """A rule that loses a slot, changes the shape, or the dtype."""

    fault: str = ""

    def slots(self, leaf):
        return {"n": 0.0}

    def step(self, xp, h, g, p, n):
        return {
            "slot": (p, {}),
            "more": (p, {"n": n, "m": n}),
            "shape": (xp.sum(p), {"n": n}),
            "slot shape": (p, {"n": xp.sum(n)}),
            "dtype": (xp.astype(p, xp.float32), {"n": n}),
        }[type(self).fault]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("slot", r"Counting.step returned the slots \[\], expected \['n'\]"),
        ("shape", r"Counting.step turned p of leaf 'w' from float64\(2,\) into float64\(\); a step must keep both"),
        ("slot shape", r"Counting.step turned n of leaf 'w' from float64\(2,\) into float64\(\)"),
        ("dtype", r"Counting.step turned p of leaf 'w' from float64\(2,\) into float32\(2,\)"),
    ],
)
def test_a_step_must_keep_slots_shape_and_dtype(fault, said, monkeypatch):
    monkeypatch.setattr(Counting, "fault", fault)
    rule, p = Counting(lr=0.1), {"w": np.ones(2)}
    with pytest.raises(LeafError, match=said):
        rule.update(p, rule.init(p), p)


def test_a_rule_without_presets_says_so():
    with pytest.raises(OptionError, match=r"Counting: no preset 'torch'; the presets are none$"):
        Counting.preset("torch")


def test_the_numbers_of_a_step_hold_hyper_parameters_decay_and_scalars():
    h = AdamW(lr=0.5, weight_decay=0.5).numbers_at(1, Leaf("w", (2,), "float64"))
    assert (h["lr"], h["decays"], h["shrink"]) == (0.5, True, 0.25)
    assert h["bc1"] == pytest.approx(0.1)
