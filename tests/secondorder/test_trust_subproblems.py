"""The minimiser of a quadratic in a ball, four ways: the conditions that describe each."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arrayopt import to_numpy
from arrayopt.secondorder.modified_cholesky import shift, shifted
from arrayopt.secondorder.truncated_cg import forced, steps_of_cg
from arrayopt.secondorder.trust_subproblems import cauchy, dogleg, exact, steihaug
from tests.common.libraries import makers


def model(H, g, p):
    return g @ p + p @ H @ p / 2


@st.composite
def models(draw, signs=(-1.0, 0.0, 1.0), hard=False):
    """H, g and a radius; in the hard case g is orthogonal to the lowest eigenvectors, of which there may be several."""
    n = draw(st.integers(2 if hard else 1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    values = rng.uniform(0.5, 1.0, n) * 10.0 ** rng.integers(-2, 2, n) * rng.choice(signs, n)
    parts = rng.standard_normal(n) * 10.0 ** rng.integers(-2, 2)
    if hard:
        several = draw(st.integers(1, n - 1))
        values[:several] = values.min() - draw(st.sampled_from([0.1, 1.0]))
        parts[:several] = 0.0
    H = (q * values) @ q.T
    return (H + H.T) / 2, q @ parts, 10.0 ** draw(st.floats(-3, 3))


def holds_more_and_sorensen(H, g, radius):
    step = exact(H, g)(radius)
    size = max(np.abs(H).max(), step.shift)
    norm = np.linalg.norm(step.p)
    residual = H @ step.p + step.shift * step.p + g
    assert np.abs(residual).max() <= 1e-8 * (size * norm + np.abs(g).max())
    assert step.shift >= 0
    assert norm <= radius * (1 + 1e-8)
    assert step.shift * abs(radius - norm) <= 1e-8 * size * radius
    assert np.linalg.eigvalsh(H)[0] + step.shift >= -1e-8 * size
    assert step.norm == pytest.approx(norm, rel=1e-8)
    assert step.promised == pytest.approx(-model(H, g, step.p), rel=1e-8)
    assert step.boundary == (step.norm == radius)
    return step


@given(models())
def test_an_exact_step_says_what_it_is(problem):
    holds_more_and_sorensen(*problem)


@given(models(hard=True))
def test_the_hard_case(problem):
    H, g, radius = problem
    step = holds_more_and_sorensen(H, g, radius)
    # the part of p that the other eigenvectors make, where lambda is minus the lowest eigenvalue
    values, q = np.linalg.eigh(H)
    if values[0] < 0:
        shorter = np.linalg.norm((q.T @ g)[values > values[0] + 0.05] / (values - values[0])[values > values[0] + 0.05])
        if shorter < radius:
            assert step.shift == pytest.approx(-values[0], rel=1e-8)
            assert step.boundary


def test_the_hard_case_by_hand_and_a_saddle_point():
    # lambda = 2 leaves p = (tau, 0.25): diag(-2, 2) and g = (0, -1)
    step = exact(np.diag([-2.0, 2.0]), np.asarray([0.0, -1.0]))(1.0)
    assert step.shift == 2.0
    np.testing.assert_allclose(np.abs(step.p), [np.sqrt(1 - 0.0625), 0.25], rtol=1e-15)
    saddle = exact(np.diag([1.0, -1.0]), np.zeros(2))(3.0)
    np.testing.assert_allclose(np.abs(saddle.p), [0.0, 3.0])
    assert saddle.promised == 4.5


def test_a_singular_model_ends_inside_if_it_has_a_minimum():
    step = exact(np.diag([0.0, 2.0]), np.asarray([0.0, 2.0]))(5.0)
    assert not step.boundary
    np.testing.assert_array_equal(step.p, [0.0, -1.0])
    assert exact(np.zeros((2, 2)), np.asarray([3.0, 4.0]))(5.0).p.tolist() == [-3.0, -4.0]


@given(models(), st.integers(-200, 200))
def test_multiples_of_the_model_have_the_same_steps_bit_by_bit(problem, k):
    H, g, radius = problem
    unit = 2.0**k
    for solver in (
        lambda H, g: exact(H, g),
        lambda H, g: dogleg(H, g),
        lambda H, g: cauchy(lambda v: H @ v, g),
        lambda H, g: steihaug(lambda v: H @ v, g, 0.0),
    ):
        one, other = solver(H, g)(radius), solver(H * unit, g * unit)(radius)
        np.testing.assert_array_equal(one.p, other.p)
        assert one.promised * unit == other.promised


@given(models())
def test_steps_of_steihaug_say_what_they_are(problem):
    H, g, radius = problem
    steps = list(steps_of_cg(lambda v: H @ v, g, radius))
    norms = [0.0, *(np.linalg.norm(step.p) for step in steps)]
    values = [0.0, *(model(H, g, step.p) for step in steps)]
    slack = 1e-12 * max(map(abs, values))
    # past the digits of the residual the iterates stand still
    assert all(b >= a * (1 - 1e-12) for a, b in pairwise(norms))
    assert all(b <= a + slack for a, b in pairwise(values))
    assert norms[1] > 0 > values[1]
    last = steps[-1]
    assert norms[-1] <= radius * (1 + 1e-12)
    assert last.norm == pytest.approx(norms[-1], rel=1e-10)
    assert last.promised == pytest.approx(-values[-1], rel=1e-9)
    reached = -model(H, g, cauchy(lambda v: H @ v, g)(radius).p)
    assert -values[-1] >= reached * (1 - 1e-12)


@given(models())
def test_the_four_in_order(problem):
    H, g, radius = problem
    best, least = exact(H, g)(radius).promised, cauchy(lambda v: H @ v, g)(radius).promised
    assert least > 0
    convex = np.linalg.eigvalsh(H)[0] > 1e-10 * np.abs(H).max()
    solvers = [steihaug(lambda v: H @ v, g, 0.0), *([dogleg(H, g)] if convex else [])]
    for solver in solvers:
        step = solver(radius)
        assert least * (1 - 1e-12) <= step.promised <= best * (1 + 1e-9)
        assert np.linalg.norm(step.p) <= radius * (1 + 1e-12)
        assert step.promised == pytest.approx(-model(H, g, step.p), rel=1e-8)


@given(models())
def test_cauchys_point_is_the_minimum_along_the_gradient(problem):
    H, g, radius = problem
    step = cauchy(lambda v: H @ v, g)(radius)
    lengths = np.linspace(0, radius / np.linalg.norm(g), 200)
    assert -step.promised <= min(model(H, g, -a * g) for a in lengths) * (1 - 1e-12)
    norm, curvature = np.linalg.norm(g), max(np.linalg.norm(H, 2), 1e-300)
    assert step.promised >= norm / 2 * min(radius, norm / curvature) * (1 - 1e-12)


@given(models(signs=(1.0,)), st.floats(1.0, 10.0))
def test_the_dogleg_runs_to_newtons_step_and_falls_all_along(problem, longer):
    H, g, radius = problem
    solver = dogleg(H, g)
    newton = np.linalg.solve(H, -g)
    far = solver(np.linalg.norm(newton) * 1.001)
    assert not far.boundary
    np.testing.assert_allclose(far.p, newton, rtol=1e-9)
    near, further = solver(radius), solver(radius * longer)
    assert near.promised <= further.promised * (1 + 1e-12)
    assert np.linalg.norm(near.p) <= np.linalg.norm(further.p) * (1 + 1e-12)


@given(models(signs=(-1.0, 0.0)))
def test_the_dogleg_of_a_model_that_is_not_convex_is_that_of_the_shifted_one(problem):
    H, g, radius = problem
    assume(H.any())
    B = shifted(H, shift(H))
    np.testing.assert_allclose(dogleg(H, g)(radius).p, dogleg(B, g)(radius).p, rtol=1e-6, atol=1e-9 * radius)
    step = dogleg(H, g)(radius)
    assert step.promised == pytest.approx(-model(B, g, step.p), rel=1e-6)
    assert np.linalg.norm(step.p) <= radius * (1 + 1e-12)


def test_the_dogleg_of_a_linear_model_is_cauchys_step():
    H, g = np.zeros((2, 2)), np.asarray([1.0, 1.0])
    np.testing.assert_array_equal(dogleg(H, g)(2.0).p, cauchy(lambda v: H @ v, g)(2.0).p)


def test_a_smaller_ball_takes_no_product_again():
    H, g = np.diag(np.arange(1.0, 9.0)), np.ones(8)
    calls = []
    solver = steihaug(lambda v: calls.append(v) or H @ v, g, 1e-9)
    solver(100.0)
    taken = len(calls)
    fresh = steihaug(lambda v: H @ v, g, 1e-9)
    for radius in (1.0, 0.3, 1e-3):
        np.testing.assert_array_equal(solver(radius).p, fresh(radius).p)
    assert len(calls) == taken == 8


def test_conjugate_gradients_say_why_they_end():
    g = np.asarray([1.0, 2.0])
    ends = {
        "solved": (np.eye(2), np.inf),
        "boundary": (np.eye(2), 0.5),
        "negative curvature": (-np.eye(2), np.inf),
        "not finite": (np.full((2, 2), np.nan), 1.0),
    }
    for end, (H, radius) in ends.items():
        *_, last = steps_of_cg(lambda v, H=H: H @ v, g, radius)
        assert last.end == end
        assert np.isfinite(last.p).all()
    assert next(steps_of_cg(lambda v: -v, g)).norm == 0.0
    assert next(steps_of_cg(lambda v: -v, g, 3.0)).norm == 3.0


@given(models(signs=(1.0,)))
def test_the_tolerance_is_met(problem):
    H, g, _ = problem
    *_, last = steps_of_cg(lambda v: H @ v, g, tolerance=0.1 * np.linalg.norm(g))
    assert np.linalg.norm(H @ last.p + g) <= 0.1 * np.linalg.norm(g) * (1 + 1e-9)


def test_the_forcing_term_does_not_know_units():
    assert forced(4.0, 4.0) == 2.0
    assert forced(0.01, 1.0) == pytest.approx(0.1 * 0.01)
    assert forced(0.01, 1.0, 1.0) == pytest.approx(0.01 * 0.01)
    assert forced(0.01 * 2.0**60, 2.0**60) == forced(0.01, 1.0) * 2.0**60


@pytest.mark.parametrize("make", makers("torch", "strict"))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_libraries_do_the_same(make, dtype):
    H, g = np.asarray([[2.0, 1.0], [1.0, 3.0]], dtype=dtype), np.asarray([1.0, -2.0], dtype=dtype)
    there, g_there = make(H), make(g)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for radius in (0.1, 10.0):
        for mine, theirs in (
            (exact(H, g), exact(there, g_there)),
            (dogleg(H, g), dogleg(there, g_there)),
            (cauchy(lambda v: H @ v, g), cauchy(lambda v: there @ v, g_there)),
            (steihaug(lambda v: H @ v, g, 0.0), steihaug(lambda v: there @ v, g_there, 0.0)),
        ):
            step = theirs(radius)
            assert dtype in str(step.p.dtype)
            np.testing.assert_allclose(to_numpy(step.p), mine(radius).p, rtol=tolerance, atol=tolerance)
