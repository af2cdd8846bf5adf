"""Orthogonal factors: polynomials, the iteration, the exact matrix sign, inverse roots and their error bounds."""

import array_api_compat.numpy as xp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from arrayopt.backend import namespace, to_numpy
from arrayopt.core.orthogonal import (
    KELLER,
    QUINTIC,
    TAYLOR,
    coefficients,
    composite,
    inverse_root,
    msign,
    named,
    newton_schulz,
    polar_express,
    take,
)
from arrayopt.core.orthogonal.precision import to_bfloat16
from arrayopt.errors import OptionError

NORMS = ["add", "max", "safety", "spectral", "schatten", "aol"]
NAMES = ["keller", "taylor", "quintic", "polar_express"]


@st.composite
def matrices(draw, full_rank=False, square=False):
    """Matrices U diag(s) V^T with singular values in [0.1, 1] or zero, and their factors."""
    rows = draw(st.integers(1, 6))
    columns = rows if square else draw(st.integers(1, 6))
    n = min(rows, columns)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    u, v = orthonormal(rng, rows, n), orthonormal(rng, columns, n)
    s = np.sort(rng.uniform(0.1, 1, size=n))[::-1]
    if not full_rank:
        s[draw(st.integers(0, n)) :] = 0
    return u, s, v


def orthonormal(rng, n, k):
    return np.linalg.qr(rng.normal(size=(n, n)))[0][:, :k]


def norm(x):
    return float(np.linalg.norm(x))


def close(actual, expected, atol):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


# The exact matrix sign ---------------------------------------------------------------------------


@given(matrices())
def test_msign_has_the_singular_vectors_and_ones_on_the_non_zero_spectrum(usv):
    u, s, v = usv
    close(msign(xp, u * s @ v.T), u * np.sign(s) @ v.T, 1e-13)


@given(matrices(), st.sampled_from(["left", "right"]))
def test_msign_is_the_inverse_root_of_a_gram_matrix_times_the_matrix(usv, side):
    # the gram matrix squares the condition, and the root of its rounding errors is 1e-8 of it
    x = (usv[0] * usv[1]) @ usv[2].T
    by_root = inverse_root(xp, x @ x.T, order=2) @ x if side == "left" else x @ inverse_root(xp, x.T @ x, order=2)
    close(by_root, msign(xp, x), 1e-12)


@given(matrices())
def test_fourth_roots_on_both_sides_give_msign_too(usv):
    x = (usv[0] * usv[1]) @ usv[2].T
    close(inverse_root(xp, x @ x.T, order=4) @ x @ inverse_root(xp, x.T @ x, order=4), msign(xp, x), 1e-12)


@given(matrices(), st.floats(1e-30, 1e30))
def test_msign_does_not_see_a_positive_factor(usv, c):
    x = (usv[0] * usv[1]) @ usv[2].T
    close(msign(xp, c * x), msign(xp, x), 1e-13)


@given(matrices(), st.integers(0, 2**32))
def test_msign_turns_with_orthogonal_matrices_and_transposes(usv, seed):
    x = (usv[0] * usv[1]) @ usv[2].T
    rng = np.random.default_rng(seed)
    q, p = orthonormal(rng, x.shape[0], x.shape[0]), orthonormal(rng, x.shape[1], x.shape[1])
    close(msign(xp, q @ x @ p), q @ msign(xp, x) @ p, 1e-12)
    close(msign(xp, x.T), msign(xp, x).T, 1e-13)


@given(st.lists(st.sampled_from([-3.0, -1e-3, 0.0, 2e-2, 5.0]), min_size=1, max_size=5))
def test_msign_of_a_diagonal_matrix_is_its_sign(diagonal):
    close(msign(xp, np.diag(diagonal)), np.sign(np.diag(diagonal)), 1e-15)


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_msign_of_a_column_is_the_column_over_its_norm(n, seed):
    x = np.random.default_rng(seed).normal(size=(n, 1))
    close(msign(xp, x), x / norm(x), 1e-15)


@given(matrices())
def test_the_inner_product_with_msign_is_the_nuclear_norm(usv):
    u, s, v = usv
    x = u * s @ v.T
    np.testing.assert_allclose(np.sum(x * msign(xp, x)), np.sum(s), atol=1e-13)


