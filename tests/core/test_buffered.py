"""Newton-Schulz in memory of its own: the bits of the plain iteration, or its values by the Gram matrix."""

import tracemalloc

import numpy as np
import pytest

from arrayopt import Muon, inplace
from arrayopt.core.orthogonal import named, newton_schulz, take
from arrayopt.core.orthogonal.buffered import buffered, by_gram, supported

SMALL = [(3, 5), (5, 3), (4, 4), (2, 3, 7), (1, 1), (130, 200)]
WIDE = [(128, 512), (512, 128), (2, 128, 300)]


def both(shape, dtype, name="keller", steps=5, norm="add", scale=1.0, x=None):
    if x is None:
        x = scale * np.random.default_rng(0).normal(size=shape)
    x, polynomials = x.astype(dtype), take(named(name), steps)
    out = np.full(shape, np.nan, dtype)
    before = x.copy()
    returned = buffered(shape, np.dtype(dtype), polynomials, norm)(x, 1e-7, out)
    assert returned is out
    np.testing.assert_array_equal(x, before)
    return out, newton_schulz(np, x, 1e-7, polynomials=polynomials, norm=norm), x, polynomials


def norms(x):
    """One of each matrix, as `error` has bounds."""
    return np.linalg.norm(x, axis=(-2, -1), keepdims=x.ndim > 2)


@pytest.mark.parametrize("shape", SMALL)
@pytest.mark.parametrize("norm", ["add", "max", "safety"])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_bits_of_the_plain_iteration(shape, norm, steps):
    for dtype in (np.float32, np.float64):
        out, expected, *_ = both(shape, dtype, steps=steps, norm=norm)
        np.testing.assert_array_equal(out, expected)


def test_zero_stays_zero():
    for shape in ((3, 4), (128, 300)):
        out, expected, *_ = both(shape, np.float32, x=np.zeros(shape))
        assert not out.any()
        assert not expected.any()


@pytest.mark.parametrize("shape", WIDE)
@pytest.mark.parametrize("name", ["keller", "taylor", "quintic", "polar_express"])
@pytest.mark.parametrize("spectrum", ["gaussian", "decaying"])
def test_the_gram_matrix_gives_what_the_kit_takes_for_the_plain_iteration(shape, name, spectrum):
    """Four bounds of the plain iteration's roundings are what the conformance kit accepts."""
    assert by_gram(shape, 5)
    rng = np.random.default_rng(1)
    x = rng.normal(size=shape)
    if spectrum == "decaying":
        u, _, v = np.linalg.svd(x, full_matrices=False)
        x = (u * np.geomspace(1, 1e-4, u.shape[-1])) @ v
    out, _, x, polynomials = both(shape, np.float32, name, x=x)
    exact = newton_schulz(np, x.astype(np.float64), 1e-7, polynomials=polynomials)
    bound = newton_schulz.error(x, 1e-7, unit=2.0**-24, polynomials=polynomials)
    assert np.all(norms(out - exact) <= 4 * bound)
    in_double, expected, *_ = both(shape, np.float64, name, x=x)
    bound = newton_schulz.error(x, 1e-7, unit=2.0**-53, polynomials=polynomials)
    assert np.all(norms(in_double - expected) <= 4 * bound)


def test_what_is_left_to_the_plain_helper():
    single = np.dtype(np.float32)
    assert supported(single, "add", False)
    assert not supported(single, "add", True)
    assert not supported(single, "spectral", False)
    assert not supported(np.dtype(np.float16), "add", False)
    assert not by_gram((100, 400), 5)
    assert not by_gram((200, 300), 5)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_muon_in_place_on_wide_matrices(engine):
    if engine == "numba":
        pytest.importorskip("numba", reason="numba is not installed")
    rule, rng = Muon(lr=0.1, weight_decay=0.1), np.random.default_rng(2)
    params = {
        k: rng.normal(size=s).astype(np.float32) for k, s in {"a": (128, 512), "b": (512, 128), "c": (9, 4)}.items()
    }
    wide = {k: p.astype(np.float64) for k, p in params.items()}
    stepper = inplace(rule, engine=engine)
    state, exact = stepper.init(params), rule.init(wide)
    for _ in range(3):
        g = {k: rng.normal(size=p.shape).astype(np.float32) for k, p in params.items()}
        params, state = stepper.update(g, state, params)
        wide, exact = rule.update({k: x.astype(np.float64) for k, x in g.items()}, exact, wide)
    for k, p in params.items():  # three steps of size lr, each with 1e-5 of its length in roundings
        assert np.linalg.norm(p - wide[k]) <= 3 * 0.1 * 1e-5 * np.sqrt(min(p.shape)) + 2.0**-22 * np.linalg.norm(p)
    tracemalloc.start()
    try:
        stepper.update({k: x.copy() for k, x in g.items()}, state, params)
        peak = tracemalloc.get_traced_memory()[1] - sum(x.nbytes for x in g.values())  # the copies of the line above
    finally:
        tracemalloc.stop()
    assert peak < 64 << 10
