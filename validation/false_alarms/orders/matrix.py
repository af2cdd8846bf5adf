"""Muon and Shampoo in other orders of operations."""

import numpy as np

from validation.false_alarms.port import Order, zeros
from validation.false_alarms.precision import as_in, single, wide

A, B, C = 3.4445, -4.7750, 2.0315
"""Keller Jordan's polynomial."""


def _taller(shape):
    return (max(1.0, shape[-2] / shape[-1])) ** 0.5


def _matrix(x):
    return x.reshape(x.shape[0], -1)


def muon_lerp(h, t, g, p, s):
    """Lerps; tall matrices are turned, and the bracket is taken by Horner's rule."""
    s["m"] += (1 - h.momentum) * (g - s["m"])
    x = _matrix(g + h.momentum * (s["m"] - g))
    flat = x.shape
    if flat[0] > flat[1]:
        x = x.T
    x = x / (np.sqrt(np.sum(x * x)) + h.eps)
    for _ in range(5):
        gram = x @ x.T
        q = C * gram
        q[np.diag_indices(len(q))] += B
        x = A * x + (gram @ q) @ x
    x = x.T if flat[0] > flat[1] else x
    p *= 1 - h.lr * h.weight_decay
    p -= (h.lr * _taller(flat)) * x.reshape(p.shape)
    return p


def muon_in_place(h, t, g, p, s):
    """As Keller Jordan wrote it, with the decay beside the update."""
    s["m"] *= h.momentum
    s["m"] += (1 - h.momentum) * g
    u = h.momentum * s["m"]
    u += (1 - h.momentum) * g
    x = _matrix(u)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x * (1 / (np.sqrt(np.sum(np.square(x))) + h.eps))
    for _ in range(5):
        gram = x @ x.T
        square = gram @ gram
        x = A * x + (B * (gram @ x) + C * (square @ x))
    x = x.T if tall else x
    return p - h.lr * (_taller(x.shape) * x.reshape(p.shape) + h.weight_decay * p)


def _grams(h, p):
    # in bfloat16 the small eigenvalues would be lost: everybody keeps these matrices in float32
    grams = {f"g{i}": h.eps * np.eye(n, dtype=single(p).dtype) for i, n in enumerate(p.shape)}
    return grams | {"m": np.zeros_like(p)}


def _gram(x, axis):
    flat = np.moveaxis(single(x), axis, 0).reshape(x.shape[axis], -1)
    return flat @ flat.T


def _spectrum(a):
    """Return the eigenvalues that rounding has not made up, and their vectors."""
    w, v = np.linalg.eigh(wide(a))
    kept = w > w[-1] * 8 * len(w) ** 0.5 * np.finfo(a.dtype).eps
    return w[kept], v[:, kept]


def _along(matrix, x, axis):
    """Multiply a tensor by a matrix along an axis."""
    flat = np.moveaxis(x, axis, 0)
    product = matrix @ flat.reshape(len(flat), -1)
    return np.moveaxis(product.reshape(len(product), *flat.shape[1:]), 0, axis)


def shampoo_last_axis_first(h, t, g, p, s):
    """Roots from the last axis to the first, in place."""
    g = g + h.weight_decay * p
    s["m"] += (1 - h.momentum) * (g - s["m"])
    u = s["m"] if h.momentum else g
    for i in reversed(range(p.ndim)):
        s[f"g{i}"] *= h.beta
        s[f"g{i}"] += _gram(g, i)
        w, v = _spectrum(s[f"g{i}"])
        u = _along(as_in((v * w ** (-0.5 / p.ndim)) @ v.T, u), u, i)
    return p - h.lr * u


def shampoo_in_eigenvectors(h, t, g, p, s):
    """The gradient is turned into the eigenvectors, divided, and turned back, in float64."""
    g = p * h.weight_decay + g
    s["m"] = h.momentum * s["m"] + (1 - h.momentum) * g
    u = wide(s["m"])
    for i in range(p.ndim):
        s[f"g{i}"] = _gram(g, i) + h.beta * s[f"g{i}"]
        w, v = _spectrum(s[f"g{i}"])
        u = _along(v, _along((v / w ** (0.5 / p.ndim)).T, u, i), i)
    p -= h.lr * as_in(u, p)
    return p


ORDERS = {
    "Muon": (Order("lerp, Horner", muon_lerp, zeros("m")), Order("in place", muon_in_place, zeros("m"))),
    "Shampoo": (
        Order("last axis first", shampoo_last_axis_first, _grams),
        Order("in eigenvectors", shampoo_in_eigenvectors, _grams),
    ),
}
