"""The blocked reader: bit for bit the pure rule, in place."""

import numpy as np
import pytest

from arrayopt import SGD, Adam, LeafError, Partition, State, inplace
from arrayopt.firstorder import RULES
from tests.common.rules import accepts, arrays, every_dialect, exaggerated, for_dtype, same_bits
from tests.readers.common import assert_in_place_is_pure


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_dialect(cls, dtype):
    for rule in every_dialect(cls):
        assert_in_place_is_pure(rule, (3, 5), dtype, block=4, engine="numpy")


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
@pytest.mark.parametrize("block", [1, 7, 64, 1 << 16])
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (101,), (17, 9), (4, 3, 5)])
def test_every_block_size_and_shape(cls, block, shape):
    rule = exaggerated(cls)
    if not accepts(rule, shape):
        with pytest.raises(LeafError, match="Partition"):
            rule.init(np.zeros(shape))
        return
    for dtype in (np.float16, np.float32):
        assert_in_place_is_pure(for_dtype(cls, dtype), shape, dtype, block=block, engine="numpy")


def strided(x):
    out = np.zeros((x.shape[0] * 2, x.shape[1] * 3), x.dtype)[::2, ::3]
    out[...] = x
    return out


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
@pytest.mark.parametrize("layout", [strided, np.asfortranarray], ids=["strided", "fortran"])
def test_non_contiguous_leaves(cls, layout):
    """The same bits as the pure rule on arrays that lie in memory in the same way: a sum depends on it."""
    rule = exaggerated(cls)
    p, *gradients = arrays((8, 6), np.float32, 4)
    q, stepper = layout(p), inplace(rule, block=5, engine="numpy")
    state = stepper.init(q)
    for g in gradients:
        slots = {s: {k: x.copy() for k, x in by.items()} for s, by in state.slots.items()}
        expected, after = rule.update(layout(g), State(state.t, slots), layout(q))
        _, state = stepper.update(layout(g), state, q)
        assert same_bits(q, expected)
        assert all(same_bits(x, after.slots[s][""]) for s, by in state.slots.items() for x in by.values())


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_extreme_values_give_the_same_bits(cls):
    p, *_ = arrays((4, 6), np.float32, 1)
    rule = exaggerated(cls)
    g = p.copy()
    g[0] = [0.0, -0.0, 1e-45, 3e38, -3e38, 1e-30]
    q, stepper = p.copy(), inplace(rule, block=5, engine="numpy")
    with np.errstate(all="ignore"):
        p, _ = rule.update(g, rule.init(p), p)
        stepper.update(g, stepper.init(q), q)
    assert same_bits(p, q)


def test_a_tree_is_stepped_in_place_and_partitioned():
    rule = Partition.by(lambda leaf: leaf.ndim == 1, SGD(lr=0.5), Adam(lr=0.1))
    params = {"w": np.ones((2, 2)), "b": np.ones(2)}
    grads = {"w": np.ones((2, 2)), "b": np.ones(2)}
    stepper = inplace(rule, engine="numpy")
    after, state = stepper.update(grads, stepper.init(params), params)
    assert after is params
    assert sorted(state.slots["m"]) == ["w"]
    np.testing.assert_allclose(params["b"], 0.5)
    np.testing.assert_allclose(params["w"], 0.9, rtol=1e-7)


def test_a_read_only_parameter_is_refused_by_name():
    p = np.ones(3)
    p.flags.writeable = False
    stepper = inplace(Adam(), engine="numpy")
    with pytest.raises(LeafError, match=r"params: leaf 'layer/w' is read-only"):
        stepper.update({"layer": {"w": np.ones(3)}}, stepper.init({"layer": {"w": p}}), {"layer": {"w": p}})


def test_numbers_that_follow_from_others_are_known_to_be_one():
    """Heavy-ball momentum without dampening is four ufuncs, though 1 - dampening stands on the tape."""
    from arrayopt.core.trees import Leaf
    from arrayopt.firstorder import Momentum
    from arrayopt.readers.blocks import program
    from arrayopt.readers.blocks.numbers import Numbers

    leaf = Leaf("w", (4,), "float32")
    for dampening, count in ((0.0, 4), (0.5, 5)):
        rule = Momentum(dampening=dampening)
        h = Numbers(rule, leaf).symbolic
        assert len(program.build(rule, leaf, h, rule.slot_shapes(leaf), every_step=True).ops) == count
        assert len(program.build(rule, leaf, h, rule.slot_shapes(leaf)).ops) == 5
