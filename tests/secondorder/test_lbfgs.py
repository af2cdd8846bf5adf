import array_api_compat.numpy as xp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from arrayopt.core.method import Status
from arrayopt.core.objective import Objective
from arrayopt.errors import OptionError
from arrayopt.problems import LogisticRegression
from arrayopt.problems.bundled import two_classes
from arrayopt.secondorder import BFGS, LBFGS
from arrayopt.secondorder.limited import Gram, compact, two_loop
from arrayopt.secondorder.line_search import Armijo
from arrayopt.secondorder.updates import bfgs_inverse
from arrayopt.solve import minimize
from tests.secondorder.smooth import convex, iterates, rosenbrock, rosenbrock_gradient
from tests.secondorder.transfers import DEVICE, counted, on_device

FORMS = ["gram", "two_loop", "compact"]
SEEDS = st.integers(0, 2**32)
FEW = settings(max_examples=15)


def random_pairs(rng, n, count):
    """Pairs with a cosine of at least 0.05, and a vector."""
    found = []
    while len(found) < count:
        s, y = rng.standard_normal(n), rng.standard_normal(n)
        y = y + s
        if s @ y >= 0.05 * np.linalg.norm(s) * np.linalg.norm(y):
            found.append((s * 10.0 ** rng.integers(-3, 3), y))
    return found, rng.standard_normal(n)


class At:
    """A point of which only the place and the gradient are known."""

    def __init__(self, objective, x, g):
        self.objective, self.x, self.g = objective, x, g


def follow(memory, objective, pairs, last):
    """Hand pairs to a memory, as points whose last gradient is `last`; return what it makes of them."""
    x, g, direction = 0 * last, last - sum(y for _, y in pairs), None
    for s, y in pairs:
        direction = memory.follow(At(objective, x, g), At(objective, x + s, g + y))
        x, g = x + s, g + y
    return direction, g


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@given(seed=SEEDS, n=st.integers(2, 12), count=st.integers(1, 6))
def test_compact_and_gram_forms_are_the_two_loops(dtype, tolerance, seed, n, count):
    pairs, g = random_pairs(np.random.default_rng(seed), n, count)
    # Integers, so that differences of points give the pairs back without rounding.
    pairs = [(np.round(8 * s / np.linalg.norm(s)) / 8, np.round(8 * y) / 8) for s, y in pairs]
    assume(all(s @ y >= 0.05 * np.linalg.norm(s) * np.linalg.norm(y) > 0 for s, y in pairs))
    pairs, g = [(s.astype(dtype), y.astype(dtype)) for s, y in pairs], (np.round(8 * g) / 8).astype(dtype)
    assume(np.any(g))
    s, y = (v.astype(float) for v in pairs[-1])
    gamma = float(s @ y / (y @ y))
    H = gamma * np.eye(n)
    for s, y in pairs:
        H = bfgs_inverse(H, s.astype(float), y.astype(float))
    size = np.linalg.norm(H, 2) * np.linalg.norm(g)
    # What the pairs leave of the precision: a chain of projections may cancel.
    loops = two_loop(pairs, gamma, g)
    S, Y = np.stack([s for s, _ in pairs]), np.stack([y for _, y in pairs])
    assert np.linalg.norm(compact(xp, S, Y, gamma, g) - loops) <= tolerance * size
    objective = Objective(lambda x: x @ x, np.zeros(n, dtype))
    (d, slope), last = follow(Gram(objective, count, True), objective, pairs, g)
    assert np.array_equal(last, g)
    assert d.dtype == dtype
    assert np.linalg.norm(d + loops) <= tolerance * size
    assert abs(slope - float(g.astype(float) @ d.astype(float))) <= tolerance * size * np.linalg.norm(g)


@pytest.mark.parametrize("history", [1, 2, 3])
def test_the_ring_of_pairs_forgets_the_oldest(history):
    rng = np.random.default_rng(1)
    pairs, g = random_pairs(rng, 5, 8)
    objective = Objective(lambda x: x @ x, np.zeros(5))
    (d, _), g = follow(Gram(objective, history, False), objective, pairs, g)
    np.testing.assert_allclose(-d, two_loop(pairs[-history:], 1.0, g), rtol=1e-10, atol=1e-12)


def test_a_pair_without_curvature_is_left_out_and_the_oldest_stays():
    rng = np.random.default_rng(2)
    pairs, g = random_pairs(rng, 5, 3)
    flat = (pairs[0][0], -pairs[0][1])
    objective = Objective(lambda x: x @ x, np.zeros(5))
    (d, _), g = follow(Gram(objective, 3, False), objective, [*pairs, flat], g)
    np.testing.assert_allclose(-d, two_loop(pairs, 1.0, g), rtol=1e-10, atol=1e-12)


@FEW
@given(SEEDS, st.integers(2, 6))
def test_one_pair_without_scaling_has_the_direction_of_hestenes_and_stiefel(seed, n):
    f, g = convex(seed, n)
    run = iterates(LBFGS(history=1, gamma="one", line_search="bisection"), f, g, np.ones(n), 5)
    assert len(run) > 3
    d = -g(run[0])
    for before, x, after in zip(run, run[1:], run[2:], strict=False):
        new, y = g(x), g(x) - g(before)
        d = -new + (new @ y) / (d @ y) * d
        step = after - x
        apart = np.linalg.norm(step / np.linalg.norm(step) - d / np.linalg.norm(d))
        if np.linalg.norm(new) >= 1e-4:  # later the rounding errors of the points show in their differences
            assert apart <= 1e-10


