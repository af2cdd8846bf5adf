import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from arrayopt.errors import OptionError
from arrayopt.sketch import (
    achlioptas_projection,
    gaussian_projection,
    hadamard_sketch,
    jl_dimension,
    jl_log_failure,
    norm_log_tail,
    sparse_projection,
)

BOUNDS = ["article", "dasgupta_gupta", "chi2"]


def test_known_dimensions():
    # smallest n by the exact law, against 24 log N / eps^2
    table = {100: [(0.1, 4597, 11053), (0.3, 560, 1229), (0.5, 222, 443)]}
    table[1000] = [(0.1, 7403, 16579), (0.3, 916, 1843), (0.5, 364, 664)]
    for n_points, rows in table.items():
        for eps, chi2, article in rows:
            assert jl_dimension(n_points, eps, bound="chi2") == chi2
            assert jl_dimension(n_points, eps) == article
            assert article == math.floor(24 * math.log(n_points) / eps**2) + 1
    assert jl_dimension(50, 0.3) == 1044


def test_without_a_margin_it_is_the_dimension_for_existence():
    n, eps = 1000, 0.2
    assert jl_dimension(n, eps, 1.0) == math.floor(16 * math.log(n) / eps**2) + 1
    gupta = math.ceil(4 * math.log(n) / (eps**2 / 2 - eps**3 / 3))
    assert jl_dimension(n, eps, 1.0, "dasgupta_gupta") == gupta


@given(
    st.integers(2, 10**9), st.floats(0.01, 0.99), st.floats(1e-12, 1.0) | st.none(), st.sampled_from(BOUNDS),
)  # fmt: skip
def test_it_is_the_least_that_the_bound_allows(n_points, eps, delta, bound):
    n = jl_dimension(n_points, eps, delta, bound)
    wanted = math.log(delta or 1 / n_points)
    slack = 1e-12 * (1 + abs(wanted) + 2 * math.log(n_points))
    assert jl_log_failure(n, n_points, eps, bound) <= wanted + slack
    if n > 1:
        assert jl_log_failure(n - 1, n_points, eps, bound) > wanted - slack


@given(st.integers(1, 10**6), st.floats(0.05, 0.9), st.floats(1e-6, 0.5), st.floats(1, 2), st.sampled_from(BOUNDS))
def test_it_is_monotone(n_points, eps, delta, factor, bound):
    n = jl_dimension(n_points, eps, delta, bound)
    assert jl_dimension(math.ceil(n_points * factor), eps, delta, bound) >= n
    assert jl_dimension(n_points, eps / factor, delta, bound) >= n
    assert jl_dimension(n_points, eps, delta / factor, bound) >= n


@given(st.integers(2, 10**6), st.floats(0.01, 0.99))
def test_the_sharper_the_bound_the_fewer_dimensions(n_points, eps):
    chi2, gupta, article = (jl_dimension(n_points, eps, bound=b) for b in ("chi2", "dasgupta_gupta", "article"))
    assert chi2 <= gupta
    if eps < 0.75:  # where eps^2 / 4 - eps^3 / 6 >= eps^2 / 8
        assert gupta <= article


def test_the_exact_tail_falls_with_the_dimension_so_that_there_is_a_least_one():
    n = np.arange(1, 300)[:, None]
    eps = np.concatenate([np.linspace(0.01, 0.999, 60), [1.0, 1.5, 5.0]])
    assert (np.diff(norm_log_tail(n, eps), axis=0) < 0).all()


def kept(y, x, eps):
    """Whether all pairwise squared distances of the rows are kept."""
    i, j = np.triu_indices(len(x), 1)
    ratio = ((y[i] - y[j]) ** 2).sum(axis=1) / ((x[i] - x[j]) ** 2).sum(axis=1)
    return bool((np.abs(ratio - 1) <= eps).all())


MATRICES = {
    "gaussian": lambda x, n, seed: x @ gaussian_projection(n, x.shape[1], rng=seed).T,
    "achlioptas": lambda x, n, seed: x @ achlioptas_projection(n, x.shape[1], rng=seed).T,
    "signs": lambda x, n, seed: x @ achlioptas_projection(n, x.shape[1], density=1.0, rng=seed).T,
    "sparse": lambda x, n, seed: x @ sparse_projection(n, x.shape[1], nonzeros=16, rng=seed).T,
    "hadamard": lambda x, n, seed: hadamard_sketch(x, n, rng=seed),
}


@pytest.mark.parametrize("matrix", MATRICES)
def test_the_dimension_is_honoured_over_200_seeds(matrix):
    n_points, eps, m = 12, 0.5, 256
    x = np.random.default_rng(99).standard_normal((n_points, m)) * np.linspace(0.1, 2, m)
    n = jl_dimension(n_points, eps, bound="chi2")
    failures = sum(not kept(MATRICES[matrix](x, n, seed), x, eps) for seed in range(200))
    # not more than 200 draws of probability 1 / N have but one time in a million
    assert failures <= stats.binom.isf(1e-6, 200, 1 / n_points)


def test_half_of_the_dimension_is_not_enough():
    n_points, eps = 12, 0.5
    x = np.random.default_rng(99).standard_normal((n_points, 256))
    n = jl_dimension(n_points, eps, bound="chi2") // 2
    failures = sum(not kept(MATRICES["gaussian"](x, n, seed), x, eps) for seed in range(100))
    assert failures > stats.binom.isf(1e-6, 100, 1 / n_points)


def test_extremes():
    for bound in BOUNDS:
        assert jl_dimension(1, 0.1, bound=bound) == 1
        assert jl_log_failure(3, 1, 0.1, bound) == -math.inf
    assert jl_dimension(100, 1e308, bound="chi2") == 1
    assert jl_dimension(10**300, 0.5, bound="chi2") > jl_dimension(10**299, 0.5, bound="chi2") > 0


@pytest.mark.parametrize("eps", [0.0, -0.1, 1.0, math.nan, 1e-9, True, "0.1"])
def test_an_eps_out_of_range_is_refused(eps):
    with pytest.raises(OptionError, match="eps: expected a number of at least 1e-06, and below 1"):
        jl_dimension(10, eps)


def test_what_is_refused():
    with pytest.raises(OptionError, match="eps: expected a number of at least 1e-06, and finite"):
        jl_dimension(10, math.inf, bound="chi2")
    with pytest.raises(OptionError, match="n_points: expected an integer >= 1, got 0"):
        jl_dimension(0, 0.1)
    with pytest.raises(OptionError, match=r"delta: expected a probability of failure in \(0, 1\], got 0"):
        jl_dimension(10, 0.1, 0)
    with pytest.raises(OptionError, match="bound: expected one of 'article'"):
        jl_dimension(10, 0.1, bound="gauss")
