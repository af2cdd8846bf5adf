"""A network of one hidden layer on scikit-learn's digits, its loss and its gradient: what two pictures train."""

from collections.abc import Callable
from typing import Any

import numpy as np

from arrayopt.smooth import log_softmax

HIDDEN = 32
Params = dict[str, np.ndarray]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return rows of pixels in [0, 1], and labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data / 16.0, found.target


def initial(seed: int) -> Params:
    """Return parameters of He's variance."""
    rng = np.random.default_rng(seed)
    return {"w1": rng.standard_normal((64, HIDDEN)) * np.sqrt(2 / 64), "b1": np.zeros(HIDDEN),
            "w2": rng.standard_normal((HIDDEN, 10)) * np.sqrt(1 / HIDDEN), "b2": np.zeros(10)}  # fmt: skip


def loss(p: Params, x: np.ndarray, y: np.ndarray) -> float:
    """Return the mean cross entropy."""
    return -float(np.mean(_logs(p, x)[1][np.arange(len(y)), y]))


def gradient(p: Params, x: np.ndarray, y: np.ndarray) -> Params:
    """Return the gradient of `loss`."""
    h, logs = _logs(p, x)
    d = np.exp(logs)
    d[np.arange(len(y)), y] -= 1
    d /= len(y)
    dh = (d @ p["w2"].T) * (h > 0)
    return {"w1": x.T @ dh, "b1": dh.sum(axis=0), "w2": h.T @ d, "b2": d.sum(axis=0)}


def accuracy(p: Params, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of rows whose greatest output is the label."""
    return float(np.mean(_logs(p, x)[1].argmax(axis=1) == y))


def trained(rule: Any, seed: int, batch: int, samples: int, data: tuple[np.ndarray, np.ndarray],
            watch: Callable[[int, Params], None] | None = None) -> Params:  # fmt: skip
    """Train on `samples` samples, drawn with replacement in batches."""
    x, y = data
    rng = np.random.default_rng(seed)
    params = initial(seed)
    state = rule.init(params)
    for step in range(samples // batch):
        rows = rng.integers(len(y), size=batch)
        params, state = rule.update(gradient(params, x[rows], y[rows]), state, params)
        if watch is not None:
            watch(step, params)
    return params


def _logs(p: Params, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h = np.maximum(x @ p["w1"] + p["b1"], 0)
    return h, log_softmax(h @ p["w2"] + p["b2"], axis=-1)
