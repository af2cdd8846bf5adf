import math

import numpy as np
import pytest

from arrayopt import minimize
from arrayopt.sampling.cma_constants import tutorial_constants
from arrayopt.sampling.cmaes import CMAES
from arrayopt.sampling.sepcma import SepCMA


def ellipsoid(x):
    n = x.shape[-1]
    return (x * x * 10.0 ** (6 * np.arange(n) / max(1, n - 1))).sum(axis=-1)


def solved(method, fun, x0, seed=0):
    state = method.init(x0, seed)
    while not method.stopped(state):
        x = method.ask(state)
        state = method.tell(state, x, fun(x))
    return state


def test_it_learns_n_plus_two_thirds_times_as_fast():
    k, sep = tutorial_constants(10, 10, active=False), SepCMA().settled(10)
    assert sep.c_1 == pytest.approx(4 * k.c_1, rel=1e-15)
    assert sep.c_mu == pytest.approx(4 * k.c_mu, rel=1e-15)
    assert sep.c_1 == pytest.approx(0.0611352981, abs=5e-10)
    assert sep.c_1 + sep.c_mu <= 1


def test_the_update_is_that_of_cma_es_on_the_diagonal():
    # With C diagonal, the mean, the paths, sigma and the diagonal of C move as in CMA-ES with the same constants.
    n = 4
    sep = SepCMA(sigma=0.4)
    full = CMAES(sigma=0.4, constants=sep.settled(n), lazy=1e-9)
    state = sep.init(np.linspace(1, 2, n), seed=3)
    for _ in range(30):
        x = sep.ask(state)
        other = full.init(state.mean)
        m = state.model
        C = np.diag(m.c)
        order = np.argsort(m.c)
        model = other.model._replace(
            sigma=m.sigma, C=C, B=np.eye(n)[:, order], D=np.sqrt(m.c[order]), p_sigma=m.p_sigma, p_c=m.p_c
        )
        other = other._replace(t=state.t, model=model)
        state, other = sep.tell(state, x, ellipsoid(x)), full.tell(other, x, ellipsoid(x))
        assert np.allclose(state.mean, other.mean, rtol=1e-12)
        assert np.allclose(state.model.sigma, other.model.sigma, rtol=1e-12)
        assert np.allclose(state.model.p_sigma, other.model.p_sigma, rtol=1e-10, atol=1e-12)
        assert np.allclose(state.model.p_c, other.model.p_c, rtol=1e-10, atol=1e-12)
        assert np.allclose(state.model.c, np.diag(other.model.C), rtol=1e-12)


def test_on_a_separable_function_it_is_quicker_than_cma_es_and_on_a_rotated_one_slower():
    n = 10
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))[0]

    def generations(method, fun):
        return sum(solved(method, fun, np.ones(n), s).t for s in range(3))

    tolerant = {"tolfun": 1e-6, "tolfunhist": 1e-6}
    sep, full = SepCMA(sigma=1.0, **tolerant), CMAES(sigma=1.0, **tolerant)
    assert generations(sep, ellipsoid) < generations(full, ellipsoid)
    full, sep = (m.init(np.ones(n), 1) for m in (CMAES(sigma=1.0), SepCMA(sigma=1.0)))
    for _ in range(600):
        x, y = CMAES().ask(full), SepCMA().ask(sep)
        full, sep = CMAES().tell(full, x, ellipsoid(x @ Q.T)), SepCMA().tell(sep, y, ellipsoid(y @ Q.T))
    assert full.best_f < 1e-8
    assert sep.best_f > 1.0


def test_a_million_dimensions_fit():
    method = SepCMA(sigma=0.1, popsize=4)
    state = method.init(np.ones(1_000_000))
    x = method.ask(state)
    state = method.tell(state, x, np.einsum("ij,ij->i", x, x))
    assert np.isfinite(state.mean).all()
    assert state.best_f < 1_020_000
    assert method.stopped(state) is None


def test_minimize_takes_it_by_name():
    result = minimize(ellipsoid, np.ones(5), method="sepcma", options={"vectorized": True, "sigma": 0.5})
    assert result.success
    assert result.fun < 1e-10
    assert math.isfinite(result.nfev)
