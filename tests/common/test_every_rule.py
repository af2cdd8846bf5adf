"""What every rule keeps to: one text for all array libraries, nothing changed that was passed in, options that act."""

import dataclasses
import itertools
import warnings

import array_api_strict
import numpy as np
import pytest

from arrayopt import LeafError, OptionError, State, inplace
from arrayopt.conformance.compare import trajectory
from arrayopt.conformance.models import set_up
from arrayopt.conformance.probes import probes_for
from arrayopt.core import options
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf
from arrayopt.firstorder import RULES
from tests.common.rules import accepts, arrays, every_dialect, exaggerated, for_dtype, same_bits

ids = lambda c: c.__name__  # noqa: E731
every_rule = pytest.mark.parametrize("cls", RULES, ids=ids)


def params_for(rule, dtype=np.float64):
    shapes = {"w": (4, 3), "layer": (3, 5), "bias": (6,)}
    return {k: arrays(s, dtype, 1, seed=i)[0] for i, (k, s) in enumerate(shapes.items()) if accepts(rule, s)}


def walk(rule, convert, dtype=np.float64, steps=3):
    """The parameters and the state after some steps, on arrays made by `convert`."""
    params = params_for(rule, dtype)
    gradients = [{k: arrays(p.shape, dtype, steps, seed=7)[t] for k, p in params.items()} for t in range(steps)]
    there = {k: convert(p) for k, p in params.items()}
    state = rule.init(there)
    for g in gradients:
        there, state = rule.update({k: convert(x) for k, x in g.items()}, state, there)
    return there, state


def assert_like_numpy(rule, convert, back, dtype=np.float64, rel=1e-12):
    expected, kept = walk(rule, np.asarray, dtype)
    actual, state = walk(rule, convert, dtype)
    start = params_for(rule, dtype)
    for k, e in expected.items():
        a = back(actual[k])
        assert a.dtype == e.dtype
        assert np.linalg.norm(a - e) <= rel * np.linalg.norm(e - start[k]) + rel * np.linalg.norm(e), k
    assert state.t == kept.t
    for slot, leaves in kept.slots.items():
        for k, e in leaves.items():
            assert np.linalg.norm(back(state.slots[slot][k]) - e) <= rel * max(np.linalg.norm(e), 1e-30), (slot, k)


@every_rule
def test_read_only_numpy_arrays_are_enough(cls):
    def frozen(x):
        x = x.copy()
        x.flags.writeable = False
        return x

    assert_like_numpy(exaggerated(cls), frozen, np.asarray, rel=0.0)


@every_rule
def test_array_api_strict_on_its_second_device(cls):
    device = array_api_strict.Device("device1")

    def convert(x):
        return array_api_strict.asarray(x, device=device)

    def back(x):
        assert x.device == device
        return np.asarray(array_api_strict.from_dlpack(x, device=array_api_strict.Device("CPU_DEVICE")))

    assert_like_numpy(exaggerated(cls), convert, back)


@every_rule
def test_every_dialect_runs_on_array_api_strict(cls):
    device = array_api_strict.Device("device1")
    for rule in itertools.islice(every_dialect(cls), 0, None, 7):
        with np.errstate(all="ignore"):  # a dialect may well divide by zero
            walk(rule, lambda x: array_api_strict.asarray(x, device=device), steps=1)


@every_rule
def test_torch_arrays(cls):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert_like_numpy(exaggerated(cls), torch.from_numpy, lambda x: x.numpy())


@every_rule
def test_jax_arrays(cls):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    assert_like_numpy(exaggerated(cls), jax.numpy.asarray, np.asarray, np.float32, rel=1e-4)


@every_rule
def test_cupy_arrays(cls):
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("cupy finds no CUDA device")
    assert_like_numpy(exaggerated(cls), cupy.asarray, cupy.asnumpy)


