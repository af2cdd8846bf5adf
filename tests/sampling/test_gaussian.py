"""The sampling view to second order: what is refused, and the method; see `arrayopt.claims.sampling_view`."""

import math

import array_api_strict
import numpy as np
import pytest

from arrayopt import minimize
from arrayopt.backend import to_numpy
from arrayopt.core.method import Status
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling import gaussian_step, quadratic_log_partition

G = np.array([0.9, -0.7])
H = np.array([[2.0, 0.6], [0.6, 1.0]])


@pytest.mark.parametrize("lowest", [-1.0, 0.0])
def test_an_indefinite_hessian_is_refused_with_the_reason(lowest):
    B = np.diag([2.0, lowest])
    with pytest.raises(OptionError, match=r"H: the lowest eigenvalue is .* cannot be normalised; give a prior"):
        gaussian_step(G, B, 1.0)
    with pytest.raises(OptionError, match="H: the lowest eigenvalue is"):
        quadratic_log_partition(G, B, 1.0)
    if lowest < 0:
        with pytest.raises(OptionError, match="a narrower prior"):
            gaussian_step(G, B, 1.0, 1.1)


def test_minimize_takes_newtons_step_and_refuses_where_newtons_would_climb():
    def saddle(x):
        return x[0] ** 2 - x[1] ** 2 + x[1] ** 4

    problem = dict(
        jac=lambda x: np.array([2 * x[0], -2 * x[1] + 4 * x[1] ** 3]),
        hess=lambda x: np.diag([2.0, -2 + 12 * x[1] ** 2]),
    )
    result = minimize(saddle, np.array([1.0, 0.1]), method="sampled_newton", **problem)
    assert result.status is Status.NEGATIVE_CURVATURE
    assert "lowest eigenvalue is -1.88" in result.message
    result = minimize(saddle, np.array([1.0, 0.1]), method="sampled_newton", options={"sigma": 0.5}, **problem)
    assert result.success
    np.testing.assert_allclose(np.abs(result.x), [0, math.sqrt(0.5)], atol=1e-5)


def test_array_api_strict_on_its_second_device_and_single_precision():
    device = array_api_strict.Device("device1")
    g, B = (array_api_strict.asarray(x, device=device) for x in (G, H))
    step = gaussian_step(g, B, 0.3, 0.8)
    assert step.mean.device == device
    np.testing.assert_allclose(to_numpy(step.covariance), gaussian_step(G, H, 0.3, 0.8).covariance, rtol=1e-13)
    assert gaussian_step(G.astype(np.float32), H.astype(np.float32), 0.3).covariance.dtype == np.float32


def test_what_is_refused():
    for name, value in (("alpha", 0.0), ("alpha", math.inf), ("sigma", -1.0), ("sigma", math.nan)):
        with pytest.raises(OptionError, match=f"{name}: expected a number > 0"):
            gaussian_step(G, H, **{"alpha": 1.0, name: value})
    with pytest.raises(LeafError, match=r"H: expected the shape \(d, d\)"):
        gaussian_step(G, H[0], 1.0)
    with pytest.raises(OptionError, match="SampledNewton: sigma must be a number > 0 or inf"):
        minimize(lambda x: x @ x, G, method="sampled_newton", options={"sigma": 0})
