"""The conditions for an end, one by one: on runs that meet them, and on records made by hand."""

import numpy as np
import pytest

from arrayopt.core.method import Status
from arrayopt.sampling.cmaes import CMAES
from arrayopt.sampling.endings import ENDINGS, Shape, Tolerances, begun, ended, patience, recorded
from arrayopt.sampling.sepcma import SepCMA

NEVER = Tolerances(-1.0, -1.0, -1.0, 0.0, 0.0, np.inf, np.inf, np.inf, 10**9)


def until(method, fun, x0, seed=0, most=5000):
    state = method.init(x0, seed)
    while not method.stopped(state) and state.t < most:
        x = method.ask(state)
        state = method.tell(state, x, fun(x))
    return state, method.stopped(state)


def sphere(x):
    return (x * x).sum(axis=-1)


def quiet(**given):
    """Return CMA-ES without the conditions on values."""
    return CMAES(**{"sigma": 1.0, "tolfun": 0.0, "tolfunhist": 0.0, "tolx": 0.0, **given})


def test_every_ending_has_a_name_of_pycma_or_none():
    names = {detail.partition(":")[0] for _, detail in ENDINGS if ":" in detail}
    assert names == {
        "tolfun", "tolfunhist", "tolx", "tolflatfitness", "noeffectcoord", "noeffectaxis", "tolconditioncov",
        "tolstagnation", "tolxstagnation", "tolfacupx", "tolupsigma",
    }  # fmt: skip


def test_tolfun_when_the_values_are_close():
    state, stop = until(quiet(tolfun=1e-6), sphere, np.ones(3))
    assert "tolfun:" in str(stop)
    assert stop.status is Status.CONVERGED
    assert np.ptp(state.record.values) < 1e-6
    assert np.ptp(state.record.last) < 1e-6


def test_tolfunhist_when_the_best_values_are_close():
    state, stop = until(quiet(tolfunhist=1e-6), sphere, np.ones(3))
    assert "tolfunhist:" in str(stop)
    assert np.ptp(state.record.last) < 1e-6
    assert state.record.last.shape[1] == 10 + int(30 * 3 / 7)  # the last generations


def test_tolx_when_the_standard_deviations_are_small():
    state, stop = until(quiet(tolx=1e-5), sphere, np.ones(3))
    assert "tolx:" in str(stop)
    assert (state.model.sigma * np.sqrt(np.diag(state.model.C)) < 1e-5).all()


def test_tolflatfitness_on_a_plateau():
    state, stop = until(quiet(tolflatfitness=4), lambda x: np.floor(sphere(x)) * 0 + 7.0, np.ones(3))
    assert "tolflatfitness:" in str(stop)
    assert state.t == 5
    assert stop.status is Status.NO_PROGRESS


def test_noeffectcoord_when_a_coordinate_is_too_large_for_its_steps():
    _, stop = until(quiet(), lambda x: sphere(x - 1.0), np.array([1.0, 1e17]), most=2000)
    assert "noeffectcoord:" in str(stop)


def test_noeffectaxis_when_an_axis_is_lost():
    # C = diag(1, 1e-34): the second axis is far below the rounding of the mean; the coordinate alone would say so too.
    method = quiet()
    state = method.init(np.ones(2), C=np.diag([1.0, 1e-34]))
    shape = Shape(np.ones((1, 2)), np.ones((1, 2)), None, np.array([[0.0, 1e-17]]), None, np.ones(1), 1.0)
    state = method.tell(state, method.ask(state), np.arange(6.0))
    assert ended(state.record, shape, NEVER, 1, 6) == [8]
    assert ended(state.record, shape._replace(axis=np.array([[0.0, 1e-3]])), NEVER, 1, 6) == [0]


def test_tolconditioncov_when_C_is_ill_conditioned_and_in_single_precision_earlier():
    def cigar(x):
        return x[:, 0] ** 2 + 1e30 * x[:, 1] ** 2

    state, stop = until(quiet(tolfacupx=1e30), cigar, np.ones(2))
    assert "tolconditioncov:" in str(stop)
    assert np.linalg.cond(state.model.C) > 1e13
    single, stop = until(quiet(tolfacupx=1e30), lambda x: x[:, 0] ** 2 + 1e12 * x[:, 1] ** 2, np.ones(2, np.float32))
    assert "tolconditioncov:" in str(stop)
    assert (np.max(single.model.D) / np.min(single.model.D)) ** 2 > 0.2 / np.finfo(np.float32).eps


