"""Special functions: the same in every library that has them, and a clear refusal elsewhere."""

import array_api_strict
import numpy as np
import pytest
from scipy import special as scipy_special

from arrayopt.backend import to_numpy
from arrayopt.core.special import special
from arrayopt.errors import BackendError
from tests.common.libraries import libraries


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["erf", "erfc", "erfcx"])
def test_it_is_that_of_scipy_in_the_dtype_of_x(name, dtype):
    x = np.linspace(-2, 2, 9).astype(dtype)
    got = special(name, x)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, getattr(scipy_special, name)(x).astype(dtype))


@pytest.mark.parametrize("xp", libraries("torch", "jax"))
def test_other_libraries_have_their_own(xp):
    x = xp.asarray(np.linspace(-2, 2, 9, dtype=np.float32))
    got = special("erfc", x)
    assert type(got) is type(x)
    assert got.dtype == x.dtype
    np.testing.assert_allclose(to_numpy(got), scipy_special.erfc(to_numpy(x)), rtol=1e-6)


def test_what_is_refused():
    with pytest.raises(BackendError, match="erfc: array_api_strict has no such function; convert the array"):
        special("erfc", array_api_strict.asarray([0.0]))
    with pytest.raises(BackendError, match="no_such: numpy has no such function"):
        special("no_such", np.zeros(1))
