import itertools

import numpy as np
import pytest
from scipy import optimize

from arrayopt.core.method import Status
from arrayopt.core.objective import Objective
from arrayopt.errors import OptionError
from arrayopt.problems import logistic_on
from arrayopt.secondorder import ConjugateGradient
from arrayopt.secondorder.conjugate_gradient import SHARES, Turn
from arrayopt.secondorder.line_search import Armijo, HagerZhang, MoreThuente, WeakWolfe
from arrayopt.solve import minimize
from tests.secondorder.smooth import convex, iterates, quadratic, rosenbrock, rosenbrock_gradient
from tests.secondorder.transfers import DEVICE, counted, on_device

BETAS = list(SHARES)


def turned(g, d, new):
    """Return the inner products of a turn, computed from its vectors."""
    y = new - g
    return Turn(gg=g @ g, gd=g @ d, dd=d @ d, new_gg=new @ new, new_gd=new @ d, new_gy=new @ y, yy=y @ y)


# The formulas ----------------------------------------------------------------------------------------------------


def test_the_formulas_by_hand():
    g, d, new = np.array([1.0, 2.0]), np.array([-1.0, -1.0]), np.array([2.0, -1.0])
    # y = (1, -3), g'g = 5, g'd = -3, d'd = 2, g+'g+ = 5, g+'d = -1, g+'y = 5, y'y = 10, d'y = 2
    expected = {"fr": 1.0, "pr+": 1.0, "hs+": 2.5, "dy": 2.5, "hz": (5 - 2 * 10 * -1 / 2) / 2, "pr-fr": 1.0}
    assert {name: share(turned(g, d, new)) for name, share in SHARES.items()} == expected


def test_the_formulas_with_a_plus_are_never_negative_and_the_hybrid_is_bounded():
    g, d, new = np.array([1.0, 0.0]), np.array([-1.0, 0.0]), np.array([0.5, 0.0])  # g+'y = -1/4, d'y = 1/2
    assert SHARES["pr+"](turned(g, d, new)) == SHARES["hs+"](turned(g, d, new)) == 0.0
    assert SHARES["pr-fr"](turned(g, d, new)) == -0.25
    new = np.array([-0.5, 0.0])  # g+'y = 3/4
    assert SHARES["pr+"](turned(g, d, new)) == 0.75
    assert SHARES["pr-fr"](turned(g, d, new)) == 0.25


@pytest.mark.parametrize("beta", BETAS)
def test_the_host_follows_the_slope_of_the_direction(beta):
    # The run computes g'd from inner products of gradients; what Wolfe's rules are given must be g'd.
    class Spy(Objective):
        def at(self, x, d=None):
            if d is not None and (not directions or directions[-1] is not d):
                directions.append(d)
            return super().at(x, d)

    directions, older = [], None
    f, g = convex(3, 6)
    objective = Spy(f, np.ones(6), jac=g)
    point = objective.at(objective.x0)
    for k, new in zip(range(15), ConjugateGradient(beta=beta).iterates(objective, point), strict=False):
        d, before = directions[k], point.g
        step = new.x - point.x
        np.testing.assert_allclose(step, new.step * d, atol=1e-14)
        assert before @ d < 0
        assert before @ d <= -0.0099 * (before @ before)
        if k:
            y, (old, last) = before - older, (directions[k - 1], older)
            t = Turn(last @ last, last @ old, old @ old, before @ before, before @ old, before @ y, y @ y)
            np.testing.assert_allclose(d, SHARES[beta](t) * old - before, atol=1e-9 * np.linalg.norm(d))
        older, point = before, new


# Runs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["slope", "hager_zhang"])
@pytest.mark.parametrize("beta", BETAS)
def test_rosenbrock(beta, first):
    options = {"beta": beta, "first": first, "gtol": 1e-8}
    result = minimize(rosenbrock, np.full(6, -1.2), jac=rosenbrock_gradient, method="cg", options=options)
    assert result.success
    assert np.abs(rosenbrock_gradient(result.x)).max() <= 1e-8


