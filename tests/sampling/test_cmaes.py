import math

import numpy as np
import pytest

from arrayopt import LeafError, OptionError, minimize
from arrayopt.sampling.cma_constants import tutorial_constants
from arrayopt.sampling.cmaes import CMAES


def sphere(x):
    return (x * x).sum(axis=-1)


def ellipsoid(x):
    n = x.shape[-1]
    return (x * x * 10.0 ** (6 * np.arange(n) / max(1, n - 1))).sum(axis=-1)


def rosenbrock(x):
    return (100 * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2).sum(axis=-1)


def solved(method, fun, x0, seed=0, **given):
    state = method.init(x0, seed, **given)
    while not method.stopped(state):
        x = method.ask(state)
        state = method.tell(state, x, fun(x))
    return state


class ByThePaper:
    """The equations of the tutorial's figure 6, one by one: plain loops, no matrix product, C decomposed each time."""

    def __init__(self, mean, sigma, popsize):
        n = self.n = len(mean)
        raw = [math.log((popsize + 1) / 2) - math.log(i) for i in range(1, popsize + 1)]
        self.mu = popsize // 2
        positive = sum(raw[: self.mu])
        self.mu_eff = positive**2 / sum(w**2 for w in raw[: self.mu])
        negative = sum(abs(w) for w in raw[self.mu :])
        mu_minus = negative**2 / sum(w**2 for w in raw[self.mu :])
        self.cs = (self.mu_eff + 2) / (n + self.mu_eff + 5)
        self.ds = 1 + 2 * max(0, math.sqrt((self.mu_eff - 1) / (n + 1)) - 1) + self.cs
        self.cc = (4 + self.mu_eff / n) / (n + 4 + 2 * self.mu_eff / n)
        self.c1 = 2 / ((n + 1.3) ** 2 + self.mu_eff)
        self.cmu = min(1 - self.c1, 2 * (self.mu_eff - 2 + 1 / self.mu_eff) / ((n + 2) ** 2 + self.mu_eff))
        alpha = min(1 + self.c1 / self.cmu, 1 + 2 * mu_minus / (self.mu_eff + 2))
        alpha = min(alpha, (1 - self.c1 - self.cmu) / (n * self.cmu))
        self.w = [w / positive if w >= 0 else w * alpha / negative for w in raw]
        self.chi = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))
        self.m, self.sigma, self.C = np.array(mean), sigma, np.eye(n)
        self.ps, self.pc, self.g, self.stalls = np.zeros(n), np.zeros(n), 0, 0

    def tell(self, x, f):
        n = self.n
        d2, B = np.linalg.eigh(self.C)
        root = B @ np.diag(1 / np.sqrt(d2)) @ B.T
        y = [(x[i] - self.m) / self.sigma for i in np.argsort(f, kind="stable")]
        step = sum(w * v for w, v in zip(self.w[: self.mu], y, strict=False))
        self.m = self.m + self.sigma * step
        self.ps = (1 - self.cs) * self.ps + math.sqrt(self.cs * (2 - self.cs) * self.mu_eff) * root @ step
        length = np.linalg.norm(self.ps)
        h = 1 if length / math.sqrt(1 - (1 - self.cs) ** (2 * (self.g + 1))) < (1.4 + 2 / (n + 1)) * self.chi else 0
        self.stalls += 1 - h
        self.pc = (1 - self.cc) * self.pc + h * math.sqrt(self.cc * (2 - self.cc) * self.mu_eff) * step
        delta = (1 - h) * self.cc * (2 - self.cc)
        C = (1 + self.c1 * delta - self.c1 - self.cmu * sum(self.w)) * self.C + self.c1 * np.outer(self.pc, self.pc)
        for w, v in zip(self.w, y, strict=True):
            scale = 1 if w >= 0 else n / np.linalg.norm(root @ v) ** 2
            C = C + self.cmu * w * scale * np.outer(v, v)
        self.C, self.g = C, self.g + 1
        self.sigma *= math.exp(self.cs / self.ds * (length / self.chi - 1))


def linear(x):
    return x[..., 0] + 0.5 * x[..., 1]


@pytest.mark.parametrize("fun", [sphere, ellipsoid, rosenbrock, linear])
def test_the_update_is_the_one_of_the_paper_written_as_loops(fun):
    # lazy is so small that C is decomposed in every generation, as there.
    method, x0 = CMAES(sigma=0.7, popsize=9, lazy=1e-9), np.array([1.0, -2.0, 0.5, 3.0])
    state, other = method.init(x0, seed=5), ByThePaper(x0, 0.7, 9)
    for _ in range(60):
        x = method.ask(state)
        f = fun(x)
        state = method.tell(state, x, f)
        other.tell(x, f)
        assert np.allclose(state.mean, other.m, rtol=1e-9, atol=1e-12)
        assert np.allclose(state.model.C, other.C, rtol=1e-8, atol=1e-10 * abs(other.C).max())
        assert state.model.sigma[0] == pytest.approx(other.sigma, rel=1e-9)
        assert np.allclose(state.model.p_sigma, other.ps, atol=1e-8)
        assert np.allclose(state.model.p_c, other.pc, atol=1e-8)
    if fun is linear:
        assert 0 < other.stalls < 60  # so that both values of h are met


