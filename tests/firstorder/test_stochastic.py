"""The average loss of stochastic gradient descent on real data."""

import numpy as np

from arrayopt import SGD, InverseSqrt
from arrayopt.problems import logistic_on


def test_the_average_loss_on_real_data():
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
