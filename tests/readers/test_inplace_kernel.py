"""`inplace(rule, engine="cupy")`: the stepper before the kernel reader, on a device that is the CPU."""

import numpy as np
import pytest

from arrayopt import AdamW, BackendError, LeafError, Muon, Partition, State, inplace
from arrayopt.firstorder import LAMB, Lion
from arrayopt.readers.kernel import engine as kernel
from tests.common.rules import arrays, same_bits
from tests.readers.kernel_shim import GXX, REASON, Host, compiled

needs_compiler = pytest.mark.skipif(GXX is None, reason=REASON)
SHAPES = {"w": (20, 30), "b": (30,), "s": (), "none": (0, 2), "x": (3, 40)}


def tree(seed):
    return {k: arrays(s, np.float32, 1, seed=seed * 100 + i)[0] for i, (k, s) in enumerate(SHAPES.items())}


def play(rule, device, monkeypatch, check=True):
    """Step twice along new gradients, then along the same ones again, then with other arrays."""
    monkeypatch.setattr(kernel, "CuPy", lambda: device)
    stepper, pure, mine = inplace(rule, engine="cupy"), tree(0), tree(0)
    expected, state = rule.init(pure), stepper.init(mine)
    grads = [tree(1), tree(2), None, tree(3)]
    grads[2] = grads[1]
    for n, g in enumerate(grads):
        if n == 3:
            mine = {k: x.copy() for k, x in mine.items()}
            state = State(state.t, {s: {k: x.copy() for k, x in by.items()} for s, by in state.slots.items()})
        with np.errstate(all="ignore"):
            pure, expected = rule.update(g, expected, pure)
        returned, state = stepper.update(g, state, mine)
        assert returned is mine
        assert state.t == expected.t == n + 1
    for k in pure if check else ():
        assert same_bits(mine[k], pure[k]), k
        for slot, by in expected.slots.items():
            assert k not in by or same_bits(state.slots[slot][k], by[k]), (slot, k)


RULES = [
    AdamW(lr=lambda t: 0.1 / t),
    Lion(lr=0.1),
    LAMB(lr=0.1),
    Partition.by(lambda leaf: leaf.ndim == 2 and min(leaf.shape) > 0, Muon(lr=0.1), AdamW(lr=0.1)),
]


@needs_compiler
def test_the_stepper_hands_the_kernels_what_they_expect(tmp_path, monkeypatch):
    noting = Host()
    for rule in RULES:
        play(rule, noting, monkeypatch, check=False)
    device = Host(compiled(list(noting.wanted.values()), tmp_path))
    for rule in RULES:
        play(rule, device, monkeypatch)
    assert device.launches


def test_the_same_gradients_again_upload_nothing(monkeypatch):
    device = Host()  # computes nothing
    monkeypatch.setattr(kernel, "CuPy", lambda: device)
    stepper, params, g = inplace(AdamW(lr=lambda t: 0.1 / t), engine="cupy"), tree(0), tree(1)
    state = stepper.init(params)
    _, state = stepper.update(g, state, params)
    uploads, kernels = device.uploads, set(device.wanted)
    for _ in range(2):
        _, state = stepper.update(g, state, params)
    assert device.uploads == uploads
    assert set(device.wanted) == kernels


def test_what_is_refused(monkeypatch):
    monkeypatch.setattr(kernel, "CuPy", Host)
    p = np.ones(6, np.float32)
    stepper = inplace(AdamW(), engine="cupy")
    state = AdamW().init({"a": p, "b": p})
    with pytest.raises(LeafError, match="memory"):
        stepper.update({"a": p.copy(), "b": p.copy()}, state, {"a": p, "b": p})
    with pytest.raises(LeafError, match=r"grads: .*shape \(3,\)"):
        stepper.update({"a": np.ones(3, np.float32)}, AdamW().init({"a": p}), {"a": p})


def test_without_a_device_the_engine_is_refused_at_once():
    try:
        import cupy

        if cupy.cuda.is_available():
            pytest.skip("there is a device")
    except ImportError:
        pass
    with pytest.raises(BackendError, match="engine 'cupy'"):
        inplace(AdamW(), engine="cupy")
