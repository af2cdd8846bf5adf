import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.errors import OptionError
from arrayopt.theory import POWER_SUM_LIMIT, convergence_orders, extrapolate, power_sum, richardson
from tests.theory.elsewhere import assert_same, on_other_libraries


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=5), st.sampled_from([1.5, 2.0, 10.0]), st.floats(-10, 10))
def test_expansions_that_end_are_summed_exactly(terms, ratio, limit):
    orders = [0.5 * k for k in range(1, len(terms) + 1)]
    n = ratio ** np.arange(len(terms) + 1)
    values = limit + sum(c * n**-k for c, k in zip(terms, orders, strict=True))
    found = richardson(values, ratio=ratio, orders=orders)
    assert found[0] == values[-1]
    assert float(found[-1]) == pytest.approx(limit, abs=1e-9)


def test_limits_of_the_articles():
    n = 2 ** np.arange(2, 12)
    found = richardson(power_sum(n))
    assert float(found[-1]) == pytest.approx(POWER_SUM_LIMIT, abs=1e-13)
    errors = np.abs(found - POWER_SUM_LIMIT)
    assert np.all(np.diff(errors[:6]) < 0)
    # Archimedes: the expansion has even powers only
    sides = 6.0 * 2.0 ** np.arange(5)
    archimedes = sides * np.sin(math.pi / sides)
    assert float(richardson(archimedes, orders=[2, 4, 6, 8])[-1]) == pytest.approx(math.pi, abs=1e-12)
    np.testing.assert_allclose(extrapolate(sides**-2, archimedes), math.pi, atol=1e-12)


def test_neville_is_richardson_where_both_apply():
    n = 2.0 ** np.arange(6)
    values = np.exp(1 / n)
    np.testing.assert_allclose(extrapolate(1 / n, values), richardson(values)[-1], rtol=1e-14)
    h = np.asarray([1.0, 0.7, 0.2, 0.1])
    np.testing.assert_allclose(extrapolate(h, np.stack([3 - h**3, h])), [3, 0], atol=1e-14)


def test_orders():
    h = 0.5 ** np.arange(1, 6)
    np.testing.assert_allclose(convergence_orders(7 * h**3), 3)
    np.testing.assert_allclose(convergence_orders(-(10.0 ** -np.arange(4)), ratio=10), 1)


def test_axes_and_single_values():
    values = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(richardson(values, axis=0), richardson(values.T).T)
    assert richardson(np.asarray([7.0])).tolist() == [7]
    assert extrapolate(np.asarray([0.5]), np.asarray([7.0])) == 7
    constant = np.full(5, 0.1)
    assert richardson(constant).tolist() == constant.tolist()
    assert richardson(np.asarray([1, 2, 3], np.float16)).dtype == np.float16
    assert np.isnan(richardson(np.asarray([math.nan, 1.0, 2.0]))[-1])
    assert richardson(np.zeros((0, 3))).shape == (0, 3)


@on_other_libraries
def test_other_libraries(xp):
    values = np.random.default_rng(0).standard_normal((3, 4))
    assert_same(xp, richardson, values)
    assert_same(xp, extrapolate, np.asarray([1.0, 0.5, 0.3, 0.2]), values)
    assert_same(xp, convergence_orders, np.abs(values))


def test_refusals():
    for arguments in ({"ratio": 1.0}, {"orders": [1.0]}, {"orders": [2.0, 1.0]}, {"orders": [0.0, 1.0]}):
        with pytest.raises(OptionError, match="values, ratio, orders: expected"):
            richardson(np.ones(3), **arguments)
    with pytest.raises(OptionError, match="values, ratio, orders: expected at least one value"):
        richardson(np.ones(0))
    with pytest.raises(OptionError, match="h: expected as many nodes as values"):
        extrapolate(np.ones(2), np.ones(3))