def test_tolfacupx_where_the_objective_falls_for_ever():
    state, stop = until(quiet(tolfacupx=100.0), lambda x: x[:, 0], np.zeros(3))
    assert "tolfacupx:" in str(stop)
    assert stop.status is Status.UNBOUNDED
    assert (state.model.sigma * np.sqrt(np.diag(state.model.C))).max() > 100


def test_tolupsigma_when_sigma_grows_without_C():
    shape = Shape(np.ones((2, 1)), np.ones((2, 1)), None, None, None, np.array([2e3, 2e4]), 1.0)
    record = begun(np.zeros((2, 1)), np.ones((2, 1)))
    record = recorded(record, np.array([[1.0, 2.0, 3.0]] * 2), None, np.ones((2, 1)), 1, 40, 1e-9)
    assert list(ended(record, shape, NEVER._replace(tolupsigma=1e4), 1, 3)) == [0, 13]


def test_tolxstagnation_when_the_mean_stays():
    record = begun(np.zeros((2, 2)), np.ones((2, 2)))
    shape = Shape(np.ones((2, 2)), np.ones((2, 2)), None, None, None, np.ones(2), 1.0)
    codes = []
    for t in range(1, 60):
        mean = np.array([[1.0, 1.0], [1.0, 1.0 + 1e-6 * t]])
        record = recorded(record, np.array([[-t, 1.0, 2.0]] * 2), None, mean, t, 40, 1e-9)
        codes.append(ended(record, shape, NEVER, t, 3).tolist())
    first = next(t for t, c in enumerate(codes, 1) if c[0])
    assert codes[first - 1] == [11, 0]
    assert first - 1 > patience(first)  # the mean came to where it is in generation 1
    assert not first - 2 > patience(first - 1)


def test_tolstagnation_when_best_and_median_do_not_fall():
    # A noisy plateau far from flat; only the second run still falls.
    rng = np.random.default_rng(0)
    record = begun(np.zeros((2, 2)), np.ones((2, 2)))
    shape = Shape(np.ones((2, 2)), np.ones((2, 2)), None, None, None, np.ones(2), 1.0)
    tol, found = NEVER._replace(tolstagnation=150.0), None
    for t in range(1, 1200):
        values = np.sort(rng.random((2, 10)) + np.array([[0.0], [-0.01 * t]]), axis=1)
        better = np.array([t < 20, True])
        record = recorded(record, values, better, np.full((2, 2), float(t)), t, 40, 1e-9)
        codes = ended(record, shape, tol, t, 10)
        assert codes[1] == 0
        if codes[0]:
            found = t
            break
    assert codes[0] == 10
    assert found > 500  # no sooner than a hundred records
    assert ended(record, shape, NEVER, found, 10)[0] == 0  # 0 turns it off


def test_a_mean_that_is_not_finite_ends_the_run():
    record = begun(np.zeros((2, 1)), np.ones((2, 1)))
    record = recorded(record, np.array([[1.0, 2.0]] * 2), None, np.array([[0.0], [np.nan]]), 1, 40, 1e-9)
    shape = Shape(np.array([[0.0], [np.nan]]), np.ones((2, 1)), None, None, None, np.ones(2), 1.0)
    assert list(ended(record, shape, NEVER, 1, 2)) == [0, 14]


def test_of_several_endings_the_one_that_says_most_is_told():
    method = CMAES(sigma=1.0, tolx=1e3)
    state = method.init(np.ones(2))
    state = method.tell(state, method.ask(state), np.full(6, -np.inf))
    assert method.stopped(state).status is Status.UNBOUNDED


def test_of_many_runs_the_ending_of_the_best_is_told():
    method = SepCMA(sigma=1.0)
    state = method.init(np.zeros((2, 2)))
    for _ in range(3):
        x = method.ask(state)
        state = method.tell(state, x, np.stack([np.full(6, np.inf), np.full(6, 1.0)]))
    assert state.record.ended.tolist() == [2, 3]
    assert method.stopped(state).status is Status.CONVERGED


def test_a_search_that_has_not_begun_has_not_ended():
    assert CMAES().stopped(CMAES().init(np.zeros(2))) is None


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_single_bad_values_end_nothing(bad):
    method = CMAES()
    state = method.init(np.ones(4))
    for _ in range(30):
        x = method.ask(state)
        f = sphere(x)
        f[::2] = bad
        state = method.tell(state, x, f)
        assert method.stopped(state) is None
