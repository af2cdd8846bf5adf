"""The two b of SquarePlus that go with softplus: known answers, and minimisers that know nothing of the formula."""

import math

import numpy as np
import pytest
from scipy import optimize

from arrayopt.errors import OptionError
from arrayopt.smooth import softplus, squareplus, squareplus_bound, squareplus_minimax

X = np.linspace(-20, 20, 400_001)


def test_known_answers():
    assert squareplus_bound() == pytest.approx(1.9218120557, abs=5e-11)
    fit = squareplus_minimax()
    assert fit.b == pytest.approx(1.5238210325187, abs=1e-13)
    assert fit.error == pytest.approx(0.0759314499360, abs=5e-14)
    assert fit.at == pytest.approx(3.5646210, abs=5e-8)


def test_the_bound_is_the_greatest_product_of_softplus_on_both_sides():
    product = 4 * softplus(X) * softplus(-X)
    assert X[np.argmax(product)] == pytest.approx(0, abs=1e-12)
    assert product.max() == pytest.approx(squareplus_bound(), rel=1e-15)
    assert np.min(squareplus(X, squareplus_bound()) - softplus(X)) >= -2e-16
    assert np.min(squareplus(X, squareplus_bound() * 0.999999) - softplus(X)) < 0


def test_the_minimax_fit_equioscillates():
    b, error, at = squareplus_minimax()
    difference = squareplus(X, b) - softplus(X)
    assert np.abs(difference).max() == pytest.approx(error, abs=1e-11)
    assert squareplus(0.0, b) - math.log(2) == pytest.approx(-error, rel=1e-14)
    for x in (at, -at):
        assert squareplus(x, b) - softplus(x) == pytest.approx(error, rel=1e-13)


def test_the_minimax_fit_is_found_by_a_search():
    x = np.linspace(0, 8, 20_001)
    searched = optimize.minimize_scalar(
        lambda b: np.abs(squareplus(x, b) - softplus(x)).max(), bounds=(1, 2), method="bounded", options={"xatol": 1e-9}
    )
    assert searched.x == pytest.approx(squareplus_minimax().b, abs=1e-6)
    assert searched.fun == pytest.approx(squareplus_minimax().error, abs=1e-8)


def test_they_scale_with_the_temperature():
    tau, one = 0.3, squareplus_minimax()
    assert squareplus_bound(tau) == pytest.approx(tau**2 * squareplus_bound(), rel=1e-15)
    assert squareplus_minimax(tau) == pytest.approx((tau**2 * one.b, tau * one.error, tau * one.at), rel=1e-15)
    difference = squareplus(tau * X, squareplus_minimax(tau).b) - softplus(tau * X, tau)
    assert np.abs(difference).max() == pytest.approx(tau * one.error, abs=1e-11)


def test_no_b_makes_it_a_lower_bound():
    for b in (1e-6, 1e-300):
        assert squareplus(-1e3, b) > softplus(-1e3) == 0


def test_what_is_refused():
    for f in (squareplus_bound, squareplus_minimax):
        with pytest.raises(OptionError, match="temperature: expected a finite number > 0"):
            f(0.0)
