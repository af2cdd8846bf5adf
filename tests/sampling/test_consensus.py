"""Consensus-based optimisation."""

import math

import numpy as np
import pytest

from arrayopt import minimize
from arrayopt.core.method import Status
from arrayopt.errors import OptionError
from arrayopt.sampling import Consensus, consensus_point


@pytest.mark.parametrize("noise", ["anisotropic", "isotropic"])
def test_one_generation_by_hand(noise):
    from arrayopt.sampling.directions import directions_at

    method = Consensus(n=5, alpha=0.3, drift=0.8, diffusion=0.6, dt=0.05, noise=noise)
    state = method.init(np.array([1.0, -2.0]), seed=4)
    x = method.ask(state)
    f = (x**2).sum(-1)
    v = consensus_point(x, f, 0.3)
    z = directions_at(v, 5, "gaussian", 4, 1)
    size = x - v if noise == "anisotropic" else np.linalg.norm(x - v, axis=1, keepdims=True)
    expected = x - 0.8 * 0.05 * (x - v) + 0.6 * math.sqrt(0.05) * size * z
    after = method.tell(state, x, f)
    np.testing.assert_allclose(after.x, expected, rtol=1e-13)
    np.testing.assert_allclose(after.consensus, v, rtol=1e-14)


def test_it_finds_the_least_of_many_minima_and_ends_when_all_have_met():
    def rastrigin(x):
        return (x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum(axis=-1)

    options = {"n": 200, "spread": 3.0, "alpha": 0.01, "diffusion": 1.2, "vectorized": True}
    for seed in range(3):
        result = minimize(rastrigin, [2.5, -3.1], method="consensus", options=options | {"seed": seed})
        assert result.status is Status.CONVERGED
        assert result.fun < 0.1  # the second least is 1


def test_a_step_that_overshoots_ever_farther_is_refused():
    with pytest.raises(OptionError, match=r"Consensus: drift \* dt must be < 2, .* got 3; lower dt"):
        Consensus(drift=6.0, dt=0.5)
    with pytest.raises(OptionError, match="Consensus: noise must be one of"):
        Consensus(noise="none")
