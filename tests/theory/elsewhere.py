"""The same function on other array libraries: dtype and device kept, and the numbers of NumPy."""

import numpy as np
import pytest

from arrayopt.backend import is_array, to_numpy
from tests.common.libraries import libraries

on_other_libraries = pytest.mark.parametrize("xp", libraries("strict", "torch"))


def moved(xp, x):
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    return xp.asarray(np.asarray(x), **where)


def flat(result):
    if isinstance(result, (tuple, list)):
        return [y for x in result for y in flat(x)]
    return [result]


def assert_same(xp, f, *arrays, rtol=None):
    """f of float32 and float64 arrays there is f of them here, in the dtype and on the device that they have."""
    for dtype in (np.float32, np.float64):
        given = [np.asarray(a, dtype) for a in arrays]
        here, there = flat(f(*given)), flat(f(*(moved(xp, a) for a in given)))
        for a, b in zip(here, there, strict=True):
            if is_array(b):
                like = moved(xp, given[0])
                assert type(b) is type(like)
                assert (b.dtype, b.device) == (like.dtype, like.device)
            eps = float(np.finfo(dtype).eps)
            np.testing.assert_allclose(
                to_numpy(b) if is_array(b) else b, np.asarray(a), rtol=rtol or 64 * eps, atol=64 * eps
            )
