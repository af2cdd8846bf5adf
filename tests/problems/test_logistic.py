"""Logistic regression: derivatives, extremes, array libraries, and the reference optima on bundled data."""

import builtins
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets

from arrayopt import to_numpy, use
from arrayopt.errors import LeafError, MissingPeerError, OptionError
from arrayopt.problems import LogisticRegression, logistic_on
from arrayopt.problems.bundled import TWO_CLASSES, two_classes
from tests.common.libraries import libraries

# Data, penalty, f*, norm of w*, first and last weight, smoothness, condition of the Hessian: spec/second_order.md 7.
OPTIMA = [
    (
        "breast_cancer",
        None,
        "0.066394069823406268",
        3.857682273138713,
        -0.353647592139211,
        0.179757895919371,
        3.322,
        85.4,
    ),
    (
        "breast_cancer",
        1e-4,
        "0.042655627270490424",
        10.796202528220263,
        1.20829703898731,
        -0.831578751436002,
        3.321,
        1070,
    ),
    ("digits", None, "0.244352581312762145", 3.995618037677871, 0.241987121013946, -0.142463342684234, 1.836, 923),
    ("digits", 1e-4, "0.240524983139612144", 4.209158005779615, 0.283328074806267, -0.170978666186361, 1.835, 4680),
]
cases = pytest.mark.parametrize(("data", "penalty", "f", "norm", "first", "last", "smooth", "cond"), OPTIMA)


def newton(loss, steps=14):
    w = loss.start
    for _ in range(steps):
        w = w - np.linalg.solve(loss.hessian(w), loss.gradient(w))
    return w


def extended(data, penalty):
    """Return the loss in extended precision from the raw data on: standardised in float64 it differs in digit 17."""
    raw, target = getattr(datasets, f"load_{data}")(return_X_y=True)
    raw = raw[:, np.ptp(raw, axis=0) > 0].astype(np.longdouble)
    rows = np.column_stack([(raw - raw.mean(axis=0)) / raw.std(axis=0), np.ones(len(raw))])
    loss = LogisticRegression(rows, np.where(target >= TWO_CLASSES[data], 1, -1), 0.0)
    loss.penalty = 1 / np.longdouble(len(raw)) if penalty is None else np.longdouble(str(penalty))
    return loss


def random_loss(seed, m=7, n=4, penalty=0.1, size=1.0):
    rng = np.random.default_rng(seed)
    return LogisticRegression(size * rng.standard_normal((m, n)), rng.choice([-1, 1], m), penalty), rng


@cases
def test_newton_reaches_the_reference_optimum(data, penalty, f, norm, first, last, smooth, cond):
    loss = logistic_on(data, penalty)
    w = newton(loss)
    assert np.linalg.norm(loss.gradient(w)) < 1e-15
    assert loss.value(w) == pytest.approx(float(f), rel=4e-16, abs=0)
    assert np.linalg.norm(w) == pytest.approx(norm, rel=1e-13, abs=0)
    assert w[0] == pytest.approx(first, abs=2e-13, rel=0)
    assert w[-1] == pytest.approx(last, abs=2e-13, rel=0)
    assert round(loss.smoothness, 3) == smooth
    assert np.linalg.cond(loss.hessian(w)) == pytest.approx(cond, rel=2e-3)


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="no extended precision on this machine")
@cases
def test_reference_optimum_in_extended_precision(data, penalty, f, norm, first, last, smooth, cond):
    loss, precise = logistic_on(data, penalty), extended(data, penalty)
    w = newton(loss).astype(np.longdouble)
    for _ in range(4):  # refined: the residual is extended, the solve need not be
        w = w - np.linalg.solve(loss.hessian(w.astype(float)), precise.gradient(w).astype(float))
    assert np.linalg.norm(precise.gradient(w).astype(float)) < 4e-20
    assert np.format_float_positional(precise.value(w), precision=18, unique=False) == f


@pytest.mark.parametrize(("data", "shape"), [("breast_cancer", (569, 31)), ("digits", (1797, 62))])
def test_bundled_data_are_standardised(data, shape):
    x, t = two_classes(data)
    assert x.shape == shape
    assert np.all(x[:, -1] == 1.0)
    np.testing.assert_allclose(x[:, :-1].mean(axis=0), 0.0, atol=1e-13)
    np.testing.assert_allclose(x[:, :-1].std(axis=0), 1.0, rtol=1e-12)
    assert set(t) == {-1.0, 1.0}
    assert (t == 1).sum() == {"breast_cancer": 357, "digits": 896}[data]