@every_rule
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4)])
def test_shapes_and_dtypes_are_kept(cls, dtype, shape):
    rule = for_dtype(cls, dtype)
    if not accepts(rule, shape):
        with pytest.raises(LeafError, match="Partition"):
            rule.init(np.zeros(shape, dtype))
        return
    p = np.full(shape, 0.5, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a mean over nothing would warn
        after, state = rule.update(p, rule.init(p), p)
    assert isinstance(after, np.ndarray)
    assert (after.shape, after.dtype) == (shape, dtype)
    assert all(isinstance(x, np.ndarray) and x.dtype == dtype for s in state.slots.values() for x in s.values())


@every_rule
def test_bfloat16_is_computed_in_float32_and_rounded_back(cls):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    rule = exaggerated(cls)
    p, g = (x.astype(ml_dtypes.bfloat16) for x in arrays((4, 3), np.float32, 2))
    after, _ = rule.update(g, rule.init(p), p)
    slots = {s: {k: x.astype(np.float32) for k, x in by.items()} for s, by in rule.init(p).slots.items()}
    expected, _ = rule.update(g.astype(np.float32), State(0, slots), p.astype(np.float32))
    assert after.dtype == p.dtype
    assert same_bits(after.astype(np.float32), expected.astype(ml_dtypes.bfloat16).astype(np.float32))


@every_rule
def test_a_checkpoint_survives_savez_bit_for_bit(cls, tmp_path):
    rule = exaggerated(cls)
    params, state = walk(rule, np.asarray, np.float32)
    np.savez(tmp_path / "state.npz", **state.flat())
    with np.load(tmp_path / "state.npz") as stored:
        again = State.from_flat(stored)
    assert again.t == state.t
    grads = {k: np.ones_like(p) for k, p in params.items()}
    expected, got = rule.update(grads, state, params), rule.update(grads, again, params)
    for k in params:
        assert same_bits(expected[0][k], got[0][k])


@every_rule
def test_a_leaf_does_not_see_the_others(cls):
    rule = exaggerated(cls)
    params = params_for(rule)
    grads = {k: arrays(p.shape, np.float64, 1, seed=3)[0] for k, p in params.items()}
    together, _ = rule.update(grads, rule.init(params), params)
    for k, p in params.items():
        alone, _ = rule.update({k: grads[k]}, rule.init({k: p}), {k: p})
        assert same_bits(together[k], alone[k])


@every_rule
def test_every_dialect_can_be_traced(cls):
    leaf = Leaf("w", (4, 3), "float64")
    for rule in every_dialect(cls):
        for t in (1, 2, 9):
            trace(rule, leaf, rule.numbers_at(t, leaf), rule.slot_shapes(leaf))


def output(rule):
    """All that a rule does where its options can show: a burst, zeros, a changing rate, a NaN, tiny gradients."""
    probes = {p.name: p for p in probes_for(rule)}
    bad, tiny = (
        [{k: f(g.copy()) for k, g in gs.items()} for gs in probes["E"].gradients[:4]] for f in (_spoil, _shrink)
    )
    names = dict(zip("abcd", ("layer/embedding", "layer/norm/gamma", "layer/bias", "layer/kernel"), strict=True))
    renamed = [{names[k]: x for k, x in xs.items()} for xs in (probes["E"].params, *probes["E"].gradients)]
    for i, xs in enumerate(renamed):
        xs["convolution"] = np.random.default_rng(i).normal(size=(3, 2, 2, 1))  # a convolution
    odd = [
        dataclasses.replace(probes["E"], gradients=bad),
        dataclasses.replace(probes["E"], gradients=tiny),
        dataclasses.replace(probes["E"], params=renamed[0], gradients=renamed[1:]),
    ]
    found = []
    for probe in (*(probes[k] for k in "ERBZS"), *odd):
        placed, _ = set_up(rule, probe, ())
        found += [x for step in trajectory(placed, probe) for x in step.values()]
    return found


def _spoil(g):
    g.flat[0] = np.nan
    return g


def _shrink(g):
    return g * 1e-17


def contexts(cls):
    """Settings in which an option may act: a dialect often acts only beside another, or once a number is not zero."""
    numbers, fields = options.numbers(cls), options.dialects(cls)
    rule = exaggerated(cls)
    silent = [k for k in numbers if getattr(rule, k) == 0]
    for changed in (
        {},
        dict.fromkeys(silent, 0.25),
        {"weight_decay": 0.0},
        {k: 0.0 for k in numbers if numbers[k].added},
        {"lr": 2.0},
    ):
        yield rule.replace(**changed)
    for n in (1, 2):
        for names in itertools.combinations(fields, n):
            for values in itertools.product(*(fields[k] for k in names)):
                for changed in ({}, dict.fromkeys(silent, 0.25)):
                    if (made := attempt(rule, **changed, **dict(zip(names, values, strict=True)))) is not None:
                        yield made


def attempt(rule, **fields):
    """The rule with some fields changed, or None where it refuses the combination."""
    try:
        return rule.replace(**fields)
    except OptionError:
        return None


def acts(cls, name, value):
    """Whether setting a field to a value changes some output in some context."""
    default = getattr(exaggerated(cls), name)
    for rule in contexts(cls):
        if getattr(rule, name) == default and (changed := attempt(rule, **{name: value})) is not None:
            before, after = output(rule), output(changed)
            if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True)):
                return True
    return False


@every_rule
def test_every_value_of_every_dialect_field_changes_some_output_or_is_declared_inert(cls):
    rule = exaggerated(cls)
    dead = set()
    for name, values in options.dialects(cls).items():
        others = [v for v in values if v != getattr(rule, name)]
        silent = [v for v in others if not acts(cls, name, v)]
        dead |= {name} if silent == others else {f"{name}={v}" for v in silent}
    assert dead == set(cls.inert)


@every_rule
def test_every_number_changes_some_output(cls):
    for name in options.numbers(cls):
        start = getattr(exaggerated(cls), name)
        assert acts(cls, name, 0.5 * start if start else 0.25), name


@every_rule
def test_the_docstring_names_every_field_and_a_source(cls):
    doc = cls.__doc__
    own = {f.name for f in dataclasses.fields(cls)} - {"lr_peak", "decay_point", "decay_scale", "decay"}
    assert not [name for name in own if name not in doc]
    assert "References" in doc
    assert ">>>" in doc


@every_rule
def test_every_preset_makes_a_rule_and_names_its_source(cls):
    assert cls.presets
    for framework, preset in cls.presets.items():
        assert preset.source
        assert isinstance(cls.preset(framework), cls)


@every_rule
def test_in_place_equals_pure_along_a_tree(cls):
    rule = exaggerated(cls)
    expected, kept = walk(rule, np.asarray, np.float32)
    params = params_for(rule, np.float32)
    stepper = inplace(rule, block=4)
    state = stepper.init(params)
    for t in range(3):
        params, state = stepper.update(
            {k: arrays(p.shape, np.float32, 3, seed=7)[t] for k, p in params.items()}, state, params
        )
    assert all(same_bits(params[k], expected[k]) for k in params)
    assert state.t == kept.t
