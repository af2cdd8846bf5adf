"""The softmax family with the axis of SciPy, and the log of softmax at its extremes."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from arrayopt.backend import to_numpy
from arrayopt.errors import LeafError, OptionError
from arrayopt.smooth import log_softmax, logsumexp, softmax
from tests.common.libraries import libraries

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
def test_axes_are_those_of_scipy(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    for ours, theirs in [
        (logsumexp, special.logsumexp),
        (softmax, special.softmax),
        (log_softmax, special.log_softmax),
    ]:
        np.testing.assert_allclose(ours(x, axis), theirs(x, axis=axis), rtol=1e-13)
    assert logsumexp(x).shape == ()
    assert logsumexp(x, keepdims=True).shape == (1, 1, 1)


@given(
    hnp.arrays(np.float64, 5, elements=st.floats(-300, 300)),
    hnp.arrays(np.float64, 5, elements=st.floats(0.01, 10)),
    st.sampled_from([1.0, 0.5, 3.0, -2.0]),
)
def test_the_log_of_softmax_is_relatively_exact(x, w, t):
    with mpmath.workdps(600):
        parts = [mpmath.mpf(a) * mpmath.exp(mpmath.mpf(b) / t) for a, b in zip(w, x, strict=True)]
        expected = [float(mpmath.log(p / mpmath.fsum(parts))) for p in parts]
    got = log_softmax(x, weights=w, temperature=t)
    scale = np.maximum(np.abs(np.ptp(x) / t), 1)
    np.testing.assert_allclose(got, expected, rtol=1e-15 * (10 + 3 * scale), atol=1e-300)
    np.testing.assert_allclose(np.exp(got), softmax(x, weights=w, temperature=t), rtol=1e-15 * (10 + 4 * scale))


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([0.0, -50.0], [-math.exp(-50), -50.0]),
        ([1e308, 1e308, -1e308], [-math.log(2), -math.log(2), -INF]),
        ([INF, 0.0, INF], [-math.log(2), -INF, -math.log(2)]),
        ([-INF, 3.0], [-INF, 0.0]),
        ([-INF, -INF], [-INF, -INF]),
        ([NAN, 1.0], [NAN, NAN]),
        ([7.0], [0.0]),
        ([], []),
    ],
)
def test_extremes_without_a_warning(x, expected):
    np.testing.assert_allclose(log_softmax(np.asarray(x)), expected, rtol=1e-15)
    with np.errstate(all="raise", under="ignore"):
        log_softmax(np.asarray(x))
        softmax(np.asarray(x))


def test_weights_of_zero_take_elements_away():
    x, w = np.asarray([NAN, 2.0, 1.0]), np.asarray([0.0, 1.0, 3.0])
    np.testing.assert_allclose(log_softmax(x, weights=w)[1:], np.log(softmax(x, weights=w)[1:]), rtol=1e-15)
    assert log_softmax(x, weights=w)[0] == -INF


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    x = np.asarray([[1.0, 2.0], [3.0, -80.0]], dtype)
    for f in (logsumexp, softmax, log_softmax):
        assert f(x, 1, np.ones(2), 0.5).dtype == dtype


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries_keep_dtype_and_device(xp):
    x = np.asarray([[0.5, -INF, 2.0], [INF, 0.0, 1.0]], np.float32)
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    made = xp.asarray(x, **where)
    for f in (logsumexp, softmax, log_softmax):
        got = f(made, -1, xp.asarray(np.ones(3, np.float32), **where), 0.7)
        assert type(got) is type(made)
        assert (got.dtype, got.device) == (made.dtype, made.device)
        np.testing.assert_allclose(to_numpy(got), f(x, -1, temperature=0.7), rtol=1e-5)


def test_what_is_refused():
    for f in (logsumexp, softmax, log_softmax):
        with pytest.raises(OptionError, match="temperature: expected a finite number other than 0"):
            f(np.ones(2), temperature=0.0)
        with pytest.raises(LeafError, match="x: expected real floating-point numbers"):
            f(np.arange(3))
