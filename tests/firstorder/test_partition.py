"""Partition: which rule a leaf gets, and every reader of rules on one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import LeafError, OptionError, State, inplace
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.adam import Adam
from arrayopt.firstorder.clip import Clip
from arrayopt.firstorder.lion import Lion
from arrayopt.firstorder.momentum import Momentum
from arrayopt.firstorder.partition import HasAxes, Named, Partition, no_decay
from arrayopt.firstorder.sgd import SGD
from arrayopt.readers.cost import cost
from arrayopt.readers.formula import formula
from arrayopt.readers.rounding import Rounding

ADAM = Adam(lr=0.1, beta1=0.6, beta2=0.8, eps=0.05, weight_decay=0.2)
LION = Lion(lr=0.1, beta1=0.6, beta2=0.8, weight_decay=0.2)
MOMENTUM = Momentum(lr=0.1, momentum=0.6)
RULE = Partition(rules=((Named(("bias",)), SGD(lr=0.5)), (HasAxes(2, 2), LION), (HasAxes(3), MOMENTUM)), default=ADAM)
SHAPES = {"w": (3, 2), "bias": (2,), "conv": (2, 2, 2), "v": (5,)}
OF = {"w": LION, "bias": SGD(lr=0.5), "conv": MOMENTUM, "v": ADAM}


def trees_of(dtype=np.float64, n=4, seed=0):
    rng = np.random.default_rng(seed)
    return [{k: rng.normal(size=s).astype(dtype) for k, s in SHAPES.items()} for _ in range(n)]


def test_every_leaf_is_stepped_by_its_own_rule_bit_for_bit():
    params, *gradients = trees_of()
    state = RULE.init(params)
    alone = {k: (params[k], rule.init(params[k])) for k, rule in OF.items()}
    for g in gradients:
        params, state = RULE.update(g, state, params)
        alone = {k: rule.update(g[k], alone[k][1], alone[k][0]) for k, rule in OF.items()}
        for k, (p, own) in alone.items():
            np.testing.assert_array_equal(params[k], p)
            assert state.at(k).keys() == own.slots.keys()


def test_the_first_predicate_that_holds_decides():
    leaf = Leaf("layer/bias", (3, 3), "float32")
    assert RULE.for_leaf(leaf) == SGD(lr=0.5)
    assert Partition(rules=RULE.rules[::-1], default=ADAM).for_leaf(leaf) == LION
    assert RULE.for_leaf(Leaf("layer/weight", (3,), "float32")) == ADAM


def test_names_are_looked_up_in_the_last_component_and_shape_and_dtype_are_there():
    seen = []
    rule = Partition.by(lambda leaf: seen.append(leaf) or False, SGD(), ADAM)
    rule.init({"bias": {"w": np.zeros((2, 1), np.float32)}})
    assert seen == [Leaf("bias/w", (2, 1), "float32")]
    assert not Named(("bias",))(seen[0])


def test_partitions_nest():
    inner = Partition.by(Named(("bias",)), SGD(lr=0.5), ADAM)
    rule = Partition.by(HasAxes(2), LION, inner)
    assert rule.for_leaf(Leaf("w", (2, 2), "float32")) == LION
    assert rule.for_leaf(Leaf("bias", (2,), "float32")) == SGD(lr=0.5)
    assert rule.for_leaf(Leaf("scale", (2,), "float32")) == ADAM


def test_all_rules_share_one_step_count():
    rates = SGD(lr=lambda t: 10.0**t)
    rule, params = Partition.by(Named(("a",)), rates, rates.replace()), {"a": np.zeros(1), "b": np.zeros(1)}
    state = rule.init(params)
    for _ in range(2):
        params, state = rule.update({k: -np.ones(1) for k in params}, state, params)
    assert {k: p.tolist() for k, p in params.items()} == {"a": [110.0], "b": [110.0]}


@pytest.mark.parametrize("block", [1, 3, 1 << 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_place_equals_pure_bit_for_bit(block, dtype):
    expected, *gradients = trees_of(dtype)
    params = {k: p.copy() for k, p in expected.items()}
    kept, stepper = RULE.init(expected), inplace(RULE, block=block, engine="numpy")
    state = stepper.init(params)
    for g in gradients:
        expected, kept = RULE.update(g, kept, expected)
        params, state = stepper.update(g, state, params)
        for k, p in params.items():
            np.testing.assert_array_equal(p, expected[k])
            for slot, x in kept.at(k).items():
                np.testing.assert_array_equal(state.at(k)[slot], x)


def test_the_rounding_reader_bounds_every_leaf():
    params, *gradients = trees_of(np.float32)
    exact, state = {k: p.astype(float) for k, p in params.items()}, None
    reader = Rounding(RULE)
    tracked = reader.start(params)
    state = RULE.init(exact)
    for g in gradients:
        tracked = reader.step(g, tracked)
        exact, state = RULE.update({k: x.astype(float) for k, x in g.items()}, state, exact)
        for k, x in tracked.params.items():
            assert (np.abs(x.value - exact[k]) <= x.bound).all()


def test_formula_and_cost_are_those_of_the_rule_of_the_leaf():
    for path, shape in SHAPES.items():
        leaf = Leaf(path, shape, "float32")
        assert cost(RULE, leaf) == cost(OF[path], leaf)
        assert formula(RULE, leaf) == formula(OF[path], leaf)


def test_a_checkpoint_survives_savez(tmp_path):
    params, g, *_ = trees_of()
    params, state = RULE.update(g, RULE.init(params), params)
    np.savez(tmp_path / "state.npz", **state.flat())
    with np.load(tmp_path / "state.npz") as stored:
        again = State.from_flat(stored)
    after, expected = RULE.update(g, again, params)[0], RULE.update(g, state, params)[0]
    assert all(np.array_equal(after[k], expected[k]) for k in params)


@given(st.floats(0, 1), st.floats(0, 1))
def test_no_decay_on_biases(lr, weight_decay):
    rule = no_decay(SGD(lr=lr, weight_decay=weight_decay))
    params = {"dense": {"kernel": np.ones(2), "bias": np.ones(2)}, "norm": {"gamma": np.ones(2), "beta": np.ones(2)}}
    zeros = {k: {j: np.zeros(2) for j in v} for k, v in params.items()}
    after, _ = rule.update(zeros, rule.init(params), params)
    np.testing.assert_allclose(after["dense"]["kernel"], 1 - lr * weight_decay, rtol=1e-15)
    for x in (after["dense"]["bias"], after["norm"]["gamma"], after["norm"]["beta"]):
        np.testing.assert_array_equal(x, [1, 1])


def test_no_decay_on_vectors_by_shape():
    rule = no_decay(SGD(lr=1.0, weight_decay=0.5), where=HasAxes(most=1))
    params = {"w": np.ones((1, 1)), "anything": np.ones(1)}
    after, _ = rule.update({k: np.zeros_like(p) for k, p in params.items()}, rule.init(params), params)
    assert (after["w"].item(), after["anything"].item()) == (0.5, 1.0)


def test_it_is_data():
    assert Partition.by(HasAxes(2, 2), LION, ADAM) == Partition.by(HasAxes(2, 2), LION, ADAM)
    assert RULE.replace(default=LION).default == LION


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Partition(rules=[(HasAxes(2), SGD())], default=ADAM), "rules must be a tuple of pairs"),
        (lambda: Partition(rules=((SGD(), HasAxes(2)),), default=ADAM), "rules must be a tuple of pairs"),
        (lambda: Partition(rules=((HasAxes(2), "sgd"),), default=ADAM), "expected a rule or a Partition, got 'sgd'"),
        (lambda: Partition.by(HasAxes(2), Clip(rule=SGD()), ADAM), "a wrapper goes around the Partition"),
        (lambda: Partition(rules=(), default=ADAM, lr=0.1), "unknown option 'lr'"),
    ],
)
def test_wrong_parts_are_named(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_the_state_of_one_rule_for_all_is_refused_by_leaf():
    params, g, *_ = trees_of()
    with pytest.raises(LeafError, match=r"leaf '\w+' has the slots .*make the state with Partition.init"):
        RULE.update(g, ADAM.init(params), params)
