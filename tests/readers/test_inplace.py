"""Steppers in place: both engines, threads, layouts, what is refused, and what a step allocates."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from arrayopt import (
    SGD,
    Adam,
    AdamW,
    BackendError,
    Clip,
    InverseSqrt,
    LeafError,
    Momentum,
    OptionError,
    Partition,
    RAdam,
    State,
    flatten_leaves,
    inplace,
)
from arrayopt.firstorder import RULES
from arrayopt.readers.inplace import engine_for
from tests.common.rules import arrays, exaggerated, same_bits

every_rule = pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
engines = pytest.mark.parametrize("engine", ["numpy", "numba"])


@pytest.fixture(autouse=True)
def _installed(request):
    if "engine" in request.fixturenames and request.getfixturevalue("engine") == "numba":
        pytest.importorskip("numba", reason="numba is not installed")


def run(rule, make, steps=4, start=0, **how):
    """Step a tree by `rule.update` and in place; return both pairs of parameters and state."""
    params, grads = make(0), [make(t) for t in range(1, steps + 1)]
    pure, state = {k: x.copy() for k, x in params.items()}, None
    state = dataclasses.replace(rule.init(pure), t=start)
    stepper = inplace(rule, **how)
    mine = dataclasses.replace(stepper.init(params), t=start)
    for g in grads:
        pure, state = rule.update(g, state, pure)
        _, mine = stepper.update(g, mine, params)
    return (pure, state), (params, mine)


def assert_same(expected, got):
    (pure, state), (params, mine) = expected, got
    assert mine.t == state.t
    for k, p in pure.items():
        assert same_bits(params[k], p), k
    for slot, by in state.slots.items():
        for k, x in by.items():
            assert same_bits(mine.slots[slot][k], x), (slot, k)


def tree(shapes, dtype=np.float32):
    return lambda seed: {k: arrays(s, dtype, 1, seed=seed * 100 + i)[0] for i, (k, s) in enumerate(shapes.items())}


MIXED = {"a": (), "b": (3,), "c": (2, 5), "d": (0,), "e": (40,), "f": (7,), "g": (1,)}
MATRICES = {"a": (2, 5), "b": (3, 4), "c": (5, 2), "d": (3, 4), "e": (9, 9)}


@every_rule
@engines
@pytest.mark.parametrize("threads", [1, 2])
def test_a_tree_of_small_and_large_leaves(cls, engine, threads):
    rule = exaggerated(cls)
    shapes = MATRICES if cls.__name__ in ("Muon", "Shampoo") else MIXED
    for dtype in (np.float32, np.float64):
        assert_same(*run(rule, tree(shapes, dtype), engine=engine, threads=threads, block=16))


@engines
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_rule
def test_extreme_numbers(cls, engine, dtype):
    rule, tiny = exaggerated(cls), np.finfo(dtype)
    values = [0.0, -0.0, tiny.smallest_subnormal, -tiny.smallest_normal, tiny.max, -tiny.max, 1e-30, 1.0]
    if cls.__name__ not in ("Muon", "Shampoo"):
        values += [np.inf, -np.inf, np.nan]
    p, g = (np.asarray(x, dtype) for x in np.meshgrid(values, values))
    q, stepper = p.copy(), inplace(rule, engine=engine, threads=1)
    state, mine = rule.init(p), stepper.init(q)
    with np.errstate(all="ignore"):
        for _ in range(2):
            p, state = rule.update(g, state, p)
            _, mine = stepper.update(g, mine, q)
    np.testing.assert_array_equal(q, p)
    assert np.array_equal(np.signbit(q) & ~np.isnan(q), np.signbit(p) & ~np.isnan(p))


@engines
@pytest.mark.parametrize("lr", [InverseSqrt(0.5), lambda t: 0.5 if t < 3 else 0.0], ids=["inverse root", "zero"])
def test_schedules(engine, lr):
    assert_same(*run(AdamW(lr=lr, weight_decay=0.1), tree(MIXED), engine=engine, block=16))


@engines
@pytest.mark.parametrize("rule", [RAdam(lr=0.1), Momentum(lr=0.1, first="gradient")], ids=["RAdam", "Momentum"])
def test_rules_whose_program_changes_with_t(engine, rule):
    assert_same(*run(rule, tree(MIXED), steps=8, engine=engine))


@engines
def test_numbers_late_in_training(engine):
    assert_same(*run(Adam(), tree(MIXED), start=10**6, engine=engine))
    assert_same(*run(Adam(beta1=0.0), tree(MIXED), engine=engine))


@engines
@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("strided", [True, False])
def test_many_small_leaves(engine, flat, again, strided):
    """Packed or adjacent, along gradients that are new each step or the same arrays again, some with gaps."""
    rule, rng = AdamW(lr=0.1), np.random.default_rng(0)
    params = {f"k{i:02}": rng.normal(size=(i % 7, 2)[: 1 + i % 2]).astype(np.float32) for i in range(60)}
    pure = {k: p.copy() for k, p in params.items()}
    lay = flatten_leaves if flat else lambda x: x
    params = lay(params)
    stepper = inplace(rule, engine=engine, block=32, threads=2)
    state, mine = rule.init(pure), stepper.init(params)
    held = lay({k: np.zeros_like(p) for k, p in params.items()})
    if strided:
        held = {k: np.repeat(g, 2, 0)[::2] if g.size % 3 == 1 else g for k, g in held.items()}
    for _ in range(4):
        new = {k: rng.normal(size=p.shape).astype(np.float32) for k, p in params.items()}
        for k, x in new.items():
            held[k][...] = x
        pure, state = rule.update(new, state, pure)
        params, mine = stepper.update(held if again else lay(new), mine, params)
    assert_same((pure, state), (params, mine))


def test_flatten_leaves_keeps_the_tree_and_lays_each_dtype_in_one_buffer():
    made = flatten_leaves([np.ones((2, 3), np.float32), {"x": np.zeros(2), "y": np.full((), 5, np.float32)}])
    assert made[0].base is made[1]["y"].base
    assert made[1]["x"].dtype == np.float64
    np.testing.assert_array_equal(made[1]["y"], 5)
    with pytest.raises(LeafError, match=r"leaf '0' is a Other; flatten_leaves"):
        flatten_leaves([_other()])


def _other():
    import array_api_strict

    return type("Other", (type(array_api_strict.asarray([1.0])),), {})._new(np.ones(1), device=None)


@engines
def test_partition(engine):
    rule = Partition.by(lambda leaf: leaf.ndim == 1, SGD(lr=0.5), Adam(lr=0.1))
    assert_same(*run(rule, tree(MIXED), engine=engine))


@engines
def test_other_arrays_between_steps(engine):
    rule, stepper = Adam(lr=0.1), inplace(Adam(lr=0.1), engine=engine)
    make = tree(MIXED)
    params, g = make(0), make(1)
    state = stepper.init(params)
    _, state = stepper.update(g, state, params)
    for change in (
        lambda: (dict(params, b=params["b"].copy()), state),
        lambda: (
            {k: x.copy() for k, x in params.items()},
            State(state.t, {s: dict(b) for s, b in state.slots.items()}),
        ),
    ):
        other, there = change()
        expected, kept = rule.update(g, there, other)
        returned, after = stepper.update(g, there, other)
        assert returned is other
        assert_same((expected, kept), (other, after))
    state.slots["m"]["c"] = np.ones_like(params["c"])  # as a loaded checkpoint might
    expected, kept = rule.update(g, state, params)
    assert_same((expected, kept), (params, stepper.update(g, state, params)[1]))


LAYOUTS = {
    "gradient strided": (lambda x: x, lambda g: np.repeat(g, 2, 1)[:, ::2]),
    "gradient transposed": (lambda x: x, np.asfortranarray),
    "both transposed": (np.asfortranarray, np.asfortranarray),
    "parameter reversed": (lambda x: x[::-1].copy()[::-1], lambda g: g),
}


@engines
@pytest.mark.parametrize("cls", [AdamW, SGD], ids=lambda c: c.__name__)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("block", [5, 1000])
def test_layouts_of_elementwise_rules(cls, engine, layout, block):
    rule, (lay_p, lay_g) = exaggerated(cls), LAYOUTS[layout]
    p, *gradients = arrays((9, 6), np.float32, 4)
    q, stepper = lay_p(p.copy()), inplace(rule, engine=engine, block=block, threads=2)
    state, mine = rule.init(p), stepper.init(q)
    for g in gradients:
        p, state = rule.update(g, state, p)
        _, mine = stepper.update(lay_g(g), mine, q)
        assert same_bits(np.ascontiguousarray(q), p)


# What is refused -----------------------------------------------------------------------------


def refused(params, grads, match, rule=None, state=None, engine="numpy"):
    """Assert that a step is refused and that nothing has changed."""
    stepper = inplace(rule or Adam(), engine=engine)
    state = stepper.init(params) if state is None else state
    before = {k: x.copy() for k, x in params.items()}
    with pytest.raises(LeafError, match=match):
        stepper.update(grads, state, params)
    assert all(same_bits(params[k], x) for k, x in before.items())
    assert all(not x.any() for by in state.slots.values() for x in by.values())


@engines
def test_read_only_leaves(engine):
    p = np.ones(3)
    p.flags.writeable = False
    refused({"w": p}, {"w": np.ones(3)}, r"params: leaf 'w' is read-only; pass a writeable", engine=engine)
    params = {"w": np.ones(3)}
    state = Adam().init(params)
    state.slots["v"]["w"].flags.writeable = False
    refused(params, {"w": np.ones(3)}, r"slot 'v' of: leaf 'w' is read-only", state=state, engine=engine)


@engines
def test_a_leaf_that_becomes_read_only(engine):
    params, g, stepper = {"w": np.ones(3)}, {"w": np.ones(3)}, inplace(SGD(), engine=engine)
    _, state = stepper.update(g, stepper.init(params), params)
    before = params["w"].copy()
    params["w"].flags.writeable = False
    with pytest.raises(LeafError, match=r"params: leaf 'w' is read-only"):
        stepper.update(g, state, params)
    assert same_bits(params["w"], before)
    params["w"].flags.writeable = True
    stepper.update(g, state, params)
    assert not same_bits(params["w"], before)


def test_a_floating_point_error_on_the_way_says_what_it_leaves():
    params, g = {"w": np.ones(3, np.float32)}, {"w": np.full(3, 3e38, np.float32)}
    stepper = inplace(Adam(), engine="numpy")
    state = stepper.init(params)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError) as caught:
        stepper.update(g, state, params)
    assert "step 1 of Adam in place did not end: parameters and state may be partly" in caught.value.__notes__[0]
    assert state.t == 0


@engines
def test_leaves_that_share_memory(engine):
    buffer, g = np.ones(10), np.ones(6)
    refused({"a": buffer[:6], "b": buffer[4:]}, {"a": g, "b": g}, r"leaf 'a' overlaps params leaf 'b'", engine=engine)
    p = np.ones(6)
    refused({"a": p, "b": p}, {"a": g, "b": g}, r"overlaps", engine=engine)
    refused({"a": p}, {"a": p}, r"params: leaf 'a' overlaps grads leaf 'a' in memory", engine=engine)
    refused({"a": p}, {"a": p[::-1]}, r"overlaps grads leaf 'a'", engine=engine)
    params = {"a": p}
    state = State(0, {"m": {"a": np.zeros(6)}, "v": {"a": np.zeros(6)}})
    state.slots["m"]["a"] = state.slots["v"]["a"]
    refused(params, {"a": g}, r"slot 'm' of: leaf 'a' overlaps slot 'v'", state=state, engine=engine)


@engines
def test_a_gradient_that_comes_to_share_memory_later(engine):
    p, stepper = np.ones(6), inplace(Adam(), engine=engine)
    state = stepper.init(p)
    _, state = stepper.update(np.ones(6), state, p)
    before = p.copy()
    with pytest.raises(LeafError, match="overlaps grads"):
        stepper.update(p[:], state, p)
    with pytest.raises(LeafError, match="overlaps grads"):
        stepper.update(p, state, p)
    assert same_bits(p, before)
    stepper.update(np.ones(6), state, p)


def test_interleaved_leaves_share_no_memory():
    x = np.ones(10, np.float32)
    params, g = {"a": x[::2], "b": x[1::2]}, {"a": np.ones(5, np.float32), "b": np.ones(5, np.float32)}
    stepper = inplace(SGD(lr=1.0), engine="numpy")
    stepper.update(g, stepper.init(params), params)
    np.testing.assert_array_equal(x, 0)


@engines
@pytest.mark.parametrize(
    ("bad", "match"),
    [
        ({"a": np.ones(3)}, r"grads: .*shape \(3,\), expected \(2,\)"),
        ({"a": np.ones(2, np.float32)}, r"grads: .*dtype float32, expected float64"),
        ({"b": np.ones(2)}, r"grads: .*lacks leaf 'a'"),
        ({"a": [1.0, 2.0]}, r"grads"),
    ],
)
def test_wrong_gradients_at_the_first_and_at_a_later_step(engine, bad, match):
    params = {"a": np.ones(2)}
    stepper = inplace(Adam(), engine=engine)
    state = stepper.init(params)
    with pytest.raises(LeafError, match=match):
        stepper.update(bad, state, params)
    _, state = stepper.update({"a": np.ones(2)}, state, params)
    before = params["a"].copy()
    with pytest.raises(LeafError, match=match):
        stepper.update(bad, state, params)
    assert same_bits(params["a"], before)


@engines
def test_a_schedule_that_fails_leaves_everything_as_it_was(engine):
    params, stepper = {"a": np.ones(2)}, inplace(Adam(lr=lambda t: -1.0), engine=engine)
    state = stepper.init(params)
    with pytest.raises(OptionError, match="lr must be a finite number >= 0"):
        stepper.update({"a": np.ones(2)}, state, params)
    np.testing.assert_array_equal(params["a"], 1)
    assert not state.slots["m"]["a"].any()


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"threads": 0}, "threads must be an integer >= 1"),
        ({"block": 0}, "block must be an integer >= 1"),
        ({"engine": "fast"}, "engine must be"),
    ],
)
def test_bad_options(how, match):
    with pytest.raises(OptionError, match=match):
        inplace(Adam(), **how)


def test_a_wrapper_is_refused():
    with pytest.raises(OptionError, match="expected a rule or a Partition, got a Clip"):
        inplace(Clip(rule=Adam()))


def test_an_engine_that_is_not_installed(monkeypatch):
    import sys

    import arrayopt.readers

    monkeypatch.delattr(arrayopt.readers, "compiled", raising=False)
    monkeypatch.setitem(sys.modules, "arrayopt.readers.compiled", None)
    with pytest.raises(BackendError, match=r"install arrayopt\[fast\]"):
        engine_for("numba")


# What a step allocates -----------------------------------------------------------------------


@engines
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("cls", [c for c in RULES if c.__name__ != "Shampoo"], ids=lambda c: c.__name__)
def test_a_step_allocates_no_more_however_large_the_leaves(cls, engine, threads):
    rule = exaggerated(cls)
    params = {k: np.ones(s, np.float32) for k, s in {"w": (300, 512), "b": (64, 32), "c": (16, 16)}.items()}
    grads = [{k: np.full_like(p, 0.5 + t) for k, p in params.items()} for t in range(4)]
    stepper = inplace(rule, engine=engine, threads=threads)
    state = stepper.init(params)
    for g in grads[:3]:
        params, state = stepper.update(g, state, params)
    tracemalloc.start()
    try:
        stepper.update(grads[3], state, params)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 << 10


@engines
def test_a_replaced_rule_goes_on_with_the_state(engine):
    rule, make = Adam(lr=0.1), tree(MIXED)
    params, state = make(0), None
    stepper = inplace(rule, engine=engine)
    state = stepper.init(params)
    for i, after in enumerate((rule, rule.replace(lr=0.5), rule.replace(amsgrad="none", weight_decay=0.1))):
        expected = after.update(make(i), state, {k: x.copy() for k, x in params.items()})
        _, state = inplace(after, engine=engine).update(make(i), state, params)
        assert_same(expected, (params, state))