def test_all_pairs_and_no_scaling_are_bfgs():
    x0, options = np.full(4, -1.2), {"line_search": "more_thuente"}
    run = iterates(LBFGS(history=50, gamma="one", **options), rosenbrock, rosenbrock_gradient, x0, 12)
    # The first trial of BFGS may differ, so the points are compared by the directions between them.
    dense = iterates(BFGS(h0="identity", **options), rosenbrock, rosenbrock_gradient, x0, 2)
    steps = [run[2] - run[1], dense[2] - dense[1]]
    steps = [s / np.linalg.norm(s) for s in steps]
    np.testing.assert_allclose(*steps, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_at_most_two_transfers_an_evaluation(form):
    f, g = convex(0, 6)
    with counted() as seen:
        result = minimize(
            lambda x: on_device(f(on_host_quietly(x))), on_device(3 * np.ones(6)),
            jac=lambda x: on_device(g(on_host_quietly(x))), method=LBFGS(form=form), tol=1e-7,
        )  # fmt: skip
    assert result.success
    assert result.x.device == DEVICE
    assert len(seen) > result.nfev  # the values at least
    if form == "gram":
        assert len(seen) <= 2 * result.nfev


def on_host_quietly(x):
    """What the objective itself brings to the host does not count."""
    return np.asarray(x._array)


@pytest.mark.parametrize("form", FORMS)
def test_single_precision_stays_single(form):
    seen = set()

    def fun(x):
        seen.add(x.dtype)
        return rosenbrock(x), rosenbrock_gradient(x)

    result = minimize(fun, np.full(6, -1.2, np.float32), jac=True, method=LBFGS(form=form))
    assert result.success
    assert result.x.dtype == np.float32
    assert seen == {np.dtype(np.float32)}


@pytest.mark.parametrize(("data", "budget"), [("breast_cancer", 100), ("digits", 150)])
def test_logistic_regression_in_single_precision_is_solved_where_scipy_stops_short(data, budget):
    x, t = two_classes(data)
    loss = LogisticRegression(x.astype(np.float32), t, 1e-4)
    for method in ("lbfgs", "bfgs", LBFGS(line_search="hager_zhang"), BFGS(line_search="hager_zhang")):
        result = minimize(loss.value_and_gradient, loss.start, jac=True, method=method, tol=1e-6)
        assert result.success
        assert result.x.dtype == result.jac.dtype == np.float32
        assert np.abs(result.jac).max() <= 1e-6
        if method == "lbfgs":
            assert result.nfev <= budget
    theirs = minimize(loss.value_and_gradient, loss.start, jac=True, method="scipy:l-bfgs-b", tol=1e-6)
    assert np.abs(loss.gradient(theirs.x)).max() > 1e-6


def test_a_failed_search_drops_the_pairs_once_and_then_stops():
    """The gradient turns false once there are pairs, so that no direction descends any more."""
    starts = []

    def g(x):
        sign = 1.0 if len(starts) < 5 else -1.0
        starts.append(x)
        return sign * rosenbrock_gradient(x)

    result = minimize(rosenbrock, np.array([-1.2, 1.0]), jac=g, method=LBFGS(line_search=Armijo(most=30)))
    assert result.status is Status.LINE_SEARCH
    assert not result.success
    assert 60 <= result.nfev <= 70  # two searches that fail, and what was before


@pytest.mark.parametrize("method", ["lbfgs", "bfgs"])
def test_an_objective_that_falls_without_bound_is_said_to(method):
    result = minimize(lambda x: -x.sum(), np.zeros(3), jac=lambda x: -np.ones(3), method=method)
    assert result.status is Status.UNBOUNDED
    assert not result.success


def test_a_minimiser_very_far_away_is_found():
    result = minimize(lambda x: float(((x - 1e15) ** 2).sum()), np.zeros(2), jac=lambda x: 2 * (x - 1e15))
    np.testing.assert_allclose(result.x, 1e15, rtol=1e-12)


@pytest.mark.parametrize("method", ["lbfgs", "bfgs", "dfp", "broyden", "sr1"])
def test_points_where_the_objective_is_not_finite_are_stepped_back_from(method):
    def f(x):
        return float(np.sum(x - np.log(x))) if np.all(x > 0) else np.nan

    result = minimize(f, np.array([5.0, 0.1, 2.0]), jac=lambda x: 1 - 1 / x, method=method, tol=1e-7)
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, atol=1e-6)


def test_the_floor_of_precision_is_not_a_failure_without_end():
    """With gtol = 0 a run ends where rounding errors hide all progress, and says so."""
    f, g = convex(3, 6)
    result = minimize(f, 3 * np.ones(6), jac=g, tol=0.0)
    assert result.status is Status.PRECISION_FLOOR
    assert result.nit < 200
    assert np.abs(result.jac).max() < 1e-8


def test_options_are_checked():
    for options in ({"history": 0}, {"history": 2.5}, {"form": "dense"}, {"gamma": 2}):
        with pytest.raises(OptionError):
            LBFGS(**options)
    assert minimize(rosenbrock, np.array([-1.2, 1.0]), jac=rosenbrock_gradient, options={"history": 3}).success
