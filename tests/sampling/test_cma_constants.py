import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arrayopt import OptionError
from arrayopt.sampling.cma_constants import default_popsize, tutorial_constants

sizes = st.tuples(st.integers(1, 300), st.integers(2, 200))


def test_the_constants_in_ten_dimensions_are_those_computed_by_hand():
    # mu = 5; w'_i = ln(5.5 / i): 1.7047481, 1.0116009, 0.6061358, 0.3184537, 0.0953102 with the sum 3.7362487 and the
    # sum of squares 4.4074132, so that mu_eff = 13.9595545 / 4.4074132 = 3.1672993
    k = tutorial_constants(10, 10)
    assert k.mu == 5
    assert k.mu_eff == pytest.approx(3.1672993, abs=5e-8)
    assert k.weights[:5] == pytest.approx([0.45627265, 0.27075310, 0.16223112, 0.08523355, 0.02550959], abs=5e-9)
    assert k.c_sigma == pytest.approx(5.1672993 / 18.1672993, abs=1e-8)
    assert k.c_sigma == pytest.approx(0.28442859, abs=5e-9)
    assert k.d_sigma == pytest.approx(1.28442859, abs=5e-9)
    assert k.c_c == pytest.approx(4.31672993 / 14.63345986, abs=1e-8)
    assert k.c_1 == pytest.approx(2 / 130.8572993, abs=1e-9)
    assert k.c_1 == pytest.approx(0.015283825, abs=5e-10)
    assert k.c_mu == pytest.approx(0.020154283, abs=5e-10)
    assert k.chi_n == pytest.approx(3.0847265651690123, abs=1e-12)
    assert k.gap == pytest.approx(0.28218211, abs=5e-9)
    # alpha_mu = 1 + c_1 / c_mu = 1.7583413 is the least of the three bounds
    assert math.fsum(k.weights[5:]) == pytest.approx(-1.7583413, abs=5e-7)


def test_the_edition_of_2023_adds_a_quarter_to_the_numerator():
    old, new = tutorial_constants(10, 10), tutorial_constants(10, 10, edition="2023")
    assert new.c_mu == pytest.approx(0.023551777, abs=5e-10)
    assert new.c_mu - old.c_mu == pytest.approx(0.5 / (144 + old.mu_eff), rel=1e-12)
    assert math.fsum(new.weights[5:]) == pytest.approx(-1.6489458, abs=5e-7)


def test_the_constants_of_2023_are_those_of_pycma_but_for_c_sigma():
    cma = pytest.importorskip("cma", reason="cma is not installed")
    es = cma.CMAEvolutionStrategy([0.0] * 10, 1.0, {"verbose": -9})
    k = tutorial_constants(10, 10, edition="2023")
    assert k.weights == pytest.approx(list(es.sp.weights), rel=1e-13)
    assert (k.c_1, k.c_mu, k.c_c) == pytest.approx((es.sp.c1, es.sp.cmu, es.sp.cc), rel=1e-13)
    assert es.adapt_sigma.cs == pytest.approx((k.mu_eff + 2) / (10 + k.mu_eff + 3), rel=1e-13)  # + 5 in the tutorial


@given(sizes)
def test_positive_weights_sum_to_one_and_fall_to_the_negative_ones(size):
    k = tutorial_constants(*size)
    assert math.fsum(k.weights[: k.mu]) == pytest.approx(1.0, abs=1e-12)
    assert all(a > b for a, b in zip(k.weights[: k.mu], k.weights[1:], strict=False))
    assert all(a >= b for a, b in zip(k.weights, k.weights[1:], strict=False))  # all 0 where c_1 + c_mu = 1
    assert all(w > 0 for w in k.weights[: k.mu])
    assert all(w <= 0 for w in k.weights[k.mu :])
    assert k.mu_eff == pytest.approx(1 / math.fsum(w * w for w in k.weights[: k.mu]), rel=1e-12)


@given(sizes, st.sampled_from(["2016", "2023"]))
def test_an_active_update_keeps_C_positive_definite(size, edition):
    # The worst case of the update takes n c_mu |w| of a direction, all of it at once.
    k = tutorial_constants(*size, edition=edition)
    keep = 1 - k.c_1 - k.c_mu * math.fsum(k.weights)
    assert keep - k.n * k.c_mu * -math.fsum(k.weights[k.mu :]) >= -1e-12
    assert 0 < k.c_1 < 1
    assert 0 <= k.c_mu <= 1 - k.c_1


def test_without_an_active_update_the_worse_half_has_no_weight():
    k = tutorial_constants(7, 9, active=False)
    assert k.weights[4:] == (0.0,) * 5
    plus, signed = k.tables
    assert np.array_equal(plus, signed)


def test_the_population_grows_with_the_logarithm_of_the_dimension():
    assert [default_popsize(n) for n in (1, 2, 3, 5, 10, 20, 40, 100, 1000)] == [4, 6, 7, 8, 10, 12, 15, 17, 24]


@pytest.mark.parametrize(("n", "popsize"), [(0, 4), (3, 1), (3, 0), (2.0, 4), (3, 4.0)])
def test_too_few_dimensions_or_points_are_refused(n, popsize):
    with pytest.raises(OptionError, match="must be an integer"):
        tutorial_constants(n, popsize)
