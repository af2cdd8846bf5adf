import pickle

import numpy as np
import pytest

from arrayopt import LeafError, OptionError, minimize
from arrayopt.core.method import Status
from arrayopt.sampling.cma_constants import tutorial_constants
from arrayopt.sampling.cmaes import CMAES
from arrayopt.sampling.restarts import Restarted
from arrayopt.sampling.sepcma import SepCMA

X0 = np.array([2.0, -1.0, 3.0])


def rastrigin(x):
    return (x * x + 10 * (1 - np.cos(2 * np.pi * x))).sum(axis=-1)


def sphere(x):
    return (x * x).sum(axis=-1)


def followed(method, fun=rastrigin, seed=0, state=None, most=10**6):
    """Return the state of every generation."""
    state = method.init(X0, seed) if state is None else state
    states = [state]
    while not method.stopped(state) and len(states) < most:
        x = method.ask(state)
        assert x.shape == (state.popsize, 3)
        state = method.tell(state, x, fun(x))
        states.append(state)
    return states


def firsts(states):
    """Return the first state of each run."""
    return [s for i, s in enumerate(states) if i == 0 or s.run != states[i - 1].run]


def test_the_first_run_is_that_of_the_method_bit_for_bit():
    method, plain = Restarted(method=CMAES(sigma=1.0)), CMAES(sigma=1.0)
    state, alone = method.init(X0, 3), plain.init(X0, 3)
    while not plain.stopped(alone):
        x = plain.ask(alone)
        assert np.array_equal(x, method.ask(state))
        state, alone = method.tell(state, x, rastrigin(x)), plain.tell(alone, x, rastrigin(x))
    assert state.run == 1
    assert np.array_equal(state.best_x, alone.best_x)


def test_ipop_doubles_the_population_at_each_restart():
    runs = firsts(followed(Restarted(restarts=4, sigma=1.0, popsize=6)))
    assert [s.popsize for s in runs] == [6, 12, 24, 48, 96]
    assert all(s.sigma == 1.0 for s in runs)
    assert all(np.array_equal(s.inner.mean, X0) for s in runs)


def test_the_search_ends_as_its_last_run_does():
    method = Restarted(restarts=2, sigma=1.0)
    last = followed(method, sphere)[-1]
    assert method.stopped(last).status is Status.CONVERGED
    assert (last.run, last.doublings) == (2, 2)
    none = Restarted(restarts=0, sigma=1.0)
    assert followed(none, sphere)[-1].run == 0


def test_bipop_spends_as_much_on_small_populations_as_on_large_ones():
    method = Restarted(scheme="bipop", restarts=5, sigma=1.0, popsize=6)
    states = followed(method, seed=1)
    runs = firsts(states)
    large = [s for s in runs if not s.small]
    small = [s for s in runs[1:] if s.small]
    assert [s.popsize for s in large] == [12, 24, 48, 96, 192]
    assert all(s.sigma == 1.0 for s in large)
    assert small
    for s in small:
        assert 6 <= s.popsize <= max(6, 6 * 2**s.doublings // 2)
        assert 0.01 <= s.sigma <= 1.0
        assert s.most == s.large_spent // 2
        assert s.small_spent < s.large_spent  # else a large one would be due
    for s in large:
        assert s.small_spent >= s.large_spent
    spent = [s for s in states if s.small and s.run > 0]
    assert all(s.evaluations < s.most + s.popsize for s in spent)
    assert states[-1].t == len(states) - 1


def test_restarts_find_what_one_run_misses():
    one = [followed(CMAES_ALONE, seed=s)[-1].best_f for s in range(8)]
    many = [followed(Restarted(restarts=6, sigma=0.5), seed=s)[-1].best_f for s in range(8)]
    assert sum(f < 1e-8 for f in one) < sum(f < 1e-8 for f in many) == 8


CMAES_ALONE = Restarted(restarts=0, sigma=0.5)


def test_a_run_from_a_stored_state_equals_one_never_interrupted_bit_for_bit():
    method = Restarted(scheme="bipop", restarts=3, sigma=1.0, spread=1.0)
    whole = followed(method, most=700)
    for at in (5, 150, 400):
        stored = pickle.loads(pickle.dumps(whole[at]))
        again = followed(method, state=stored, most=700 - at)
        assert np.array_equal(again[-1].best_x, whole[-1].best_x)
        assert np.array_equal(again[-1].inner.mean, whole[-1].inner.mean)
        assert again[-1]._replace(inner=0, x0=0, best_x=0, best_f=0) == whole[-1]._replace(
            inner=0, x0=0, best_x=0, best_f=0
        )


def test_restarts_begin_anywhere_within_spread_of_x0():
    runs = firsts(followed(Restarted(restarts=5, sigma=1.0, spread=2.0, popsize=4), sphere))
    assert np.array_equal(runs[0].inner.mean, X0)
    away = [np.abs(s.inner.mean - X0) for s in runs[1:]]
    assert all((a > 0).all() and (a <= 2.0).all() for a in away)
    assert np.max(away) > 1.0
    assert len({a[0] for a in away}) == 5


def test_no_two_runs_have_the_same_random_numbers():
    runs = firsts(followed(Restarted(restarts=5, sigma=1.0, growth=1), sphere))
    assert len({s.inner.seed for s in runs}) == 6


def test_any_search_may_be_restarted():
    last = followed(Restarted(method=SepCMA(sigma=1.0), restarts=1), sphere)[-1]
    assert last.run == 1
    assert last.best_f < 1e-10


def test_minus_inf_ends_the_search():
    method = Restarted(restarts=3)
    state = method.init(X0)
    x = method.ask(state)
    state = method.tell(state, x, np.where(np.arange(len(x)) == 2, -np.inf, sphere(x)))
    assert method.stopped(state).status is Status.UNBOUNDED


@pytest.mark.parametrize("name", ["ipop_cmaes", "bipop_cmaes"])
def test_minimize_takes_them_by_name(name):
    result = minimize(
        rastrigin, X0, method=name, options={"sigma": 1.0, "restarts": 3, "vectorized": True, "maxiter": 10**5}
    )
    assert result.success
    assert result.fun < 1e-8
    limited = minimize(rastrigin, X0, method=name, options={"vectorized": True, "maxfun": 100})
    assert limited.nfev <= 100


def test_bad_input_is_refused():
    with pytest.raises(LeafError, match="x0: restarts are for one run"):
        Restarted().init(np.zeros((2, 3)))
    with pytest.raises(OptionError, match="scheme"):
        Restarted(scheme="other")
    with pytest.raises(OptionError, match="restarts"):
        Restarted(restarts=-1)
    with pytest.raises(OptionError, match="popsize"):
        Restarted(popsize=1)
    with pytest.raises(OptionError, match="sigma"):
        Restarted(sigma=0.0)
    with pytest.raises(OptionError, match="method must be a search"):
        Restarted(method="cmaes")
    with pytest.raises(OptionError, match="constants"):
        Restarted(method=CMAES(constants=tutorial_constants(3, 7)))
