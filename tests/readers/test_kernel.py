"""The kernel reader on the CPU: the texts that a device gets, run by g++, give the bits of the pure rule."""

import math
import subprocess
import sys
from dataclasses import dataclass

import array_api_strict
import ml_dtypes
import numpy as np
import pytest

from arrayopt import BackendError, LeafError, Partition, PiecewiseLinear
from arrayopt.core.options import Rate
from arrayopt.core.rule import Rule
from arrayopt.core.tape import BOOLEAN, ELEMENTWISE, Op, Tape, Value
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf
from arrayopt.firstorder import LAMB, RULES, SGD, Adam, AdamW, Lion, Momentum, Tiger
from arrayopt.readers.kernel import engine as kernel
from arrayopt.readers.kernel.batch import Batch, Member
from arrayopt.readers.kernel.engine import Engine
from arrayopt.readers.kernel.parts import cut
from arrayopt.readers.kernel.program import Program
from arrayopt.readers.kernel.source import CHUNK
from tests.common.rules import accepts, arrays, for_dtype, same_bits
from tests.readers.kernel_shim import GXX, REASON, Host, compiled
from validation.kernels.cases import SHAPES, STEPS, each_value

pytestmark = pytest.mark.skipif(GXX is None, reason=REASON)
DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
BIG = {"big": (3 * CHUNK + 5,), "w": (200, 170), "row": (CHUNK,), "none": (0,), "flat": (0, 3), "scalar": (), "b": (1,)}


def tree(rule, shapes, dtype, seed=0):
    return {k: arrays(s, dtype, 1, seed + i)[0] for i, (k, s) in enumerate(shapes.items()) if fits(rule, s)}


def fits(rule, shape):
    """Whether a rule takes leaves of a shape, and with slots that are not huge (Shampoo's are squares)."""
    slots = rule.slot_shapes(Leaf("w", shape, "float32")).values() if accepts(rule, shape) else [(1 << 30,)]
    return all(math.prod(s) < 1 << 20 for s in slots)


def strided(x):
    if x.ndim == 0:
        return x
    out = np.zeros((x.shape[0] * 2, *x.shape[1:-1], *(2 * n for n in x.shape[-1:] if x.ndim > 1)), x.dtype)
    view = out[::2] if x.ndim == 1 else out[::2, ..., ::2]
    view[...] = x
    return view


def walk(device, rule, shapes, dtype, make=lambda x: x.copy(), check=True):
    """Step a tree by kernels and by the rule's own text, and compare the bits of all that is kept."""
    params = tree(rule, shapes, dtype)
    mine = {k: make(p) for k, p in params.items()}
    state, own = rule.init(params), rule.init(mine)
    step = Engine(device).prepare(rule, mine, own.slots)
    with np.errstate(all="ignore"):
        for t in STEPS:
            grads = tree(rule, shapes, dtype, seed=100 * t)
            for g in grads.values():
                g.flat[:2] = 0.0
            laid = {k: make(g) for k, g in grads.items()}  # in the same way: matrix products may depend on it
            params, state = rule.update(laid, state, {k: make(p) for k, p in params.items()})
            step(t, list(laid.values()))
    for k, p in params.items() if check else ():
        assert equal(mine[k], p), (rule, k)
        for s, by in state.slots.items():
            assert k not in by or equal(own.slots[s][k], by[k]), (rule, s, k)


def equal(a, b):
    """bfloat16 is compared in float32, which holds it."""
    return a.dtype == b.dtype and same_bits(*(x.astype(np.result_type(x, np.float32)) for x in (a, b)))


CASES = [(rule, SHAPES, "float32", np.copy) for cls in RULES for rule in each_value(cls)] + [
    (for_dtype(cls, DTYPES[dtype]), shapes, dtype, make) for cls in RULES
    for dtype, shapes, make in (("float16", SHAPES, np.copy), ("bfloat16", SHAPES, np.copy),
                                ("float64", SHAPES, strided), ("float32", BIG, np.copy))]  # fmt: skip


def run(tmp_path, play):
    """Play twice: on a device that computes nothing but notes which kernels it takes, and on one that has them."""
    noting = Host()
    play(noting)
    device = Host(compiled(list(noting.wanted.values()), tmp_path))
    play(device)
    return device


def test_every_value_of_every_dialect_field_gives_the_bits_of_the_pure_rule(tmp_path):
    """Whole leaves, 0-d, empty, at the edges of chunks, strided; in four dtypes."""

    def play(device):
        for rule, shapes, dtype, make in CASES:
            walk(device, rule, shapes, DTYPES[dtype], make, check=device.library is not None)

    run(tmp_path, play)


@dataclass(frozen=True, kw_only=True)
class Odd(Rule):
    """A base for rules that need old values late; each has the slots a and b."""

    lr: Rate = 0.5

    def slots(self, leaf):
        return {"a": 2.0, "b": 3.0}


@dataclass(frozen=True, kw_only=True)
class NeedsOldSlot(Odd):
    """The new a is made first, for its sum, while the old one is still needed, and is kept as b."""

    def step(self, xp, h, g, p, a, b):
        new = a + g
        return p - h.lr * xp.sum(new) * a, {"a": new, "b": a}


