"""State: plain data that trees, checkpoints and JAX understand."""

import numpy as np
import optree
import pytest

from arrayopt import Adam, LeafError, State, use

PARAMS = {"a": {"w": np.ones((2, 2), np.float32)}, "b": np.ones(3, np.float32)}


def stepped():
    rule = Adam()
    return rule.update(PARAMS, rule.init(PARAMS), PARAMS)[1]


def test_a_state_is_an_optree_pytree_whose_children_are_the_slots():
    state = stepped()
    doubled = optree.tree_map(lambda x: 2 * x, state)
    assert doubled.t == 1
    np.testing.assert_array_equal(doubled.slots["m"]["b"], 2 * state.slots["m"]["b"])
    assert optree.tree_paths(state) == [("m/a/w",), ("m/b",), ("v/a/w",), ("v/b",)]


def test_a_state_is_a_jax_pytree_once_jax_arrays_were_met():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    params = {"w": jax.numpy.ones(2)}
    rule = Adam()
    _, state = rule.update(params, rule.init(params), params)
    assert len(jax.tree.leaves(state)) == 2
    assert jax.tree.map(lambda x: x + 1, state).t == 1


def test_flat_and_back_bit_for_bit(tmp_path):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    state = State(3, {"m": {"": np.array([1.5, -0.0], dtype=ml_dtypes.bfloat16), "x/y": np.array(5e-324)}, "v": {}})
    flat = state.flat()
    assert sorted(flat) == ["m/:bfloat16", "m/x/y", "t"]
    np.savez(tmp_path / "s.npz", **flat)
    with np.load(tmp_path / "s.npz", allow_pickle=False) as stored:
        again = State.from_flat(stored)
    assert again.t == 3
    assert again.slots["m"][""].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(again.slots["m"][""].view(np.uint16), state.slots["m"][""].view(np.uint16))
    assert again.slots["m"]["x/y"] == 5e-324


def test_from_flat_puts_arrays_where_the_parameters_are():
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device("device1")
    like = {"dtype": strict.float32, "device": device}
    there = {"a": {"w": strict.ones((2, 2), **like)}, "b": strict.ones(3, **like)}
    state = State.from_flat(stepped().flat(), there)
    assert state.slots["m"]["a/w"].device == device
    Adam().update(there, state, there)


def test_from_flat_creates_arrays_where_use_says():
    strict = pytest.importorskip("array_api_strict")
    with use("array_api_strict"):
        state = State.from_flat(stepped().flat())
    assert isinstance(state.slots["m"]["b"], type(strict.ones(1)))
    assert isinstance(State.from_flat(stepped().flat()).slots["m"]["b"], np.ndarray)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [({}, "no key 't'"), ({"t": np.array(1), "m": np.ones(1)}, "the key 'm' is not of the form slot/path")],
)
def test_a_checkpoint_of_another_form_is_refused(arrays, said):
    with pytest.raises(LeafError, match=said):
        State.from_flat(arrays)


def test_a_checkpoint_of_another_tree_is_refused():
    with pytest.raises(LeafError, match="params: the tree has no leaf 'a/w', which the checkpoint has"):
        State.from_flat(stepped().flat(), {"b": np.ones(3)})
