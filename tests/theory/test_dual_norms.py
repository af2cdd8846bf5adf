import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arrayopt.core.orthogonal import msign
from arrayopt.errors import LeafError, OptionError
from arrayopt.theory import (
    dual_exponent,
    dual_norm,
    primal_norm,
    steepest_direction,
    steepest_model,
    steepest_step,
    steepest_value,
)
from tests.theory.elsewhere import assert_same, on_other_libraries

INF, NAN = math.inf, math.nan
VECTORS = hnp.arrays(np.float64, 4, elements=st.floats(-100, 100).filter(lambda x: x == 0 or abs(x) > 1e-6))
EXPONENTS = st.sampled_from([1.0, 1.01, 1.5, 2.0, 3.0, 50.0, INF])


@given(VECTORS, EXPONENTS)
def test_norms_are_numpys_and_hoelder_is_attained(g, p):
    q = dual_exponent(p)
    assert float(primal_norm(g, p)) == pytest.approx(np.linalg.norm(g, p), rel=1e-13, abs=1e-300)
    assert float(dual_norm(g, p)) == pytest.approx(np.linalg.norm(g, q), rel=1e-13, abs=1e-300)
    phi = steepest_direction(g, p)
    if np.any(g):
        assert float(primal_norm(phi, p)) == pytest.approx(1, rel=1e-13)
        assert phi @ g == pytest.approx(float(dual_norm(g, p)), rel=1e-12)
        if 1 < p < INF:
            formula = np.sign(g) * (np.abs(g) / np.linalg.norm(g, q)) ** (q / p)
            np.testing.assert_allclose(phi, formula, rtol=1e-10, atol=1e-300)
    else:
        assert not np.any(phi)


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, 3.0, INF, "spectral"])
def test_no_other_step_has_a_lower_value(norm):
    rng = np.random.default_rng(0)
    g = rng.standard_normal((4, 3))
    step, lr = steepest_step(g, 0.3, norm), 0.3
    least = steepest_value(g, lr, norm)
    np.testing.assert_allclose(steepest_model(step, g, lr, norm), least, rtol=1e-13)
    for _ in range(200):
        other = step + rng.standard_normal(g.shape) * 10 ** rng.uniform(-6, 1)
        assert np.all(steepest_model(other, g, lr, norm) >= least * (1 + 1e-13))
    # the scalar that sign descent and Muon drop
    bare = steepest_step(g, lr, norm, scaled=False)
    scalar = dual_norm(g, norm)
    np.testing.assert_allclose(bare * (scalar if norm == "spectral" else scalar[:, None]), step, rtol=1e-14)
    assert np.all(steepest_model(bare, g, lr, norm) > least)


def test_spectral_is_the_orthogonal_factor_and_the_nuclear_norm():
    G = np.random.default_rng(1).standard_normal((2, 5, 3))
    np.testing.assert_allclose(dual_norm(G, "spectral"), np.linalg.norm(G, "nuc", axis=(-2, -1)))
    np.testing.assert_allclose(primal_norm(G, "spectral"), np.linalg.norm(G, 2, axis=(-2, -1)))
    np.testing.assert_allclose(steepest_direction(G, "spectral"), msign(np, G), atol=1e-14)
    np.testing.assert_allclose(np.sum(G * msign(np, G), axis=(-2, -1)), dual_norm(G, "spectral"))


def test_names_of_methods():
    g = np.asarray([3.0, 0.0, -4.0])
    np.testing.assert_allclose(steepest_step(g, 0.1, 2.0), -0.1 * g, rtol=1e-15)
    np.testing.assert_allclose(steepest_step(g, 0.1, INF), -0.7 * np.sign(g), rtol=1e-15)
    assert steepest_step(g, 0.1, INF, scaled=False).tolist() == [-0.1, 0.0, 0.1]
    assert steepest_direction(np.asarray([2.0, -2.0, 1.0]), 1.0).tolist() == [0.5, -0.5, 0.0]


@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, INF, "spectral"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_extremes(norm, dtype):
    big, small = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal

    def point(*x):
        x = np.asarray(x, dtype)
        return np.diag(x) if norm == "spectral" else x

    for x in (point(big, 0), point(small, 0), point(small, -small)):
        phi = steepest_direction(x, norm)
        assert phi.dtype == dtype
        assert float(primal_norm(phi, norm)) == pytest.approx(1, rel=2 * float(np.finfo(dtype).eps))
    assert dual_norm(point(big, 0), norm) == big == primal_norm(point(big, 0), norm)
    assert not np.any(steepest_direction(point(0, 0), norm))
    assert dual_norm(point(0, 0), norm) == 0 == steepest_value(point(0, 0), 0.1, norm)
    assert np.isnan(dual_norm(point(NAN, 1), norm))
    assert np.isnan(steepest_direction(point(NAN, 1), norm)).any()
    if norm != "spectral":
        assert steepest_direction(point(INF, 5), norm).tolist() == [1, 0]
        assert dual_norm(point(INF, 5), norm) == INF
        assert dual_norm(np.zeros((2, 0), dtype), norm).tolist() == [0, 0]
        assert steepest_direction(np.zeros((2, 0), dtype), norm).shape == (2, 0)
    else:
        assert np.isnan(dual_norm(point(INF, 5), norm))
        assert dual_norm(np.zeros((2, 0, 3), dtype), norm).tolist() == [0, 0]
        assert steepest_direction(np.zeros((0, 3), dtype), norm).shape == (0, 3)


@on_other_libraries
@pytest.mark.parametrize("norm", [1.0, 1.5, 2.0, INF, "spectral"])
def test_other_libraries(xp, norm):
    g = np.random.default_rng(0).standard_normal((3, 4))
    assert_same(xp, lambda g: steepest_step(g, 0.1, norm), g, rtol=2e-6)
    assert_same(xp, lambda g: [dual_norm(g, norm), primal_norm(g, norm), steepest_value(g, 0.1, norm)], g)


def test_refusals():
    with pytest.raises(OptionError, match=r"norm: expected a number p in \[1, inf\]"):
        dual_norm(np.ones(2), 0.5)
    with pytest.raises(OptionError, match=r"norm: expected a number p in \[1, inf\]"):
        dual_norm(np.ones(2), "nuclear")
    with pytest.raises(LeafError, match="x: expected matrices in the last two axes"):
        dual_norm(np.ones(2), "spectral")