@dataclass(frozen=True, kw_only=True)
class KeepsOldSlot(Odd):
    """The new a is made first, for its sum, and nothing but b needs the old one."""

    def step(self, xp, h, g, p, a, b):
        new = a + g
        return p - h.lr * xp.sum(new), {"a": new, "b": a}


@dataclass(frozen=True, kw_only=True)
class Swaps(Odd):
    """Two slots change places."""

    def step(self, xp, h, g, p, a, b):
        return p - h.lr * a, {"a": b + g, "b": a}


@dataclass(frozen=True, kw_only=True)
class Exchanges(Odd):
    """Nothing is computed for the slots, and what is computed has another shape."""

    def step(self, xp, h, g, p, a, b):
        return g, {"a": b, "b": a + 0.0 * xp.sum(g * p)}


@dataclass(frozen=True, kw_only=True)
class NeedsOldView(Odd):
    """The new p is made, for its sum, beside and before a view of the old one; and a whole result is kept as b."""

    def step(self, xp, h, g, p, a, b):
        view = xp.matrix_transpose(p)
        new = p - h.lr * view
        return new, {"a": a + xp.sum(new) * view, "b": xp.matmul(view, a)}


@dataclass(frozen=True, kw_only=True)
class Transposes(Odd):
    """Every array becomes a transposed old one."""

    def step(self, xp, h, g, p, a, b):
        turned = xp.matrix_transpose(p)
        return xp.matrix_transpose(a) + g, {"a": turned, "b": xp.reshape(b, h.flat)}

    def scalars(self, h, t, leaf):
        return {"flat": leaf.shape}


ODD = (NeedsOldSlot, KeepsOldSlot, Swaps, Exchanges, NeedsOldView, Transposes)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rule", [cls() for cls in ODD], ids=lambda r: type(r).__name__)
def test_old_values_are_kept_while_they_are_needed(rule, dtype, tmp_path):
    shapes = {"w": (4, 4), "v": (3, 3)}
    run(tmp_path, lambda device: walk(device, rule, shapes, DTYPES[dtype], check=device.library is not None))


def test_values_that_change_places_need_no_array_in_between():
    leaf = Leaf("w", (3,), "float32")
    (part,) = cut(trace(Swaps(), leaf, Swaps().numbers_at(1, leaf), {"a": (3,), "b": (3,)})).parts
    assert {place.kind for _, place in (*part.reads, *part.writes)} == {"leaf"}


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, np.inf, -np.inf, np.nan, 1e-7, -1e-7, 6e4, 0.1, -2.75]
LIBRARY = {"exp": 2, "log": 2, "log1p": 2, "expm1": 2, "tanh": 2}
"""ulps by which two mathematical libraries may differ, each of them within 1; all else is rounded correctly."""


def one_operation(name, dtype):
    """A tape that writes name(g, p) over p; booleans as 1 and 0."""
    leaf = Leaf("w", (len(SPECIAL) ** 2,), dtype)
    g, p, condition, out, number = (Value(i, leaf.shape, i == 2) for i in range(5))
    count = 3 if name == "where" else getattr(np, name).nin
    ops = [Op("less", (g, p), (), condition)]
    args = {1: (g,), 2: (g, p), 3: (condition, g, p)}[count]
    if name in BOOLEAN:
        made = Value(3, leaf.shape, True)
        ops += [Op(name, args, (), made), Op("where", (made, 1.0, 0.0), (), number)]
        return Tape(leaf, {"g": g, "p": p}, {}, ops, {"p": number})
    return Tape(leaf, {"g": g, "p": p}, {}, [*ops, Op(name, args, (), out)], {"p": out})


def test_every_operation_on_special_values(tmp_path):
    def play(device):
        for dtype in ("float64", "float32", "float16"):
            with np.errstate(all="ignore"):
                a, b = (x.ravel().astype(dtype) for x in np.meshgrid(SPECIAL, SPECIAL))
            for name in ELEMENTWISE:
                program = Program(cut(one_operation(name, dtype)))
                member = Member(program.leaf, {"p": b.copy()})
                member.arrays["g"] = a
                Batch(device, [member], [program]).run()
                if device.library is None:
                    continue
                with np.errstate(all="ignore"):
                    ufunc = getattr(np, name)
                    expected = np.where(a < b, a, b) if name == "where" else ufunc(*(a, b)[: ufunc.nin])
                    expected = expected.astype(dtype)
                    ulps = np.abs(member.arrays["p"] - expected) / np.spacing(np.abs(expected))
                actual = member.arrays["p"]
                same = (actual == expected) | (np.isnan(actual) & np.isnan(expected)) | (ulps <= LIBRARY.get(name, 0))
                assert same.all(), (name, dtype, a[~same], b[~same], actual[~same], expected[~same])
                signed = (np.signbit(actual) == np.signbit(expected)) | np.isnan(expected)
                assert signed.all() or name in ("maximum", "minimum"), (name, dtype)  # max(0, -0) has either sign

    run(tmp_path, play)


