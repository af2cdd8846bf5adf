import array_api_strict as strict
import numpy as np
import pytest

from arrayopt import Adam, LeafError, OptionError, minimize, to_numpy
from arrayopt.sampling.directions import directions_at
from arrayopt.sampling.smoothing import antithetic_gradient
from arrayopt.sampling.zeroth_order import ZerothOrder

X = np.array([1.0, -2.0, 0.5])


def quartic(x):
    return (x**4).sum(axis=-1)


def test_it_is_the_estimate_of_its_directions():
    gradient, u = ZerothOrder(quartic, sigma=0.1, n=5, seed=9), directions_at(X, 5, "gaussian", 9, 0)
    expected = antithetic_gradient(quartic(X + 0.1 * u), quartic(X - 0.1 * u), u, 0.1)
    assert np.abs(gradient(X) - expected).max() < 1e-12


def test_every_call_has_directions_of_its_own_and_replays():
    gradient = ZerothOrder(quartic, seed=1)
    calls = [gradient(X) for _ in range(3)]
    assert gradient.t == 3
    assert not np.array_equal(calls[0], calls[1])
    assert all(np.array_equal(gradient.gradient(X, t), calls[t]) for t in (2, 0, 1))
    again = ZerothOrder(quartic, seed=1)
    again.t = 2
    assert np.array_equal(again(X), calls[2])


def test_whole_populations_points_and_workers_give_the_same():
    sizes = []

    def counted(x):
        sizes.append(x.shape)
        return quartic(x)

    every = [
        ZerothOrder(f, **how)
        for f, how in ((quartic, {}), (counted, {"vectorized": True}), (quartic, {"workers": map}))
    ]
    assert all(np.array_equal(g(X), every[0](X)) for g in every[1:2])
    assert np.array_equal(every[2](X), every[1].gradient(X, 0))
    assert sizes[0] == (16, 3)  # once on the whole population
    assert every[1].nfev == 32


def test_it_is_a_jac_of_minimize_and_the_gradient_of_any_rule():
    exact = minimize(quartic, X, jac=lambda x: 4 * x**3, method="adam", options={"lr": 0.05, "maxiter": 300})
    jac = ZerothOrder(quartic, sigma=1e-4, n=3, directions="orthogonal")
    found = minimize(quartic, X, jac=jac, method="adam", options={"lr": 0.05, "maxiter": 300})
    # three orthogonal directions are exact but for the third derivative: 4 sigma^2 x
    assert np.abs(found.x - exact.x).max() < 1e-5
    assert jac.t == found.njev
    rule, params = Adam(lr=0.1), {"a": X.copy(), "b": np.ones((2, 2))}
    gradient = ZerothOrder(lambda p: quartic(p["a"]) + (p["b"] ** 2).sum(), sigma=1e-4, n=7, directions="orthogonal")
    state, expected, other = rule.init(params), params, rule.init(params)
    for _ in range(5):
        params, state = rule.update(gradient(params), state, params)
        expected, other = rule.update({"a": 4 * expected["a"] ** 3, "b": 2 * expected["b"]}, other, expected)
    assert all(np.abs(params[k] - expected[k]).max() < 1e-6 for k in params)


def test_arguments_reach_the_function():
    found = minimize(
        lambda x, c: float(((x - c) ** 2).sum()),
        X,
        args=(2.0,),
        jac=ZerothOrder(lambda x, c: float(((x - c) ** 2).sum()), n=3, directions="orthogonal"),
        options={"gtol": 1e-6},
    )
    assert np.abs(found.x - 2).max() < 1e-6
    assert found.success


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_values_that_are_not_finite_give_no_nan_and_if_none_is_a_zero(bad):
    assert np.all(ZerothOrder(lambda x: bad, form="forward")(X) == 0)
    some = ZerothOrder(lambda x: bad if x[0] > 1 else quartic(x))
    assert np.all(np.isfinite(some(X)))


def test_it_keeps_library_device_and_dtype_and_shape():
    device = strict.Device("device1")
    x = strict.asarray(np.ones((2, 3), np.float32), device=device)
    g = ZerothOrder(lambda x: strict.sum(x * x), n=2)(x)
    assert (g.dtype, g.device, g.shape) == (strict.float32, device, (2, 3))
    host = ZerothOrder(lambda x: (x * x).sum(), n=2)(np.ones((2, 3), np.float32))
    assert host.dtype == np.float32
    assert np.abs(to_numpy(g) - host).max() < 1e-4  # sums in another order, over sigma = 0.01


def test_a_schedule_for_sigma_is_evaluated_from_1():
    u = directions_at(X, 8, "gaussian", 0, 1)
    gradient = ZerothOrder(quartic, sigma=lambda t: 0.5 / t)
    gradient(X)
    expected = antithetic_gradient(quartic(X + 0.25 * u), quartic(X - 0.25 * u), u, 0.25)
    assert np.abs(gradient(X) - expected).max() < 1e-11


def test_what_it_cannot_do_is_refused():
    with pytest.raises(OptionError, match="fun must be callable"):
        ZerothOrder(1.0)
    for sigma in (0.0, -1.0, np.inf, "0.1"):
        with pytest.raises(OptionError, match="sigma must be a finite number > 0"):
            ZerothOrder(quartic, sigma=sigma)
    with pytest.raises(OptionError, match="did you mean 'directions'"):
        ZerothOrder(quartic, direction="gaussian")
    with pytest.raises(OptionError, match="seed: expected an integer"):
        ZerothOrder(quartic, seed=2**64)
    with pytest.raises(LeafError, match="for a function of one point pass workers=map"):
        ZerothOrder(lambda x: 1.0, vectorized=True)(X)
