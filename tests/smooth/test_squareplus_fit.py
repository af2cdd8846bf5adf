"""The two b of SquarePlus that go with softplus scale with the temperature; what they are is claimed."""

import numpy as np
import pytest

from arrayopt.errors import OptionError
from arrayopt.smooth import softplus, squareplus, squareplus_bound, squareplus_minimax

X = np.linspace(-20, 20, 400_001)


def test_they_scale_with_the_temperature():
    tau, one = 0.3, squareplus_minimax()
    assert squareplus_bound(tau) == pytest.approx(tau**2 * squareplus_bound(), rel=1e-15)
    assert squareplus_minimax(tau) == pytest.approx((tau**2 * one.b, tau * one.error, tau * one.at), rel=1e-15)
    difference = squareplus(tau * X, squareplus_minimax(tau).b) - softplus(tau * X, tau)
    assert np.abs(difference).max() == pytest.approx(tau * one.error, abs=1e-11)


def test_what_is_refused():
    for f in (squareplus_bound, squareplus_minimax):
        with pytest.raises(OptionError, match="temperature: expected a finite number > 0"):
            f(0.0)
