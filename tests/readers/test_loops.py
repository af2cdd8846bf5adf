"""The fused loop: its source, run by Python itself, has the pure rule's bits; how it is kept."""

import ctypes
import functools
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from arrayopt.firstorder import RULES
from arrayopt.readers.blocks import loops
from tests.common.rules import every_dialect
from tests.readers.common import assert_in_place_is_pure

compiled = pytest.importorskip("arrayopt.readers.compiled", reason="numba is not installed")


@functools.cache
def interpreted(run, dtype):
    def carray(address, shape, kind):
        size = math.prod(shape) * np.dtype(kind).itemsize
        return np.frombuffer((ctypes.c_char * size).from_address(int(address)), kind).reshape(shape)

    scalar = dtype.type
    space = {
        **{"pointer": int, "carray": carray, "sqrt": np.sqrt, "DTYPE": scalar, "MASK": np.bool_},
        **{"ZERO": scalar(0), "ONE": scalar(1), "INFINITY": scalar(np.inf)},
        **{"ADDRESS": np.uint64, "LENGTH": np.int64},
    }
    exec(loops.source("kernel", run, dtype), space)
    return space["kernel"]


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_every_dialect(cls, monkeypatch):
    monkeypatch.setattr(compiled, "kernel", interpreted)
    for rule in every_dialect(cls):
        assert_in_place_is_pure(rule, (2, 3), np.float32, steps=2, engine="numba", threads=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extrema_have_numpys_zeros_and_nans(name, dtype):
    template = loops.extremum(name, np.dtype(dtype))
    assert template is not None, "NumPy's rule for zeros is none of those known; the engine falls back to ufuncs"
    values = np.array([-0.0, 0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], dtype)
    for a in values:
        for b in values:
            expected, got = getattr(np, name)(a, b), eval(template.format("a", "b"), {}, {"a": a, "b": b})
            np.testing.assert_array_equal(got, expected)
            assert np.isnan(got) or np.signbit(got) == np.signbit(expected)


def test_what_numpy_rounds_in_its_own_way_is_left_to_numpy():
    for name in ("exp", "log", "log1p", "expm1", "tanh"):
        assert loops.template(name, np.dtype(np.float32)) is None


STEP = """
import numpy as np
from arrayopt import SGD, inplace
p = np.ones(5, np.float32)
stepper = inplace(SGD(lr=0.5), engine="numba")
stepper.update(p.copy(), stepper.init(p), p)
assert (p == 0.5).all()
"""


@pytest.mark.parametrize("writeable", [True, False])
def test_kernels_are_kept_on_disk_where_that_can_be(tmp_path, writeable):
    place = tmp_path / "cache"
    if not writeable:
        place.write_text("a file, where a directory is wanted")
    for _ in range(2):
        env = {**os.environ, "ARRAYOPT_CACHE_DIR": str(place)}
        done = subprocess.run([sys.executable, "-c", STEP], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    if writeable:
        assert len(list(place.glob("kernel_*.py"))) == 1
        assert len(list(place.glob("__pycache__/*.nbc"))) == 1