@given(matrices(full_rank=True, square=True), st.integers(0, 2**32))
def test_msign_is_the_nearest_orthogonal_matrix(usv, seed):
    x = (usv[0] * usv[1]) @ usv[2].T
    other = orthonormal(np.random.default_rng(seed), len(x), len(x))
    assert norm(x - msign(xp, x)) <= norm(x - other) + 1e-13


@given(matrices(full_rank=True), st.integers(0, 2**32))
def test_no_step_of_spectral_norm_one_has_a_larger_inner_product(usv, seed):
    x = (usv[0] * usv[1]) @ usv[2].T
    other = np.random.default_rng(seed).normal(size=x.shape)
    assert np.sum(x * other) / np.linalg.norm(other, 2) <= np.sum(x * msign(xp, x)) + 1e-13


def test_for_rank_deficient_matrices_msign_is_not_the_only_maximiser():
    x = np.diag([2.0, 0.0])
    other = np.diag([1.0, -0.7])
    assert np.sum(x * other) == np.sum(x * msign(xp, x))
    assert np.linalg.norm(other, 2) == np.linalg.norm(msign(xp, x), 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 2), (1, 1), (0, 3), (2, 0), (2, 3, 4)])
def test_zero_and_empty_matrices_stay_what_they_are(dtype, shape):
    x = np.zeros(shape, dtype)
    for y in (msign(xp, x), newton_schulz(xp, x, 0.0, polynomials=KELLER * 5)):
        assert y.dtype == dtype
        assert y.shape == shape
        assert not np.any(y)


def test_a_matrix_that_is_not_finite_gives_nan_and_leaves_others_alone():
    x = np.array([np.diag([1.0, np.nan]), np.diag([2.0, -3.0]), np.diag([np.inf, 1.0])])
    for y in (msign(xp, x), inverse_root(xp, np.abs(x), order=4)):
        assert np.all(np.isnan(y[[0, 2]]))
        assert np.all(np.isfinite(y[1]))


@given(st.integers(0, 2**32), st.sampled_from([(4, 4), (3, 7), (9, 5)]), st.floats(0, 7))
def test_narrow_dtypes_are_right_to_rounding_whatever_the_condition(seed, shape, digits):
    rng = np.random.default_rng(seed)
    n = min(shape)
    s = np.geomspace(1, 10**-digits, n)
    x = (orthonormal(rng, shape[0], n) * s @ orthonormal(rng, shape[1], n).T).astype(np.float32)
    exact = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    kept = exact.S / exact.S[0] > 8 * 2.0**-24 * np.sqrt(max(shape))
    close(msign(xp, x), exact.U * kept @ exact.Vh, 1.6e-7)


# Polynomials -------------------------------------------------------------------------------------


def test_the_parametrisation_has_its_fixed_points_and_gives_the_articles_coefficients():
    a, b, c = coefficients(1.724, 0.935, 1.235)
    close([a, b, c], [3.297, -4.136, 1.724], 0.01)  # the article rounds kappa, x1 and x2
    close(composite([(a, b, c)], np.array([0.0, 0.935, 1.235])), [0.0, 0.935, 1.235], 1e-14)
    assert coefficients(3 / 8, 1.0, np.sqrt(7 / 3)) == pytest.approx(TAYLOR[0])


def test_taylors_polynomial_converges_cubically_to_one_and_only_below_its_outer_fixed_point():
    gap = np.array([1e-2, 1e-3])
    close((1 - composite(TAYLOR, 1 - gap)) / gap**3, [2.5, 2.5], 0.05)
    close([composite(TAYLOR * t, 0.01) for t in (5, 8, 10)], [0.2285, 0.9427, 1.0], 5e-5)
    edge = np.sqrt(7 / 3)
    close(composite(TAYLOR * 200, np.array([edge - 1e-6, 1e-3])), [1.0, 1.0], 1e-15)
    assert composite(TAYLOR * 7, edge + 1e-3) > 1e3


def test_kellers_polynomial_does_not_converge_but_stays_in_its_band():
    close(composite(KELLER, np.array([0.8680258, 1.2637291])), [0.8680258, 1.2637291], 1e-6)
    band = np.linspace(0.68183, 1.13436, 20001)
    after = composite(KELLER, band)
    assert (after.min().round(5), after.max().round(5)) == (0.68183, 1.13436)
    five = composite(KELLER * 5, np.geomspace(0.01, 1, 20001))
    assert 0.6818 <= five.min() < 0.69
    assert 1.13 < five.max() <= 1.1344
    wider = composite(KELLER * 5, np.geomspace(0.002, 1, 20001))
    assert wider.min() >= 0.68
    assert 1.202 < wider.max() < 1.203


