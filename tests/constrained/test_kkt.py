"""The KKT system: steps, multipliers and inertia as functions of arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import to_numpy
from arrayopt.constrained import inertia, kkt_matrix, kkt_step, nearest_multipliers
from tests.common.libraries import libraries


def system(seed, n=5, k=2):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, n))
    return a + a.T, rng.standard_normal((k, n)), rng.standard_normal(n), rng.standard_normal(k)


def test_step_by_hand():
    # minimise x^2 + 2 y^2 on x + y = 3: (2, 1) with multiplier 4, in one step from anywhere
    x = np.asarray([7.0, -1.0])
    d, multipliers = kkt_step(np.diag([2.0, 4.0]), np.ones((1, 2)), np.asarray([14.0, -4.0]), np.asarray([x.sum() - 3]))
    np.testing.assert_allclose(x + d, [2.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(multipliers, [4.0], rtol=1e-15)


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_step_solves_all_the_equations(seed, k):
    w, j, g, c = system(seed, 5, k)
    d, multipliers = kkt_step(w, j, g, c)
    size = np.linalg.cond(kkt_matrix(w, j)) * 1e-14 * (1 + np.abs(multipliers).max() + np.abs(d).max())
    assert np.abs(w @ d + g - j.T @ multipliers).max() <= size
    assert np.abs(j @ d + c).max() <= size


def test_a_batch_is_its_systems():
    parts = [np.stack(x) for x in zip(*(system(i) for i in range(4)), strict=True)]
    d, multipliers = kkt_step(*parts)
    assert d.shape == (4, 5)
    assert multipliers.shape == (4, 2)
    for i in range(4):
        one = kkt_step(*system(i))
        np.testing.assert_allclose(d[i], one[0], rtol=1e-12)
        np.testing.assert_allclose(multipliers[i], one[1], rtol=1e-12)
        np.testing.assert_allclose(nearest_multipliers(parts[1], parts[2])[i], nearest_multipliers(*system(i)[1:3]))


@given(st.integers(0, 10**6), st.integers(-100, 100))
def test_a_power_of_two_times_the_objective_changes_no_bit_of_the_step(seed, power):
    w, j, g, c = system(seed)
    d, multipliers = kkt_step(w, j, g, c)
    scaled, more = kkt_step(2.0**power * w, j, 2.0**power * g, c)
    np.testing.assert_array_equal(scaled, d)
    np.testing.assert_array_equal(more, 2.0**power * multipliers)


def test_dependent_constraints_need_the_pseudo_inverse():
    w, j, g = np.eye(2), np.asarray([[1.0, 1.0], [2.0, 2.0]]), np.asarray([3.0, 4.0])
    c = np.asarray([6.0, 12.0])
    with pytest.raises(np.linalg.LinAlgError):
        kkt_step(w, j, g, c)
    d, multipliers = kkt_step(w, j, g, c, pseudo=True)
    np.testing.assert_allclose(g + d, [0.5, 0.5], rtol=1e-14)
    np.testing.assert_allclose(multipliers, [0.1, 0.2], rtol=1e-13)  # the shortest of those with sum_i i m_i = 1/2


def test_without_constraints_it_is_newtons_step():
    d, multipliers = kkt_step(np.diag([2.0, 4.0]), np.zeros((0, 2)), np.asarray([2.0, 8.0]), np.zeros(0))
    assert d.tolist() == [-1.0, -2.0]
    assert multipliers.shape == nearest_multipliers(np.zeros((0, 2)), np.zeros(2)).shape == (0,)


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_nearest_multipliers_leave_what_is_orthogonal_to_the_constraints(seed, k):
    _, j, g, _ = system(seed, 6, k)
    left = g - j.T @ nearest_multipliers(j, g)
    assert np.abs(j @ left).max() <= 1e-12 * np.linalg.cond(j) * (1 + np.abs(j).max())


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 3))
def test_inertia_counts_the_null_space_of_the_constraints(seed, k, negative):
    # Gould: inertia = (k, k, 0) + that of the Hessian on the null space of J, if J has full rank.
    rng = np.random.default_rng(seed)
    n = k + 3
    basis, _ = np.linalg.qr(rng.standard_normal((n, n)))
    null, rest = basis[:, :3], basis[:, 3:]
    on_null = np.diag([-1.0] * negative + [1.0] * (3 - negative))
    half = rng.standard_normal((n, k))
    w = null @ on_null @ null.T + half @ rest.T + rest @ half.T
    j = rng.uniform(0.5, 2.0, (k, 1)) * rest.T
    assert inertia(kkt_matrix(w, j)) == (k + 3 - negative, k + negative, 0)


def test_inertia_of_a_singular_matrix():
    assert inertia(np.diag([3.0, -1.0, 0.0])) == (1, 1, 1)
    assert inertia(np.zeros((2, 2))) == (0, 0, 2)


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_libraries_in_their_dtype(xp, dtype):
    kind = getattr(xp, dtype)
    reference = system(3)
    given = [xp.asarray(x.tolist(), dtype=kind) for x in reference]
    rounding = {"float64": 1e-12, "float32": 1e-4}[dtype]
    pairs = zip(
        (*kkt_step(*given), *kkt_step(*given, pseudo=True), nearest_multipliers(*given[1:3])),
        (*kkt_step(*reference), *kkt_step(*reference), nearest_multipliers(*reference[1:3])),
        strict=True,
    )
    for mine, theirs in pairs:
        assert mine.dtype == kind
        np.testing.assert_allclose(to_numpy(mine), theirs, rtol=rounding, atol=rounding)
    assert inertia(kkt_matrix(*given[:2])) == inertia(kkt_matrix(*reference[:2]))