def steps(device, rule, shapes, count=3, dtype=np.float32):
    params = tree(rule, shapes, dtype)
    state = rule.init(params)
    step = Engine(device).prepare(rule, params, state.slots)
    grads = list(tree(rule, shapes, dtype, seed=9).values())
    uploads, launches = [], []
    for t in range(1, count + 1):
        before, launched = device.uploads, len(device.launches)
        step(t, grads if t < count else list(grads))  # at last as another list of the same arrays
        uploads.append(device.uploads - before)
        launches.append(len(device.launches) - launched)
    return uploads, launches


MANY = {f"leaf{i}": (i + 1, 3) for i in range(148)}


def test_many_leaves_take_one_launch_and_a_table_that_stays_on_the_device():
    device = Host()
    uploads, launches = steps(device, AdamW(), MANY)
    assert launches == [1, 1, 1]
    assert uploads == [2, 0, 0]


def test_a_schedule_compiles_nothing():
    device = Host()
    steps(device, AdamW(lr=PiecewiseLinear(((0, 0.0), (2, 1.0), (4, 0.5)))), MANY, count=4)
    assert len(device.wanted) == 1


def test_numbers_that_differ_from_leaf_to_leaf_are_in_a_table():
    rule = Tiger(scale="none", nan="propagate", half_rate=("bias",), special_decay=1.0)
    assert steps(Host(), rule, {"w": (3,), "bias": (3,)})[0] == [3, 1, 1]
    assert steps(Host(), rule, {"w": (3,), "v": (3,)})[0] == [2, 0, 0]


def test_launches_of_lamb_do_not_grow_with_the_number_of_leaves():
    counts = [steps(Host(), LAMB(), dict(list(MANY.items())[:n]), count=1)[1] for n in (2, 148)]
    assert counts[0] == counts[1] == [3]


def test_a_large_leaf_with_intermediate_arrays_is_stepped_alone(monkeypatch):
    monkeypatch.setattr(kernel, "ALONE", 100)
    counts = [steps(Host(), LAMB(), {"a": (n,), "b": (n,)}, count=1)[1] for n in (99, 100)]
    assert counts == [[3], [6]]
    assert steps(Host(), AdamW(), {"a": (100,), "b": (100,)}, count=1)[1] == [1]


def test_new_gradients_at_new_addresses_are_found(tmp_path):
    def play(device):
        p = {"w": np.ones(5, np.float32)}
        step = Engine(device).prepare(SGD(lr=1.0), p, {})
        keep = []
        for t in (1, 2, 3):
            keep.append(np.full(5, 10.0**-t, np.float32))
            step(t, keep[-1:])
        if device.library is not None:
            np.testing.assert_allclose(p["w"], 1 - 0.111, rtol=1e-6)

    run(tmp_path, play)


def test_a_partition_steps_each_leaf_by_its_rule(tmp_path):
    rule = Partition.by(lambda leaf: leaf.ndim == 1, SGD(lr=0.5), Adam(lr=0.1))

    def play(device):
        params = {"w": np.ones((2, 2)), "b": np.ones(2)}
        state = rule.init(params)
        Engine(device).prepare(rule, params, state.slots)(1, [np.ones((2, 2)), np.ones(2)])
        if device.library is not None:
            np.testing.assert_allclose(params["b"], 0.5)
            np.testing.assert_allclose(params["w"], 0.9, rtol=1e-7)

    run(tmp_path, play)


@pytest.mark.parametrize("rule", [Momentum(lr=0.5, first="gradient"), Lion(lr=0.5)], ids=["momentum", "lion"])
def test_a_gradient_that_is_the_parameter_is_copied_first(rule, tmp_path):
    start = np.arange(-4.0, 6.0)
    expected, _ = rule.update(start[:-1], rule.init(start[1:]), start[1:])

    def play(device):
        memory = start.copy()
        p, g = {"w": memory[1:]}, memory[:-1]
        Engine(device).prepare(rule, p, rule.init(p).slots)(1, [g])
        if device.library is not None:
            np.testing.assert_array_equal(p["w"], expected)

    run(tmp_path, play)


def test_parameters_that_share_memory_are_refused_by_name():
    memory = np.zeros(10)
    params = {"a": memory[:6], "b": memory[5:]}
    with pytest.raises(LeafError, match=r"leaf 'b' may share memory with params: leaf 'a'"):
        Engine(Host()).prepare(SGD(), params, {})
    Engine(Host()).prepare(SGD(), {"a": memory[:5], "b": memory[5:]}, {})


def test_arrays_of_another_library_are_refused_by_name():
    with pytest.raises(LeafError, match=r"params: leaf 'layer/w' is a Array; the engine 'cupy' writes CuPy arrays"):
        Engine(Host()).prepare(SGD(), {"layer/w": array_api_strict.ones(3)}, {})


def test_cupy_that_is_missing_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendError, match=r"'cupy' is not installed; install arrayopt\[cuda12\]"):
        Engine()


def test_cupy_without_a_device_says_so():
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    if cupy.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(BackendError, match="no CUDA device"):
        Engine()


def test_importing_the_reader_does_not_import_cupy():
    code = "import sys, arrayopt.readers.kernel.engine; assert 'cupy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
