import math

import numpy as np
import pytest

from arrayopt import OptionError, minimize
from arrayopt.core.method import Status
from arrayopt.sampling.cma_constants import tutorial_constants
from arrayopt.sampling.cmaes import CMAES
from arrayopt.sampling.shaping import utilities
from arrayopt.sampling.snes import SNES
from arrayopt.sampling.xnes import XNES


def rosenbrock(x):
    return (100 * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2).sum(axis=-1)


def test_xnes_is_its_equations_written_as_loops():
    # The exponential of a symmetric matrix by its power series.
    def exponential(M):
        total = term = np.eye(len(M))
        for k in range(1, 40):
            term = term @ M / k
            total = total + term
        return total

    method, n, popsize = XNES(sigma=0.5), 3, 7
    state = method.init(np.array([0.5, -1.0, 2.0]), seed=3)
    mean, sigma, B = state.mean, 0.5, np.eye(n)
    rate = (3 / 5) * (3 + math.log(n)) / (n * math.sqrt(n))
    for _ in range(40):
        x = method.ask(state)
        f = rosenbrock(x)
        state = method.tell(state, x, f)
        s = [np.linalg.inv(B) @ (x[i] - mean) / sigma for i in np.argsort(f)]
        u = utilities(popsize)
        delta = sum(ui * si for ui, si in zip(u, s, strict=True))
        G = sum(ui * (np.outer(si, si) - np.eye(n)) for ui, si in zip(u, s, strict=True))
        mean = mean + sigma * B @ delta
        trace = np.trace(G) / n
        sigma *= math.exp(rate / 2 * trace)
        B = B @ exponential(rate / 2 * (G - trace * np.eye(n)))
        assert np.allclose(state.mean, mean, rtol=1e-9, atol=1e-11)
        assert np.allclose(state.model.B, B, rtol=1e-8, atol=1e-10)
        assert state.model.sigma[0] == pytest.approx(sigma, rel=1e-9)


def test_snes_is_its_equations_written_as_loops():
    method, n = SNES(sigma=0.5), 3
    state = method.init(np.array([0.5, -1.0, 2.0]), seed=3)
    mean, std = state.mean, np.full(n, 0.5)
    rate = (3 + math.log(n)) / (5 * math.sqrt(n))
    for _ in range(40):
        x = method.ask(state)
        f = rosenbrock(x)
        state = method.tell(state, x, f)
        s = (x[np.argsort(f)] - mean) / std
        u = utilities(7)
        mean = mean + std * sum(ui * si for ui, si in zip(u, s, strict=True))
        std = std * np.exp(rate / 2 * sum(ui * (si * si - 1) for ui, si in zip(u, s, strict=True)))
        assert np.allclose(state.mean, mean, rtol=1e-11, atol=1e-13)
        assert np.allclose(state.model.std, std, rtol=1e-11)


def test_the_determinant_of_B_stays_one():
    method = XNES(sigma=0.5)
    state = method.init(np.array([0.5, -1.0, 2.0]), seed=3)
    for _ in range(100):
        x = method.ask(state)
        state = method.tell(state, x, rosenbrock(x))
    assert np.linalg.det(state.model.B) == pytest.approx(1.0, rel=1e-10)


def test_the_step_of_xnes_is_to_first_order_the_one_of_cma_es_of_rank_mu():
    # With the same weights and a rate that goes to 0, both move C by the natural gradient; the rest is O(rate^2).
    n, popsize, u = 3, 10, utilities(10)
    x0, errors = np.array([0.1, -0.2, 0.6]), []
    for rate in (1e-2, 1e-3, 1e-4):
        k = tutorial_constants(n, popsize).replace(c_1=0.0, c_mu=rate, c_sigma=0.0)
        natural = XNES(sigma=1.0, popsize=popsize, eta_sigma=rate, eta_B=rate)
        state = natural.init(x0, seed=1)
        x = natural.ask(state)
        new = natural.tell(state, x, rosenbrock(x))
        C = new.model.sigma[0] ** 2 * new.model.B @ new.model.B.T
        d = (x - state.mean)[np.argsort(rosenbrock(x))]
        step = sum(ui * (np.outer(di, di) - np.eye(n)) for ui, di in zip(u, d, strict=True))
        errors.append(abs(C - np.eye(n) - rate * step).max() / rate)
        # and the rule of rank mu with those weights, from CMAES itself, has no rest at all
        plain = CMAES(sigma=1.0, popsize=popsize, constants=k.replace(weights=tuple(np.where(u > 0, u, 0.0))))
        other = plain.tell(plain.init(state.mean), x, rosenbrock(x))
        up = sum(max(ui, 0) * (np.outer(di, di) - np.eye(n)) for ui, di in zip(u, d, strict=True))
        assert np.allclose(other.model.C, np.eye(n) + rate * up, rtol=1e-12, atol=1e-14)
    assert errors[1] < errors[0] / 5
    assert errors[2] < errors[1] / 5


@pytest.mark.parametrize("method", ["xnes", "snes"])
def test_minimize_takes_them_by_name(method):
    def sphere(x):
        return float(((x - 2) ** 2).sum())

    result = minimize(sphere, np.zeros(4), method=method, options={"sigma": 1.0})
    assert result.success
    assert np.allclose(result.x, 2.0, atol=1e-4)


def test_points_far_from_the_sample_end_a_run_as_not_finite():
    method = XNES()
    state = method.init(np.zeros(2))
    state = method.tell(state, method.ask(state) * 1e4, np.arange(6.0))
    assert method.stopped(state).status is Status.NOT_FINITE


@pytest.mark.parametrize("options", [{"eta_sigma": 0.0}, {"eta_B": -1.0}, {"eta_mean": 0.0}, {"eta_B": "x"}])
def test_bad_rates_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        XNES(**options)
    if "eta_sigma" in options:
        with pytest.raises(OptionError, match="eta_sigma"):
            SNES(**options)