def test_two_steps_in_one_dimension_are_those_computed_by_hand():
    # n = 1, popsize 2: one parent, mu_eff = 1, c_sigma = 3/7, d_sigma = 10/7, c_c = 5/7, c_1 = 2 / 6.29, c_mu = 0.
    method, state = CMAES(sigma=2.0, popsize=2), CMAES(sigma=2.0, popsize=2).init(np.array([1.0]))
    root = math.sqrt(3 / 7 * (2 - 3 / 7))  # = 0.82065...
    chi, c_1, c_c = 1 - 1 / 4 + 1 / 21, 2 / 6.29, 5 / 7
    state = method.tell(state, np.array([[3.0], [0.0]]), np.array([7.0, 5.0]))
    # The better point is 0: y = -1/2.
    assert state.mean[0] == 0.0
    assert state.model.p_sigma[0] == pytest.approx(-root / 2, rel=1e-15)
    p_c = -math.sqrt(c_c * (2 - c_c)) / 2
    assert state.model.p_c[0] == pytest.approx(p_c, rel=1e-15)
    C = 1 - c_1 + c_1 * p_c**2
    assert state.model.C[0, 0] == pytest.approx(C, rel=1e-14)
    sigma = 2 * math.exp(0.3 * (root / 2 / chi - 1))
    assert state.model.sigma[0] == pytest.approx(sigma, rel=1e-14)
    # c_1 + c_mu = 0.318 asks for a decomposition each generation. Now the better point is 1: y = 1 / sigma.
    state = method.tell(state, np.array([[1.0], [-1.0]]), np.array([2.0, 2.5]))
    y = 1 / sigma
    assert state.mean[0] == pytest.approx(1.0, rel=1e-15)
    p_sigma = 4 / 7 * (-root / 2) + root * y / math.sqrt(C)
    p_c = 2 / 7 * p_c + math.sqrt(c_c * (2 - c_c)) * y
    assert state.model.p_sigma[0] == pytest.approx(p_sigma, rel=1e-14)
    assert state.model.p_c[0] == pytest.approx(p_c, rel=1e-14)
    assert state.model.C[0, 0] == pytest.approx((1 - c_1) * C + c_1 * p_c**2, rel=1e-14)
    assert state.model.sigma[0] == pytest.approx(sigma * math.exp(0.3 * (abs(p_sigma) / chi - 1)), rel=1e-14)


def test_with_no_adaptation_the_mean_moves_by_weighted_recombination_and_nothing_else_does():
    k = tutorial_constants(5, 8).replace(c_1=0.0, c_mu=0.0, c_sigma=0.0)
    method = CMAES(sigma=0.3, popsize=8, constants=k)
    state = method.init(np.arange(5.0), seed=2)
    for _ in range(20):
        x = method.ask(state)
        best = x[np.argsort(rosenbrock(x))[: k.mu]]
        state = method.tell(state, x, rosenbrock(x))
        assert np.allclose(state.mean, np.array(k.weights[: k.mu]) @ best, rtol=1e-13, atol=1e-13)
    assert np.array_equal(state.model.C, np.eye(5))
    assert state.model.sigma[0] == 0.3
    assert not state.model.p_sigma.any()


def test_C_is_decomposed_every_so_many_generations():
    n = 20
    k = tutorial_constants(n, 12)
    method = CMAES(sigma=0.5, lazy=3.0 / k.gap)
    state, seen = method.init(np.ones(n)), []
    for _ in range(12):
        x = method.ask(state)
        state = method.tell(state, x, ellipsoid(x))
        seen.append(state.model.decomposed)
        if state.t == state.model.decomposed:
            B, D = state.model.B, state.model.D
            assert np.allclose((B * D**2) @ B.T, state.model.C, atol=1e-13)
    assert seen == [0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9, 12]


def test_an_active_update_takes_from_C_what_the_worse_half_has():
    # On the ellipsoid it is quicker, and it leaves C positive definite.
    calls = {}
    for active in (True, False):
        method = CMAES(sigma=1.0, active=active)
        runs = [solved(method, ellipsoid, np.ones(8), seed) for seed in range(5)]
        assert all(run.best_f < 1e-9 for run in runs)
        assert all(np.linalg.eigvalsh(run.model.C).min() > 0 for run in runs)
        calls[active] = sum(run.t for run in runs)
    assert calls[True] < calls[False]


@pytest.mark.parametrize("fun", [sphere, ellipsoid, rosenbrock])
@pytest.mark.parametrize("n", [2, 5])
def test_it_finds_the_minimum(fun, n):
    state = solved(CMAES(sigma=0.5), fun, np.full(n, 0.2), seed=1)
    assert state.best_f < 1e-10


def test_minimize_takes_it_by_name_and_in_single_precision():
    result = minimize(ellipsoid, np.ones(3), method="cmaes", options={"sigma": 0.5, "popsize": 12, "seed": 3})
    assert result.success
    assert result.fun < 1e-10
    assert "tolfun" in result.message
    single = minimize(sphere, np.ones(3, np.float32), method="cmaes", options={"vectorized": True})
    assert single.x.dtype == np.float32
    assert single.fun < 1e-9


def test_the_constants_have_to_fit():
    method = CMAES(popsize=6, constants=tutorial_constants(3, 8))
    with pytest.raises(OptionError, match=r"made for n = 3 and popsize = 8, expected n = 3 and popsize = 6"):
        method.init(np.zeros(3))


SHEAR = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("C", [np.eye(2), -np.eye(3), SHEAR, np.eye(3, dtype=int)])
def test_a_C_that_is_no_covariance_matrix_is_refused(C):
    with pytest.raises(LeafError, match="C: expected"):
        CMAES().init(np.zeros(3), C=C)


@pytest.mark.parametrize("options", [{"lazy": 0.0}, {"edition": "2020"}, {"active": 1}])
def test_bad_options_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        CMAES(**options)
