"""The same function on the arrays of other libraries."""

import numpy as np
import pytest

from arrayopt.backend import to_numpy
from tests.common.libraries import libraries

on_other_libraries = pytest.mark.parametrize("xp", libraries("strict", "torch"))


def away(xp, x):
    """Return an array of the library, on array-api-strict's second device."""
    if xp.__name__ == "array_api_strict":
        return xp.asarray(x, device=xp.Device("device1"))
    return xp.asarray(x)


def assert_same(xp, f, *arrays, rtol=1e-6):
    """Check that f gives in another library what it gives in NumPy, in float32, and on the same device."""
    arrays = [np.asarray(x, np.float32) for x in arrays]
    made = [away(xp, x) for x in arrays]
    got, expected = f(*made), f(*arrays)
    many = isinstance(expected, tuple)
    for a, b in zip(got if many else [got], expected if many else [expected], strict=True):
        assert type(a) is type(made[0])
        assert a.device == made[0].device
        assert str(a.dtype).rpartition(".")[2] == str(b.dtype)
        np.testing.assert_allclose(to_numpy(a), b, rtol=rtol, atol=1e-7)
