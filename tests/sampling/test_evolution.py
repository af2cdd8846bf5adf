import pickle

import array_api_strict as strict
import numpy as np
import pytest

from arrayopt import Adam, LeafError, OptionError, minimize, to_numpy
from arrayopt.core.population import values
from arrayopt.sampling.directions import directions_at, run_seed
from arrayopt.sampling.evolution import EvolutionStrategy
from arrayopt.sampling.pgpe import PGPE
from arrayopt.sampling.smoothing import score_gradient
from arrayopt.sampling.spsa import SPSA

X0 = np.array([1.0, -0.5, 0.25])
METHODS = {
    "es": EvolutionStrategy(n=4),
    "es_score": EvolutionStrategy(n=4, form="score", shaping="nes", baseline="leave_one_out"),
    "es_forward": EvolutionStrategy(n=4, form="forward", shaping="none", lr=1e-3),
    "es_adam": EvolutionStrategy(n=4, optimizer=Adam(lr=0.05), directions="orthogonal"),
    "ars": EvolutionStrategy(n=4, shaping="standard", top=2, directions="sphere"),
    "pgpe": PGPE(n=4),
    "pgpe_adam": PGPE(n=4, optimizer=Adam(lr=0.05), baseline="leave_one_out"),
    "spsa": SPSA(a=0.5, c=0.1),
}
every = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def sphere(x):
    return (x * x).sum(axis=-1)


def run(method, x0, seed=0, generations=20, fun=sphere, state=None):
    state = method.init(x0, seed) if state is None else state
    for _ in range(generations):
        x = method.ask(state)
        state = method.tell(state, x, values(fun, x))
    return state


def same(a, b):
    return all(
        np.array_equal(to_numpy(x), to_numpy(y))
        for x, y in zip((a.x, a.sigma, a.best_x, a.best_f), (b.x, b.sigma, b.best_x, b.best_f), strict=True)
    )


# What all have in common ---------------------------------------------------------------------------------


@every
def test_asking_twice_gives_the_same_points_and_changes_nothing(method):
    state = run(method, X0, generations=3)
    assert np.array_equal(method.ask(state), method.ask(state))
    assert same(state, run(method, X0, generations=3))


@every
def test_a_run_from_a_stored_state_equals_one_never_interrupted_bit_for_bit(method):
    stored = pickle.loads(pickle.dumps(run(method, X0, generations=7)))
    assert same(run(method, X0, generations=13, state=stored), run(method, X0, generations=20))


@every
@pytest.mark.parametrize("d", [1, 2, 3, 9])
@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_run_r_of_many_is_the_run_alone_bit_for_bit(method, d, seed):
    x0 = np.random.default_rng(d).standard_normal((2, 2, d))
    state = run(method, x0, seed, generations=5)
    for r in range(4):
        i, j = divmod(r, 2)
        alone = run(method, x0[i, j], run_seed(seed, r), generations=5)
        assert np.array_equal(state.x[i, j], alone.x)
        assert np.array_equal(state.best_x[i, j], alone.best_x)
        assert state.best_f[i, j] == alone.best_f
        assert np.array_equal(state.sigma[i, j], alone.sigma)


@every
def test_states_keep_library_device_and_dtype_and_see_the_same_numbers(method):
    device = strict.Device("device1")
    x0 = strict.asarray(X0, dtype=strict.float32, device=device)
    state = run(method, x0, generations=3, fun=lambda x: strict.sum(x * x, axis=-1))
    for x in (state.x, state.sigma, state.best_x, state.best_f):
        assert x.dtype == strict.float32
        assert x.device == device
    assert same(state, run(method, X0.astype(np.float32), generations=3))


@every
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_where_no_value_is_finite_the_run_stays_where_it_is(method, bad):
    state = run(method, X0, generations=3, fun=lambda x: np.full(len(x), bad))
    assert np.array_equal(state.x, X0)
    assert state.best_f == np.inf
    assert np.array_equal(state.best_x, X0)


@every
@pytest.mark.parametrize("bad", [np.inf, np.nan, -np.inf])
def test_some_values_that_are_not_finite_make_no_nan(method, bad):
    def fun(x):
        return np.where(x[:, 0] > 1.0, bad, sphere(x))

    state = run(method, X0, generations=10, fun=fun)
    assert np.all(np.isfinite(state.x))
    assert not np.isnan(state.best_f)


@every
def test_the_best_point_is_the_best_that_was_evaluated(method):
    seen = []

    def fun(x):
        seen.extend(zip(sphere(x), x, strict=True))
        return sphere(x)

    state = run(method, X0, generations=10, fun=fun)
    f, x = min(seen, key=lambda pair: pair[0])
    assert state.best_f == f
    assert np.array_equal(state.best_x, x)


@every
def test_the_global_generator_is_not_touched(method):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    run(method, X0, generations=2)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@every
def test_one_direction_in_a_million_dimensions(method):
    method = method.replace(n=2)
    state = run(method, np.full(10**6, 0.5, np.float32), generations=1)
    assert np.all(np.isfinite(state.x))