def test_polar_express_reproduces_the_published_tables():
    published = [
        (8.28721201814563, -23.595886519098837, 17.300387312530933),
        (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
        (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
        (3.3184196573706015, -2.488488024314874, 0.51004894012372),
        (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
        (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
        (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    ]
    np.testing.assert_allclose(polar_express(7), published, rtol=1e-9)
    np.testing.assert_allclose(polar_express(8)[7], (1.875, -1.25, 0.375), rtol=1e-8)
    dion = [
        (8.156554524902461, -22.48329292557795, 15.878769915207462),
        (4.042929935166739, -2.808917465908714, 0.5000178451051316),
        (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
        (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
        (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
    ]
    np.testing.assert_allclose(polar_express(5, safety=0.02, cushion=0.02), dion, rtol=1e-13)


def test_the_named_polar_express_divides_by_the_safety_factor():
    table, safe = np.array(polar_express(8)), np.array(named("polar_express"))
    np.testing.assert_allclose(safe[0], table[0] / 1.01 ** np.array([1, 3, 5]), rtol=1e-14)
    assert np.all(composite(take(named("polar_express"), 8), np.linspace(1e-3, 1, 999)) < 1.02)


@given(st.floats(0.01, 0.9))
def test_a_polynomial_of_polar_express_equioscillates_and_none_of_its_neighbours_is_better(lower):
    (p,) = polar_express(1, lower=lower, cushion=0.0)
    grid = np.linspace(lower, 1, 4001)
    error = composite((p,), grid) - 1
    worst = np.max(np.abs(error))
    assert error[0] == pytest.approx(-worst, rel=1e-4)
    assert error[-1] == pytest.approx(worst, rel=1e-4)
    for i in range(3):
        for sign in (-1, 1):
            q = tuple(x * (1 + sign * 1e-3 * (i == j)) for j, x in enumerate(p))
            assert np.max(np.abs(composite((q,), grid) - 1)) > worst


@given(st.integers(2, 6), st.floats(1e-3, 0.5))
def test_more_polynomials_leave_less_of_the_interval(steps, lower):
    grid = np.geomspace(lower, 1, 2001)

    def left(t):
        return np.max(np.abs(composite(polar_express(t, lower=lower, cushion=0.0), grid) - 1))

    assert left(steps) < left(steps - 1) + 1e-12
    assert left(steps) <= np.max(np.abs(composite(KELLER * steps, grid) - 1))


@pytest.mark.parametrize("bad", [dict(steps=0), dict(lower=0.0), dict(lower=2.0), dict(safety=-0.1), dict(cushion=1.5)])
def test_polar_express_refuses_nonsense(bad):
    with pytest.raises(OptionError, match="polar_express: expected steps >= 1"):
        polar_express(**{"steps": 3, **bad})


def test_the_last_polynomial_is_repeated():
    assert take(QUINTIC, 2) == QUINTIC[:2]
    assert take(QUINTIC, 7) == (*QUINTIC, QUINTIC[-1], QUINTIC[-1])
    assert take(QUINTIC, 0) == ()


# The iteration -----------------------------------------------------------------------------------


def divisor(s, eps, name):
    n, four = np.sqrt(np.sum(s**2)), np.sqrt(np.sum(s**4))
    return {
        "add": n + eps,
        "max": max(n, eps),
        "safety": 1.02 * n + eps,
        "spectral": s[0] + eps,
        "schatten": np.sqrt(max(four, eps)),
    }[name]


@given(matrices(), st.sampled_from(NAMES), st.integers(0, 6), st.sampled_from(NORMS[:5]), st.sampled_from([1e-7, 0.5]))
def test_the_iteration_is_the_polynomial_on_singular_values_and_keeps_the_vectors(usv, name, steps, norm_name, eps):
    u, s, v = usv
    polynomials = take(named(name), steps)
    x = newton_schulz(xp, u * s @ v.T, eps, polynomials=polynomials, norm=norm_name)
    # rounding errors grow like the slope at zero, 4.1^2 * 3.9^2 * ... at most
    close(x, u * composite(polynomials, s / divisor(s, eps, norm_name)) @ v.T, 1e-11)


@given(matrices(full_rank=True))
def test_taylors_iteration_converges_to_msign(usv):
    x = (usv[0] * usv[1]) @ usv[2].T
    close(newton_schulz(xp, x, 0.0, polynomials=TAYLOR * 25), msign(xp, x), 1e-12)


@given(matrices(full_rank=True))
def test_five_of_kellers_steps_end_in_a_band_and_not_at_an_orthogonal_matrix(usv):
    x = (usv[0] * usv[1]) @ usv[2].T
    s = np.linalg.svd(newton_schulz(xp, x, 0.0, polynomials=KELLER * 5), compute_uv=False)
    assert np.all((s > 0.6818) & (s < 1.1344))


@given(matrices(), st.sampled_from(NORMS))
def test_the_iteration_of_the_transpose_is_the_transpose(usv, norm_name):
    x = (usv[0] * usv[1]) @ usv[2].T
    assume(norm_name != "aol" or x.shape[0] != x.shape[1])  # aol divides the rows of a square matrix
    over = dict(polynomials=KELLER * 5, norm=norm_name)
    close(newton_schulz(xp, x.T, 1e-3, **over), newton_schulz(xp, x, 1e-3, **over).T, 1e-11)


@given(matrices(full_rank=True))
def test_aol_brings_all_singular_values_under_one(usv):
    # ... by rows, so that singular vectors turn: it is not a function of the singular values
    x = (usv[0] * usv[1]) @ usv[2].T
    y = newton_schulz(xp, x, 0.0, polynomials=(), norm="aol")
    assert np.linalg.norm(y, 2) <= 1 + 1e-14
    row_sums = np.sum(np.abs(x @ x.T), axis=1) if x.shape[0] <= x.shape[1] else np.sum(np.abs(x.T @ x), axis=1)
    scale = np.sqrt(row_sums)
    close(y, x / (scale[:, None] if x.shape[0] <= x.shape[1] else scale), 1e-14)


def test_matrices_in_leading_axes_are_treated_one_by_one():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    for norm_name in NORMS:
        over = dict(polynomials=QUINTIC, norm=norm_name)
        together = newton_schulz(xp, x, 1e-3, **over)
        close(together[1, 2], newton_schulz(xp, x[1, 2], 1e-3, **over), 1e-13)
    close(msign(xp, x)[1, 2], msign(xp, x[1, 2]), 1e-13)


# bfloat16 ----------------------------------------------------------------------------------------


def test_rounding_to_bfloat16_is_exact_ties_included():
    import ml_dtypes

    rng = np.random.default_rng(0)
    x = (rng.normal(size=100_000) * 10.0 ** rng.uniform(-35, 30, size=100_000)).astype(np.float32)
    ties = ((x.view(np.uint32) & 0xFFFF0000) | 0x8000).view(np.float32)
    for z in (x, ties, np.zeros(3, np.float32)):
        np.testing.assert_array_equal(to_bfloat16(xp, z), z.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_bfloat16_stores_every_iterate_as_bfloat16():
    import ml_dtypes

    x = np.random.default_rng(0).normal(size=(4, 3))
    y = newton_schulz(xp, x, 1e-7, polynomials=KELLER * 5, bfloat16=True)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, y.astype(ml_dtypes.bfloat16).astype(np.float64))
    # steps of rounding 2^-8, enlarged by slopes of about 10 in the middle of the spectrum
    close(y, newton_schulz(xp, x, 1e-7, polynomials=KELLER * 5), 0.1)


# Namespaces --------------------------------------------------------------------------------------


def arrays(library, x):
    if library == "array_api_strict":
        import array_api_strict as strict

        return strict.asarray(x, device=strict.Device("device1"))
    if library == "read-only":
        x = x.copy()
        x.flags.writeable = False
        return x
    module = pytest.importorskip({"torch": "torch", "jax": "jax.numpy"}[library], reason=f"needs {library}")
    return module.asarray(x)


CASES = [(library, dtype) for library in ("read-only", "torch") for dtype in ("float16", "float32", "float64")]
CASES += [("array_api_strict", "float32"), ("array_api_strict", "float64"), ("jax", "float32")]


@pytest.mark.parametrize(("library", "dtype"), CASES)
def test_every_library_gives_the_same(library, dtype):
    rng = np.random.default_rng(3)
    for shape in [(4, 3)] if library == "jax" else [(3, 4), (4, 3), (1, 1), (0, 2)]:  # JAX compiles for each shape
        x = rng.normal(size=shape).astype(dtype)
        a = (x @ x.T + np.eye(shape[0])).astype(dtype)
        calls = [(msign, x, (), {}), (inverse_root, a, (), {"order": 4})] + [
            (newton_schulz, x, (1e-3,), {"polynomials": KELLER * 5, "norm": n, "bfloat16": b})
            for n, b in [*((n, False) for n in NORMS), ("add", True)]
        ]
        for helper, host, numbers, static in calls:
            there = arrays(library, host)
            got = helper(namespace(there), there, *numbers, **static)
            assert type(got) is type(there)
            assert got.dtype == there.dtype
            expected = helper(xp, host, *numbers, **static)
            tolerance = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-12}[dtype]
            tolerance = max(tolerance, 0.02) if static.get("bfloat16") else tolerance
            close(np.asarray(to_numpy(got), dtype=float), np.asarray(expected, dtype=float), tolerance)


# Error bounds ------------------------------------------------------------------------------------


@given(matrices(full_rank=True), st.integers(0, 2**32), st.sampled_from(NORMS), st.sampled_from(NAMES))
def test_a_small_change_moves_the_iteration_by_no_more_than_its_bound(usv, seed, norm_name, name):
    x = (usv[0] * usv[1]) @ usv[2].T
    change = np.random.default_rng(seed).normal(size=x.shape)
    change *= 1e-9 / norm(change)
    over = dict(polynomials=take(named(name), 5), norm=norm_name)
    moved = norm(newton_schulz(xp, x + change, 1e-3, **over) - newton_schulz(xp, x, 1e-3, **over))
    rounding = newton_schulz.error(x, 1e-3, unit=2.0**-53, **over)
    assert moved <= 1.001 * newton_schulz.error(x, 1e-3, norm_of_error=1e-9, **over) + 2 * rounding


def test_the_bound_of_the_iteration_is_attained():
    # turning the two smallest singular vectors against each other
    rng = np.random.default_rng(0)
    u, v, s = orthonormal(rng, 4, 4), orthonormal(rng, 4, 4), np.array([1.0, 0.5, 1e-3, 5e-4])
    x = u * s @ v.T
    change = np.outer(u[:, 2], v[:, 3]) - np.outer(u[:, 3], v[:, 2])
    change *= 1e-8 / norm(change)
    over = dict(polynomials=KELLER * 5)
    moved = norm(newton_schulz(xp, x + change, 0.0, **over) - newton_schulz(xp, x, 0.0, **over))
    bound = newton_schulz.error(x, 0.0, norm_of_error=1e-8, **over)
    assert 0.9 * bound < moved <= 1.001 * bound


STRUCTURED = {
    "normal": lambda rng, n, m: rng.normal(size=(n, m)),
    "diagonal": lambda rng, n, m: np.eye(n, m) * rng.normal(size=(n, 1)),
    "rank 1": lambda rng, n, m: np.outer(rng.normal(size=n), rng.normal(size=m)),
    "constant": lambda rng, n, m: np.full((n, m), rng.normal()),
    "graded": lambda rng, n, m: rng.normal(size=(n, m)) * 10.0 ** -np.arange(n)[:, None],
    "heavy tails": lambda rng, n, m: rng.standard_cauchy((n, m)),
    "tiny": lambda rng, n, m: 1e-9 * rng.normal(size=(n, m)),
    "huge": lambda rng, n, m: 1e9 * rng.normal(size=(n, m)),
    "orthogonal": lambda rng, n, m: np.linalg.qr(rng.normal(size=(max(n, m),) * 2))[0][:n, :m],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", STRUCTURED)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_rounding_stays_within_the_bound(name, kind, dtype):
    rng = np.random.default_rng(5)
    over = dict(polynomials=take(named(name), 5))
    here, unit = (np.float16, 2.0**-11) if dtype == "float16" else (np.float32, 2.0**-24)
    half = dict(bfloat16=dtype == "bfloat16")
    for shape in ((1, 1), (1, 5), (2, 2), (3, 2), (4, 4), (8, 5), (16, 16)):
        for _ in range(8):
            x = np.clip(STRUCTURED[kind](rng, *shape), -6e4, 6e4).astype(here)
            exact = newton_schulz(xp, x.astype(np.float64), 1e-7, **over)
            off = norm(newton_schulz(xp, x, 1e-7, **half, **over) - exact)
            assert off <= newton_schulz.error(x, 1e-7, unit=unit, **half, **over)


def test_the_bound_on_rounding_is_not_idle():
    rng = np.random.default_rng(5)
    worst = 0.0
    for _ in range(300):
        x = rng.normal(size=(2, 3)).astype(np.float32)
        over = dict(polynomials=KELLER * 5)
        off = np.abs(newton_schulz(xp, x, 1e-7, **over) - newton_schulz(xp, x.astype(np.float64), 1e-7, **over))
        worst = max(worst, float(np.max(off)) / newton_schulz.error(x, 1e-7, unit=2.0**-24, **over))
    assert 0.02 < worst < 0.5


@given(matrices(full_rank=True), st.integers(0, 2**32), st.floats(1e-9, 0.02))
def test_msign_moves_by_no_more_than_its_bound(usv, seed, size):
    x = (usv[0] * usv[1]) @ usv[2].T
    change = np.random.default_rng(seed).normal(size=x.shape)
    change *= size / norm(change)
    assert norm(msign(xp, x + change) - msign(xp, x)) <= msign.error(x, norm_of_error=size) + 1e-13


@given(matrices(full_rank=True))
def test_msign_in_float32_is_within_its_bound(usv):
    x = ((usv[0] * usv[1]) @ usv[2].T).astype(np.float32)
    assert norm(msign(xp, x) - msign(xp, x.astype(np.float64))) <= msign.error(x, unit=2.0**-24)


def test_where_the_rank_may_change_the_bound_is_infinite():
    assert msign.error(np.diag([1.0, 1e-3]), norm_of_error=2e-3) == np.inf
    assert msign.error(np.zeros((2, 2)), norm_of_error=1e-300) == np.inf
    assert msign.error(np.zeros((2, 2))) == msign.error(np.zeros((0, 2)), norm_of_error=1.0) == 0.0
    assert inverse_root.error(np.diag([1.0, 1e-3]), norm_of_error=2e-3, order=4) == np.inf
    assert newton_schulz.error(np.zeros((2, 2)), 0.0, norm_of_error=1.0, polynomials=KELLER) == np.inf


def test_each_matrix_of_a_batch_has_a_bound_of_its_own():
    """A tiny matrix, which is stretched much, does not spoil the bound of the others."""
    x = np.random.default_rng(0).normal(size=(2, 1, 3, 4)) * np.array([1.0, 1e-9]).reshape(2, 1, 1, 1)
    over = dict(norm_of_error=1e-3, unit=2.0**-24, polynomials=KELLER * 5)
    each = [newton_schulz.error(m, 1e-7, **over) for m in x.reshape(-1, 3, 4)]
    assert each[1] > 1e3 * each[0]
    together = newton_schulz.error(x, 1e-7, **over)
    assert together.shape == (2, 1, 1, 1)
    assert together.ravel().tolist() == each
    over["norm_of_error"] = np.array([1e-3, 0.0]).reshape(2, 1, 1, 1)
    assert newton_schulz.error(x, 1e-7, **over).ravel()[1] < each[1]


@given(matrices(full_rank=True, square=True), st.integers(0, 2**32), st.floats(1e-9, 5e-3), st.integers(1, 8))
def test_an_inverse_root_moves_by_no_more_than_its_bound(usv, seed, size, order):
    u, s, _ = usv
    a = u * s**2 @ u.T
    change = np.random.default_rng(seed).normal(size=a.shape)
    change = change + change.T
    change *= size / norm(change)
    moved = norm(inverse_root(xp, a + change, order=order) - inverse_root(xp, a, order=order))
    assert moved <= inverse_root.error(a, norm_of_error=size, unit=2.0**-53, order=order)


@given(matrices(square=True), st.integers(1, 8))
def test_an_inverse_root_to_its_order_is_the_inverse_on_the_non_zero_spectrum(usv, order):
    u, s, _ = usv
    root = inverse_root(xp, u * s @ u.T, order=order)
    inverse = np.where(s > 0, 1 / np.where(s > 0, s, 1), 0)
    close(np.linalg.matrix_power(root, order), u * inverse @ u.T, 1e-10)
