"""The article's algorithm, one uncertain prediction after the other: what `can` is held against."""

import numpy as np


def uncertainty(p, k):
    """The entropy of the k greatest of each row, over log k."""
    top = np.sort(p, axis=1)[:, -k:]
    top = top / top.sum(axis=1, keepdims=True)
    return -(top * np.log(np.where(top > 0, top, 1))).sum(axis=1) / np.log(k)


def loop(p, prior, k=3, threshold=0.9, alpha=1, rounds=1):
    """Correct each, against the certain predictions as they were given."""
    u, corrected = uncertainty(p, k), p.copy()
    certain = p[u < threshold]
    for j in np.flatnonzero(u >= threshold):
        y = np.concatenate([certain, p[j : j + 1]])
        for _ in range(rounds):
            y = y**alpha
            y = y / y.mean(axis=0) * prior
            y = y / y.sum(axis=1, keepdims=True)
        corrected[j] = y[-1]
    return corrected


def predictions(rng, samples, classes, spread=2.5):
    """Draw predictions and frequencies of classes."""
    z = rng.standard_normal((samples, classes)) * spread
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True), rng.dirichlet(np.full(classes, 2.0))