@pytest.mark.parametrize("line_search", [Armijo(), WeakWolfe(), MoreThuente(), HagerZhang(), "hager_zhang", "auto"])
@pytest.mark.parametrize("beta", BETAS)
def test_other_line_searches(beta, line_search):
    f, g = convex(1, 5)
    result = minimize(f, np.ones(5), jac=g, method=ConjugateGradient(beta=beta, line_search=line_search))
    assert result.success


def asked_for(f, g, x0, count, **options):
    """Return the points that a run evaluates, x0 first, and its iterates."""
    asked = []

    def seen(x):
        asked.append(x)
        return f(x)

    return asked, iterates(ConjugateGradient(**options), seen, g, x0, count)


def test_the_first_trials_keep_the_change_that_the_slope_promises():
    f, g = convex(2, 4)
    asked, (x0, x1) = asked_for(f, g, np.ones(4), 1)
    assert np.linalg.norm(asked[1] - x0) == pytest.approx(1.0)
    used = len(asked)
    asked, _ = asked_for(f, g, np.ones(4), 2)
    following = asked[used] - x1
    assert following @ g(x1) == pytest.approx((x1 - x0) @ g(x0))


def test_the_first_trials_of_hager_and_zhang():
    f, g, c, A = quadratic(3, 4, 10.0)
    x0 = np.array([1.0, -5.0, 2.0, 0.0])
    asked, run = asked_for(f, g, x0, 1, first="hager_zhang")
    np.testing.assert_allclose(asked[1] - x0, -0.01 * 5.0 / np.abs(g(x0)).max() * g(x0), rtol=1e-12)
    used, step = len(asked), run[1] - x0
    asked, run = asked_for(f, g, x0, 2, first="hager_zhang")
    # A value at a tenth of the last length; then the minimiser of the parabola, which a quadratic is.
    probe, trial = asked[used] - run[1], asked[used + 1] - run[1]
    length = np.linalg.norm(step) / np.linalg.norm(g(x0))
    d = probe / (0.1 * length)
    np.testing.assert_allclose(trial, -(g(run[1]) @ d) / (d @ A @ d) * d, rtol=1e-6)
    # From 0 the first trial is measured by f, or, where that is 0 too, is of length 1.
    asked, _ = asked_for(lambda x: 7.0 + f(x), g, np.zeros(4), 1, first="hager_zhang")
    np.testing.assert_allclose(asked[1], -0.01 * 7.0 / (g(0 * c) @ g(0 * c)) * g(0 * c), rtol=1e-12)
    asked, _ = asked_for(f, g, np.zeros(4), 1, first="hager_zhang")
    assert np.linalg.norm(asked[1]) == pytest.approx(1.0)


def test_without_a_parabola_the_first_trial_is_twice_the_last_step():
    # It is concave along the path, so that no parabola through the probe has a minimiser.
    asked, run = asked_for(lambda x: -float(x @ x), lambda x: -2 * x, np.ones(1), 2, first="hager_zhang",
                           line_search="armijo")  # fmt: skip
    probe, trial = asked[-2] - run[1], asked[-1] - run[1]
    np.testing.assert_allclose(trial, 20 * probe)


def test_restarts():
    f, g = convex(0, 8)

    def directions(**options):
        """Return which steps go along the negative gradient."""
        run = iterates(ConjugateGradient(beta="fr", **options), f, g, np.full(8, 3.0), 9)
        pairs = [(b - a, -g(a)) for a, b in itertools.pairwise(run)]
        return [bool(s @ d >= (1 - 1e-9) * np.linalg.norm(s) * np.linalg.norm(d)) for s, d in pairs]

    assert directions() == [True] + 8 * [False]
    assert directions(restart=0.25) == [True, False] * 4 + [True]  # after 2 of 8
    assert directions(descent=1e3) == 9 * [True]
    with_powell = directions(powell=True)
    assert any(with_powell[1:])
    assert not all(with_powell)