@given(st.integers(0, 10**6))
def test_gradient_and_hessian_are_the_derivatives(seed):
    loss, rng = random_loss(seed)
    w, v = rng.standard_normal((2, loss.n))
    h = 1e-5
    slope = (loss.value(w + h * v) - loss.value(w - h * v)) / (2 * h)
    turn = (loss.gradient(w + h * v) - loss.gradient(w - h * v)) / (2 * h)
    assert slope == pytest.approx(loss.gradient(w) @ v, abs=1e-8)
    np.testing.assert_allclose(loss.hessian(w) @ v, turn, atol=1e-7)
    np.testing.assert_allclose(loss.hessian_product(w, v), loss.hessian(w) @ v, rtol=1e-13, atol=1e-13)


@given(st.integers(0, 10**6), st.floats(0.0, 10.0), st.floats(0.01, 100.0))
def test_smoothness_and_strong_convexity_bound_the_hessian(seed, penalty, size):
    loss, rng = random_loss(seed, penalty=penalty, size=size)
    eigenvalues = np.linalg.eigvalsh(loss.hessian(rng.standard_normal(loss.n)))
    assert eigenvalues[-1] <= loss.smoothness * (1 + 1e-12)
    assert eigenvalues[0] >= loss.strong_convexity - 1e-12 * loss.smoothness


