"""BallStep: the mean on the ball, its limits, and what every rule keeps to."""

import math

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arrayopt import minimize
from arrayopt.backend import to_numpy
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf
from arrayopt.errors import OptionError
from arrayopt.readers.formula import formula
from arrayopt.readers.rounding import Rounding
from arrayopt.sampling import METHODS, BallStep, bessel_ratio
from tests.common.rules import same_bits
from tests.common.test_every_rule import acts, assert_like_numpy
from tests.readers.common import assert_in_place_is_pure

DOMAINS = ["ball", "sphere"]
RULE = BallStep(lr=0.5, alpha=0.7, radius=0.4, weight_decay=0.2)


def stepped(rule, g, p=None):
    p = np.zeros_like(g) if p is None else p
    return rule.update(g, rule.init(p), p)[0] - p


@given(hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-1e300, 1e300)), st.floats(1e-9, 1e9))
def test_the_step_goes_along_minus_g_and_stays_in_the_ball(g, alpha):
    eps = 0.3
    with np.errstate(over="ignore"):  # of k, whose limit is right
        step = stepped(BallStep(alpha=alpha, radius=eps), g)
    assert np.isfinite(step).all()
    assert np.linalg.norm(step) <= eps * (1 + 1e-14)
    if np.abs(step).max() > 1e-290:  # else it is rounded to few bits
        unit, scaled = g / np.abs(g).max(), step / np.abs(step).max()
        assert scaled @ unit == pytest.approx(-np.linalg.norm(scaled) * np.linalg.norm(unit), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_zero_gradient_gives_a_zero_step_and_not_nan(dtype, domain):
    for n in (0, 1, 2, 1000):
        step = stepped(BallStep(domain=domain), np.zeros(n, dtype))
        assert step.dtype == dtype
        assert not step.any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_gradients_whose_squares_vanish_or_overflow(dtype):
    info = np.finfo(dtype)
    for size in (float(info.smallest_subnormal), float(info.tiny), float(info.max)):
        g = np.full(4, size, dtype)
        alpha = size / 100 or size
        step = stepped(BallStep(alpha=alpha, radius=0.5), g)
        ratio = bessel_ratio(4, size / alpha)
        np.testing.assert_allclose(step, -0.25 * ratio, rtol=8 * float(info.eps))


def test_nan_in_a_gradient_stays_visible():
    assert np.isnan(stepped(BallStep(), np.array([1.0, np.nan]))).any()


def test_a_million_dimensions():
    g = np.random.default_rng(0).normal(size=1_000_000).astype(np.float32)
    norm = float(np.linalg.norm(g.astype(np.float64)))
    step = stepped(BallStep(alpha=1e-3, radius=2.0), g).astype(np.float64)
    assert np.linalg.norm(step) == pytest.approx(2.0 * bessel_ratio(10**6, 2.0 * norm / 1e-3), rel=1e-6)


def test_it_is_a_method_of_minimize_and_a_schedule_may_cool_it():
    assert METHODS["ball"] is BallStep
    for rule in (BallStep(alpha=0.2, radius=0.5), BallStep(alpha=lambda t: 0.5 + 1 / t, radius=lambda t: 1.0)):
        result = minimize(lambda x: ((x - 3) ** 2).sum(), np.zeros(2), jac=lambda x: 2 * (x - 3), method=rule)
        assert result.success
        np.testing.assert_allclose(result.x, [3, 3], atol=1e-4)
    result = minimize(lambda x: (x**2).sum(), np.ones(3), jac=lambda x: 2 * x, method="ball", options={"alpha": 0.1})
    assert result.success


def test_bad_options():
    for name in ("alpha", "radius"):
        for bad in (0.0, -1.0, math.inf):
            with pytest.raises(OptionError, match=f"BallStep: {name} must be a finite number > 0"):
                BallStep(**{name: bad})
    with pytest.raises(OptionError, match="BallStep: domain must be one of 'ball', 'sphere'"):
        BallStep(domain="cube")


# What tests/common and tests/readers ask of the rules of arrayopt.firstorder ------------------------


@pytest.mark.parametrize("domain", DOMAINS)
def test_it_is_one_text_for_all_libraries(domain):
    rule, device = RULE.replace(domain=domain), array_api_strict.Device("device1")
    assert_like_numpy(rule, lambda x: array_api_strict.asarray(x, device=device), to_numpy)

    def frozen(x):
        x = x.copy()
        x.flags.writeable = False
        return x

    assert_like_numpy(rule, frozen, np.asarray, rel=0.0)


def test_torch_and_jax():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert_like_numpy(RULE, torch.from_numpy, lambda x: x.numpy())
    jax = pytest.importorskip("jax", reason="jax is not installed")
    assert_like_numpy(RULE, jax.numpy.asarray, np.asarray, np.float32, rel=1e-4)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (2, 3, 4), (300,)])
def test_shapes_and_dtypes_are_kept_and_in_place_equals_pure(dtype, shape):
    p = np.full(shape, 0.5, dtype)
    after, _ = RULE.update(p, RULE.init(p), p)
    assert (type(after), after.shape, after.dtype) == (np.ndarray, shape, dtype)
    assert_in_place_is_pure(RULE, shape, dtype)
    assert_in_place_is_pure(RULE, shape, dtype, block=16)


def test_bfloat16_is_computed_in_float32_and_rounded_back():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    p, g = np.linspace(-1, 1, 12).astype(ml_dtypes.bfloat16), np.linspace(-3, 1, 12).astype(ml_dtypes.bfloat16)
    after, _ = RULE.update(g, RULE.init(p), p)
    wide = [x.astype(np.float32) for x in (g, p)]
    expected, _ = RULE.update(wide[0], RULE.init(wide[1]), wide[1])
    assert same_bits(after.astype(np.float32), expected.astype(ml_dtypes.bfloat16).astype(np.float32))


@pytest.mark.parametrize("decay", ["l2", "decoupled", "in_update"])
@pytest.mark.parametrize("domain", DOMAINS)
def test_it_can_be_traced_and_read(decay, domain):
    rule, leaf = RULE.replace(decay=decay, domain=domain), Leaf("w", (4, 3), "float64")
    tape = trace(rule, leaf, rule.numbers_at(1, leaf), {})
    assert [op.name for op in tape.ops if op.helper is not None] == ["mean_length"]
    assert formula(rule)[-1].plain().startswith("p_t = ")


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_rounding_bound_holds(dtype):
    rng, reader = np.random.default_rng(0), Rounding(RULE)
    p = rng.normal(size=(3, 500)).astype(dtype)
    tracked, wide, state = reader.start(p), p.astype(np.float64), RULE.init(p.astype(np.float64))
    for _ in range(4):
        g = rng.normal(size=p.shape).astype(dtype)
        tracked = reader.step(g, tracked)
        wide, state = RULE.update(g.astype(np.float64), state, wide)
        found = tracked.params[""]
        off = np.abs(found.value.astype(np.float64) - wide)
        assert (off <= found.bound).all()
        assert np.median(found.bound) < 60 * max(off.max(), np.finfo(dtype).eps)


def test_every_dialect_and_number_changes_some_output():
    assert acts(BallStep, "domain", "sphere")
    for name, value in {"alpha": 0.5, "radius": 0.05, "lr": 0.05, "weight_decay": 0.1}.items():
        assert acts(BallStep, name, value)
    for decay in ("l2", "in_update"):
        assert acts(BallStep, "decay", decay)
