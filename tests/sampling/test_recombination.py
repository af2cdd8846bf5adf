"""Rank-based weights: their identities with importance weights, elites, and the update of rank mu."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt.backend import to_numpy
from arrayopt.errors import OptionError
from arrayopt.sampling import rank_table, rank_weights
from tests.common.libraries import libraries

KINDS = ["logarithmic", "equal", "geometric"]


@given(st.integers(1, 60), st.sampled_from(KINDS), st.data())
def test_a_table_falls_from_the_best_on_and_sums_to_one(n, kind, data):
    parents = data.draw(st.integers(1, n))
    table = rank_table(n, parents, kind)
    assert table.sum() == pytest.approx(1, rel=1e-14)
    assert (np.diff(table) <= 0).all()
    assert (table[:parents] > 0).all()
    assert not table[parents:].any()


def test_nan_comes_after_infinity_and_nothing_has_a_weight_where_nothing_is_finite():
    f = np.array([[math.nan, math.inf, 2.0, -math.inf], [math.nan, math.inf, math.nan, math.inf]])
    w = rank_weights(f, parents=4).weights
    assert (np.argsort(-w[0]) == [3, 2, 1, 0]).all()
    assert not w[1].any()


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
def test_other_array_libraries(xp):
    where = {"device": xp.Device("device1")} if xp.__name__ == "array_api_strict" else {}
    f = np.array([[3.0, 1.0, 2.0]], np.float32)
    found = rank_weights(xp.asarray(f, **where))
    assert found.weights.dtype == xp.float32
    np.testing.assert_allclose(to_numpy(found.weights), [[0, 1, 0]])


def test_what_is_refused():
    with pytest.raises(OptionError, match="rank_table: parents must be at most n = 3, got 4"):
        rank_table(3, 4)
    with pytest.raises(OptionError, match="rank_table: kind must be one of 'logarithmic'"):
        rank_table(3, 2, "best")
    with pytest.raises(OptionError, match="rank_table: ratio must be a number in"):
        rank_table(3, 2, "geometric", ratio=1.0)