def test_smoothness_is_attained_at_zero():
    loss, _ = random_loss(3)
    assert np.linalg.eigvalsh(loss.hessian(loss.start))[-1] == pytest.approx(loss.smoothness, rel=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_extreme_margins(dtype):
    # One row with z = +-1e4 in each batch; by hand: the loss is 0 or 1e4, sigma(-z) is 0 or 1, the curvature 0.
    loss = LogisticRegression(np.asarray([[1.0]], dtype), np.asarray([1]), 0.0)
    w = np.asarray([[1e4], [-1e4], [0.0]], dtype)
    value, gradient = loss.value_and_gradient(w)
    assert value.tolist() == [0.0, 1e4, float(np.log(np.asarray(2, dtype)))]
    assert gradient[:, 0].tolist() == [0.0, -1.0, -0.5]
    assert loss.hessian_product(w, np.ones_like(w))[:, 0].tolist() == [0.0, 0.0, 0.25]


@given(st.floats(-700.0, 700.0))
def test_relative_precision_in_both_tails(z):
    loss = LogisticRegression(np.ones((1, 1)), np.asarray([1]), 0.0)
    w = np.asarray([z])
    large = math.exp(-abs(z))
    share = large / (1 + large) if z > 0 else 1 / (1 + large)
    cap = 1e-13 * (1 + abs(z)) / 10  # an error of an ulp in an argument |z| of exp is |z| ulp of exp
    assert loss.value(w) == pytest.approx(math.log1p(large) + max(-z, 0.0), rel=cap, abs=1e-300)
    assert loss.gradient(w)[0] == pytest.approx(-share, rel=cap, abs=1e-300)
    assert loss.curvatures(w)[0] == pytest.approx(large / (1 + large) ** 2, rel=cap, abs=1e-300)


def test_a_batch_of_weights_is_the_weights_one_by_one():
    loss, rng = random_loss(0)
    w, v = rng.standard_normal((2, 5, loss.n))
    values, gradients = loss.value_and_gradient(w)
    products = loss.hessian_product(w, v)
    for i in range(5):
        assert values[i] == pytest.approx(float(loss.value(w[i])), rel=1e-14)
        np.testing.assert_allclose(gradients[i], loss.gradient(w[i]), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(products[i], loss.hessian_product(w[i], v[i]), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("xp", libraries("strict", "torch"))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_array_libraries_in_their_dtype(xp, dtype):
    like, rng = random_loss(1)
    w, v = rng.standard_normal((2, like.n))
    kind = getattr(xp, dtype)
    loss = LogisticRegression(xp.asarray(like.x.tolist(), dtype=kind), xp.asarray(like.t.tolist()), like.penalty)
    at, along = xp.asarray(w.tolist(), dtype=kind), xp.asarray(v.tolist(), dtype=kind)
    pairs = [
        (loss.value(at), like.value(w)),
        (loss.gradient(at), like.gradient(w)),
        (loss.hessian(at), like.hessian(w)),
        (loss.hessian_product(at, along), like.hessian_product(w, v)),
        (loss.irls_step(at), like.irls_step(w)),
        (loss.on(xp.asarray([0, 2])).gradient(at), like.on(np.asarray([0, 2])).gradient(w)),
        (loss.start, like.start),
    ]
    for mine, reference in pairs:
        assert mine.dtype == kind
        bound = 1e-12 if dtype == "float64" else 2e-5
        np.testing.assert_allclose(to_numpy(mine), reference, rtol=bound, atol=bound)
    assert loss.smoothness == pytest.approx(like.smoothness, rel=1e-5)


def test_dtype_is_that_of_the_rows():
    loss = logistic_on("breast_cancer", dtype="float32")
    made = [
        *loss.value_and_gradient(loss.start),
        loss.hessian(loss.start),
        loss.hessian_product(loss.start, loss.start),
    ]
    assert {str(x.dtype) for x in made} == {"float32"}


def test_data_are_created_where_use_says():
    with use("array_api_strict"):
        assert type(logistic_on("breast_cancer").x).__module__.startswith("array_api_strict")


@given(st.integers(0, 10**6))
def test_irls_solves_the_weighted_least_squares_problem_of_its_docstring(seed):
    loss, rng = random_loss(seed)
    w = 0.5 * rng.standard_normal(loss.n)
    z, c = loss.margins(w), loss.curvatures(w)
    zeta = loss.x @ w + loss.t / (1 + np.exp(z)) / c
    root = np.sqrt(c / loss.m)
    rows = np.vstack([root[:, None] * loss.x, np.sqrt(loss.penalty) * np.eye(loss.n)])
    solved = np.linalg.lstsq(rows, np.concatenate([root * zeta, np.zeros(loss.n)]), rcond=None)[0]
    np.testing.assert_allclose(loss.irls_step(w), solved, rtol=1e-9, atol=1e-9)


def test_stochastic_gradients_are_unbiased():
    loss, rng = random_loss(5, m=9)
    w = rng.standard_normal(loss.n)
    each = [loss.on(np.asarray([i])).gradient(w) for i in range(loss.m)]
    np.testing.assert_allclose(np.mean(each, axis=0), loss.gradient(w), rtol=1e-13, atol=1e-15)
    batches = np.arange(9).reshape(3, 3)
    np.testing.assert_allclose(
        np.mean([loss.on(b).gradient(w) for b in batches], axis=0), loss.gradient(w), rtol=1e-13, atol=1e-15
    )


def test_a_row_drawn_twice_counts_twice():
    loss, rng = random_loss(6)
    w = rng.standard_normal(loss.n)
    part = loss.on(np.asarray([0, 0, 1]))
    singles = [loss.on(np.asarray([i])).value(w) for i in (0, 0, 1)]
    assert part.value(w) == pytest.approx(np.mean(singles), rel=1e-14)
    assert part.m == 3


def test_smoothness_of_a_part_is_its_own():
    loss, _ = random_loss(7)
    whole = loss.smoothness
    part = loss.on(np.asarray([0]))
    assert part.smoothness == pytest.approx(float(loss.x[0] @ loss.x[0]) / 4 + loss.penalty)
    assert part.smoothness != whole == loss.smoothness


@pytest.mark.parametrize(
    ("x", "t", "penalty", "kind", "says"),
    [
        (np.ones(3), np.ones(3), 0.0, LeafError, "x: expected rows"),
        (np.ones((0, 3)), np.ones(0), 0.0, LeafError, "x: expected rows"),
        (np.ones((3, 2), int), np.ones(3), 0.0, LeafError, "real floating"),
        (np.ones((3, 2)), np.ones(2), 0.0, LeafError, "t: expected one label a row"),
        (np.ones((3, 2)), np.asarray([0, 1, 1]), 0.0, OptionError, "1 and -1"),
        (np.ones((3, 2)), np.asarray([np.nan, 1, 1]), 0.0, OptionError, "1 and -1"),
        (np.ones((3, 2)), np.ones(3), -1.0, OptionError, "penalty"),
        (np.ones((3, 2)), np.ones(3), math.inf, OptionError, "penalty"),
    ],
)
def test_what_does_not_fit_is_refused(x, t, penalty, kind, says):
    with pytest.raises(kind, match=says):
        LogisticRegression(x, t, penalty)


def test_rows_must_be_indices():
    with pytest.raises(LeafError, match="rows: expected indices"):
        random_loss(0)[0].on(np.asarray([], dtype=int))


def test_an_unknown_data_set_or_dtype_is_named():
    with pytest.raises(OptionError, match=f"there are {', '.join(TWO_CLASSES)}"):
        logistic_on("mnist")
    with pytest.raises(OptionError, match="'float64' or 'float32'"):
        logistic_on("digits", dtype="float16")


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "sklearn":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPeerError, match="pip install scikit-learn"):
        logistic_on("digits")
