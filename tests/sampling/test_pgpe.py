import numpy as np
import pytest

from arrayopt import minimize
from arrayopt.core.method import Status
from arrayopt.core.population import values
from arrayopt.sampling.pgpe import PGPE


def test_a_deviation_changes_by_no_more_than_the_limit_and_stays_positive():
    method = PGPE(n=3, lr_sigma=1e6, limit=0.25)
    state = method.init(np.zeros(4))
    for _ in range(20):
        x = method.ask(state)
        new = method.tell(state, x, values(lambda x: (x**2).sum(axis=-1), x))
        ratio = new.sigma / state.sigma
        assert np.all((ratio >= 0.75 - 1e-15) & (ratio <= 1.25 + 1e-15))
        state = new


def test_deviations_grow_where_there_is_more_to_find_farther_out_and_shrink_at_an_optimum():
    method = PGPE(n=50, lr=0.0)
    for sign in (1.0, -1.0):
        state = method.init(np.zeros(3))
        for _ in range(10):
            x = method.ask(state)
            state = method.tell(state, x, sign * values(lambda x: (x**2).sum(axis=-1), x))
        assert np.all(sign * (state.sigma - 0.1) < 0)


@pytest.mark.parametrize("seed", range(3))
def test_it_converges_and_says_so(seed):
    def ellipsoid(x):
        return (np.array([1.0, 10.0, 100.0]) * x**2).sum(axis=-1)

    result = minimize(ellipsoid, np.ones(3), method="pgpe", options={"seed": seed, "vectorized": True, "maxiter": 3000})
    assert result.status is Status.CONVERGED
    assert "tolx" in result.message
    assert result.fun < 1e-16