def test_a_failed_search_is_tried_again_along_the_gradient_and_then_ends_the_run():
    calls = []

    def f(x):  # after ten evaluations nothing is lower
        calls.append(x)
        return rosenbrock(x) if len(calls) <= 10 else 1e3

    result = minimize(f, np.full(4, -1.2), jac=rosenbrock_gradient, method="cg")
    assert result.status is Status.LINE_SEARCH
    assert not result.success
    last, tried = result.x, np.array(calls[10:]) - result.x
    assert result.fun == rosenbrock(last)
    d = -rosenbrock_gradient(last)
    along = np.abs(tried @ d) >= (1 - 1e-6) * np.linalg.norm(tried, axis=1) * np.linalg.norm(d)
    assert not along[0]
    assert along[-1]


def test_a_square_that_underflows_is_said():
    result = minimize(lambda x: 1e-200 * x @ x, np.ones(3), jac=lambda x: 2e-200 * x, method="cg", tol=0.0)
    assert result.status is Status.NO_PROGRESS
    assert "underflows" in result.message


@pytest.mark.parametrize("beta", BETAS)
def test_at_most_two_transfers_an_evaluation(beta):
    f, g = convex(0, 6)
    with counted() as seen:
        result = minimize(
            lambda x: on_device(f(np.asarray(x._array))), on_device(3 * np.ones(6)),
            jac=lambda x: on_device(g(np.asarray(x._array))), method="cg", options={"beta": beta, "gtol": 1e-7},
        )  # fmt: skip
    assert result.success
    assert result.x.device == DEVICE
    assert len(seen) <= 2 * result.nfev


@pytest.mark.parametrize("beta", BETAS)
def test_single_precision_stays_single(beta):
    seen = set()

    def f(x):
        seen.add(x.dtype)
        return np.float32(rosenbrock(x))

    result = minimize(f, np.full(4, -1.2, np.float32), jac=rosenbrock_gradient, method="cg", options={"beta": beta})
    assert result.success
    assert seen == {np.dtype(np.float32)}
    assert result.x.dtype == result.jac.dtype == np.float32


def evaluations(problem, run):
    """Return the points that a solver evaluates until the largest component of the gradient is within 1e-8."""

    class Enough(Exception):
        pass

    seen = set()

    def both(w):
        seen.add(w.tobytes())
        value, gradient = problem.value_and_gradient(w)
        if np.abs(gradient).max() <= 1e-8:
            raise Enough
        return value, gradient

    with pytest.raises(Enough):
        run(both, np.zeros(problem.n))
    return len(seen)


@pytest.mark.parametrize(
    ("data", "penalty"), [("breast_cancer", 1 / 569), ("breast_cancer", 1e-4), ("digits", 1 / 1797), ("digits", 1e-4)]
)
def test_logistic_regression_takes_at_most_55_percent_of_the_evaluations_of_scipy(data, penalty):
    problem, unending = logistic_on(data, penalty), {"gtol": 0.0, "maxiter": 10**5}
    ours = evaluations(problem, lambda both, x: minimize(both, x, jac=True, method="cg", options=unending))
    scipys = evaluations(problem, lambda both, x: optimize.minimize(both, x, jac=True, method="CG", options=unending))
    assert ours <= 0.55 * scipys


def test_options_are_checked():
    with pytest.raises(OptionError, match="beta must be one of 'fr', 'pr\\+'"):
        ConjugateGradient(beta="pr")
    with pytest.raises(OptionError, match="restart"):
        ConjugateGradient(restart=0)
    with pytest.raises(OptionError, match="there is no 'wolfe'"):
        minimize(rosenbrock, np.zeros(2), jac=rosenbrock_gradient, method="cg", options={"line_search": "wolfe"})
