"""What is said of stochastic gradient descent: that it descends at every step (it does not), and its average loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrayopt import SGD, InverseSqrt
from arrayopt.problems import LogisticRegression, logistic_on, rosenbrock

SMALL = LogisticRegression(np.array([[1.0, 0.0], [0.5, 1.0], [-1.0, 0.3]]), np.array([1, -1, 1]), 0.0)


def test_the_false_statement_that_sgd_descends_at_every_step_is_refuted():
    """The first row draws w where the loss of all rows is larger."""
    w = np.zeros(2)
    rows = np.array([0])
    after, _ = SGD(lr=4.0).update(SMALL.on(rows).gradient(w), SGD().init(w), w)
    assert SMALL.on(rows).value(after) < SMALL.on(rows).value(w)
    assert SMALL.value(after) > SMALL.value(w) + 0.05


@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 2.0), st.integers(1, 200))
@settings(max_examples=30)
def test_claim_30_the_average_loss_of_sgd(seed, lr, steps):
    """Zinkevich 2003: on every path, for convex losses and rates that do not grow; with R as the path has it."""
    rng = np.random.default_rng(seed)
    loss = LogisticRegression(rng.normal(size=(20, 3)), np.where(rng.uniform(size=20) < 0.5, -1, 1), 0.01)
    u = rng.normal(size=3)
    rule, w = SGD(lr=InverseSqrt(lr)), np.zeros(3)
    state, excess, squares, far, bound = rule.init(w), 0.0, 0.0, 0.0, 0.0
    for t in range(1, steps + 1):
        one = loss.on(rng.integers(0, 20, 1))
        g, rate = one.gradient(w), lr / np.sqrt(t)
        excess += one.value(w) - one.value(u)
        far = max(far, float((w - u) @ (w - u)))
        squares += rate * float(g @ g)
        bound += (float((w - u) @ (w - u))) * (1 / rate - (0.0 if t == 1 else np.sqrt(t - 1) / lr)) / 2
        w, state = rule.update(g, state, w)
    loose = far / (2 * rate) + squares / 2  # R for all distances, so that the sum of differences telescopes
    tight = bound + squares / 2  # each distance as it was
    assert excess <= tight * (1 + 1e-12) + 1e-12
    assert tight <= loose * (1 + 1e-12)


def test_claim_30_on_real_data():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    loss = logistic_on("breast_cancer")
    w, rng = loss.start, np.random.default_rng(0)
    u = w
    for _ in range(12):
        u = loss.irls_step(u)
    rule, steps = SGD(lr=InverseSqrt(0.05)), 2000
    state, regret, squares, far = rule.init(w), 0.0, 0.0, 0.0
    for t in range(1, steps + 1):
        one = loss.on(rng.integers(0, loss.m, 1))
        g = one.gradient(w)
        regret += float(one.value(w) - one.value(u))
        far, squares = max(far, float((w - u) @ (w - u))), squares + 0.05 / np.sqrt(t) * float(g @ g)
        w, state = rule.update(g, state, w)
    bound = far * np.sqrt(steps) / (2 * 0.05) + squares / 2
    assert 0 < regret < 0.2 * bound


@given(st.integers(0, 2**32 - 1))
def test_no_direction_falls_more_steeply_than_the_negative_gradient(seed):
    rng = np.random.default_rng(seed)
    problem, x, d = rosenbrock(3), rng.uniform(-2, 2, 3), rng.normal(size=3)
    g = problem.gradient(x)
    assert g @ d / np.linalg.norm(d) >= -np.linalg.norm(g) * (1 + 1e-12)
    assert g @ -g / np.linalg.norm(g) == pytest.approx(-np.linalg.norm(g), rel=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_a_stationary_point_of_a_convex_function_is_a_global_minimiser(seed):
    rng = np.random.default_rng(seed)
    loss = LogisticRegression(rng.normal(size=(12, 3)), np.where(rng.uniform(size=12) < 0.5, -1, 1), 0.1)
    w = np.zeros(3)
    for _ in range(20):
        w = loss.irls_step(w)
    assert np.abs(loss.gradient(w)).max() < 1e-12
    elsewhere = w + rng.normal(size=(50, 3)) * 10 ** rng.uniform(-3, 2, (50, 1))
    assert (loss.value(elsewhere) >= loss.value(w)).all()
