"""Matrices of one shape that are stepped as a stack: the bits of one by one."""

import numpy as np
import pytest

from arrayopt import LAMB, Muon, flatten_leaves, inplace
from arrayopt.readers.blocks import stacks
from tests.common.rules import arrays, same_bits


@pytest.fixture
def sizes(monkeypatch):
    """The numbers of matrices in the stacks that are made."""
    made = []
    plain = stacks.Stack.__init__

    def noted(self, plan, leaves, bank, engine):
        made.append(len(leaves))
        plain(self, plan, leaves, bank, engine)

    monkeypatch.setattr(stacks.Stack, "__init__", noted)
    return made


def tree(seed, shapes):
    return {f"w{i:02}": arrays(s, np.float32, 1, seed=100 * seed + i)[0] for i, s in enumerate(shapes)}


def play(rule, shapes, lay=lambda x: x, gradient=lambda g: g, **how):
    pure, mine = tree(0, shapes), lay(tree(0, shapes))
    stepper = inplace(rule, **how)
    expected, state = rule.init(pure), stepper.init(mine)
    for t in range(1, 4):
        g = tree(t, shapes)
        pure, expected = rule.update(g, expected, pure)
        _, state = stepper.update({k: gradient(x) for k, x in g.items()}, state, mine)
    for k in pure:
        assert same_bits(mine[k], pure[k]), k
        for slot, by in expected.slots.items():
            assert same_bits(state.slots[slot][k], by[k]), (slot, k)


MUON = Muon(lr=lambda t: 0.1 / t, weight_decay=0.1)
MIXED = [(4, 6)] * 5 + [(6, 4), (3, 3)] * 3 + [(4, 6)] * 2


@pytest.mark.parametrize("lay", [lambda x: x, flatten_leaves], ids=["apart", "adjacent"])
@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_stacks_have_the_bits_of_single_matrices(lay, engine, sizes):
    if engine == "numba":
        pytest.importorskip("numba", reason="numba is not installed")
    play(MUON, MIXED, lay, engine=engine)
    assert sorted(sizes) == [3, 3, 7]


def test_gradients_that_are_not_contiguous(sizes):
    play(MUON, MIXED, gradient=np.asfortranarray, engine="numpy")
    assert sizes


def test_a_stack_is_no_larger_than_a_block(sizes):
    play(MUON, [(4, 6)] * 6, engine="numpy", block=100)
    assert sizes == [4, 2]


@pytest.mark.parametrize("rule", [LAMB(lr=0.1), Muon(lr=0.1, orthogonalize="exact")], ids=["LAMB", "exact"])
def test_other_whole_operations_take_one_leaf_at_a_time(rule, sizes):
    play(rule, [(4, 6)] * 3, engine="numpy")
    assert not sizes