@every
def test_seeds_out_of_range_and_points_that_are_none_are_refused(method):
    for seed in (-1, 2**64, 0.5):
        with pytest.raises(OptionError, match=r"seed: expected an integer in \[0, 2\^64\)"):
            method.init(X0, seed)
    for x0 in (np.array(1.0), np.zeros((2, 0)), np.arange(3)):
        with pytest.raises(LeafError, match="x0: expected real floating numbers of shape"):
            method.init(x0)


# Through minimize ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["es", "pgpe", "spsa"])
def test_a_vectorised_a_pointwise_and_a_mapped_objective_give_the_same_run(name):
    options = {"seed": 3, "maxiter": 30}
    found = [
        minimize(sphere, X0, method=name, options={**options, **how})
        for how in ({}, {"vectorized": True}, {"workers": map})
    ]
    assert all(np.array_equal(r.x, found[0].x) and r.nfev == found[0].nfev for r in found)
    assert found[0].fun < sphere(X0)
    assert found[0].fun == sphere(found[0].x)


@pytest.mark.parametrize("name", ["es", "pgpe", "spsa"])
def test_a_vectorised_objective_is_only_ever_given_populations(name):
    shapes = set()

    def fun(x):
        shapes.add(len(x.shape))
        return x[:, 0] ** 2 + x[:, 1] ** 2

    minimize(fun, [1.0, -1.0], method=name, options={"vectorized": True, "maxiter": 3})
    assert shapes == {2}


def test_minimize_takes_an_optimizer_for_the_steps():
    result = minimize(
        sphere, X0, method="es", options={"optimizer": Adam(lr=0.05), "sigma": 0.02, "n": 8, "maxiter": 300}
    )
    assert result.fun < 1e-3
    assert result.status.name == "MAXITER"


# The evolution strategy -------------------------------------------------------------------------------------


def test_a_plain_step_is_gradient_descent_with_the_score_function_estimate():
    method = EvolutionStrategy(n=5, form="score", shaping="none", sigma=0.2, lr=0.03, centre=False)
    state = method.init(X0, seed=4)
    u = directions_at(X0, 5, "gaussian", 4, 0)
    assert np.array_equal(method.ask(state), X0 + 0.2 * u)
    after = method.tell(state, X0 + 0.2 * u, sphere(X0 + 0.2 * u))
    assert np.array_equal(after.x, X0 - 0.03 * score_gradient(sphere(X0 + 0.2 * u), u, 0.2))


def test_the_optimizer_gets_the_gradient_that_a_plain_step_takes():
    plain, rule = EvolutionStrategy(n=5, lr=1.0), Adam(lr=0.1)
    before = plain.init(X0)
    x = plain.ask(before)
    g = X0 - plain.tell(before, x, sphere(x)).x
    expected, _ = rule.update(g, rule.init(X0), X0)
    method = plain.replace(optimizer=rule)
    assert np.abs(method.tell(method.init(X0), x, sphere(x)).x - expected).max() < 1e-7


def test_schedules_reach_sigma_and_lr():
    method = EvolutionStrategy(n=2, sigma=lambda t: 1.0 / t, lr=lambda t: 0.0 if t == 2 else 1e-3, centre=False)
    one = run(method, X0, generations=1)
    assert np.array_equal(run(method, X0, generations=1, state=one).x, one.x)
    u = directions_at(X0, 2, "gaussian", 0, 1)
    assert np.array_equal(method.ask(one)[:2], one.x + 0.5 * u)
    with pytest.raises(OptionError, match=r"sigma must be a finite number > 0, got 0\.0 at t = 1"):
        EvolutionStrategy(sigma=0.0).init(X0)


def test_the_centre_is_evaluated_last_and_takes_no_part():
    with_it, without = EvolutionStrategy(n=3), EvolutionStrategy(n=3, centre=False)
    x = with_it.ask(with_it.init(X0))
    assert np.array_equal(x[-1], X0)
    assert np.array_equal(x[:-1], without.ask(without.init(X0)))
    told = with_it.tell(with_it.init(X0), x, sphere(x))
    assert np.array_equal(told.x, without.tell(without.init(X0), x[:-1], sphere(x[:-1])).x)


def test_augmented_random_search_takes_the_step_of_its_paper():
    alpha, nu, b = 0.02, 0.1, 2
    method = EvolutionStrategy(n=4, top=b, shaping="standard", sigma=nu, lr=2 * nu * alpha, centre=False)
    u = directions_at(X0, 4, "gaussian", 0, 0)
    above, below = -sphere(X0 + nu * u), -sphere(X0 - nu * u)  # rewards
    best = np.argsort(-np.maximum(above, below))[:b]
    deviation = np.std(np.concatenate([above[best], below[best]]))
    expected = X0 + alpha / (b * deviation) * ((above - below)[best][:, None] * u[best]).sum(axis=0)
    assert np.abs(run(method, X0, generations=1).x - expected).max() < 1e-14


def test_what_takes_no_steps_is_refused():
    with pytest.raises(OptionError, match="EvolutionStrategy: optimizer must have init and update"):
        EvolutionStrategy(optimizer="adam")
    with pytest.raises(OptionError, match="PGPE: optimizer must have init and update"):
        PGPE(optimizer=0.1)
    with pytest.raises(OptionError, match="did you mean 'sigma'"):
        EvolutionStrategy(sigm=0.1)
