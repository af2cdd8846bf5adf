"""Mutants of Muon and Shampoo. Leaves of Muon are matrices, or kernels that it flattens."""

from collections.abc import Callable

import numpy as np

from arrayopt.conformance.mutants.mutant import Array, Kept, Numbers, by_leaf
from arrayopt.firstorder import Muon, Shampoo

# --- Muon -----------------------------------------------------------------------------------------

MUON = {"lr": 0.02, "momentum": 0.95}
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonal(x: Array, steps: int = 5, eps: float = 1e-7) -> Array:
    """Return Keller Jordan's iterate of Newton and Schulz."""
    x = x / (np.linalg.norm(x) + eps)
    if x.shape[0] > x.shape[1]:
        return _iterated(x.T, steps).T
    return _iterated(x, steps)


def _iterated(x: Array, steps: int) -> Array:
    for _ in range(steps):
        s = x @ x.T
        x = A * x + (B * s + C * s @ s) @ x
    return x


def nesterov(h: Numbers, s: Kept, g: Array) -> Array:
    """Return the mean of velocity and gradient, where the velocity is a mean too."""
    s.v = h.momentum * s.v + (1 - h.momentum) * g
    return h.momentum * s.v + (1 - h.momentum) * g


def tall(rows: int, columns: int) -> float:
    """Return the scale that only a matrix with more rows than columns has."""
    return float(max(1.0, rows / columns) ** 0.5)


def flattened(f: Callable[[Array], Array], scale: Callable[[int, int], float], u: Array) -> Array:
    """Apply a function of matrices to the rows of a kernel, and scale what comes out."""
    flat = u.reshape(len(u), -1)
    return (scale(*flat.shape) * f(flat)).reshape(u.shape)


@by_leaf("dialect", Muon(), **MUON, weight_decay=4e-3)
def muon_keras(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take heavy balls in both places, and Moonlight's scale."""
    s.v = h.momentum * s.v + g
    move = flattened(orthogonal, lambda n, m: float(0.2 * max(n, m) ** 0.5), g + h.momentum * s.v)
    return p - h.lr * h.weight_decay * p - h.lr * move


@by_leaf("slip", Muon(scale="dion"), **MUON)
def muon_rows_for_columns(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take rows for columns in the scale."""
    return p - h.lr * flattened(orthogonal, lambda n, m: float((m / n) ** 0.5), nesterov(h, s, g))


@by_leaf("slip", Muon(), **MUON)
def muon_kernels_not_flattened(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take the last two axes of a kernel for the matrix, but the norm of the whole."""
    x = nesterov(h, s, g)
    x = x / (np.sqrt((x * x).sum()) + 1e-7)
    for _ in range(5):
        square = x @ np.swapaxes(x, -1, -2)
        x = A * x + (B * square + C * (square @ square)) @ x
    return p - h.lr * tall(*p.shape[-2:]) * x


@by_leaf("constant", Muon(), **MUON)
def muon_six_steps(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take six steps of the iteration and a decay of 0.1, whatever is given."""
    return p - h.lr * 0.1 * p - h.lr * flattened(lambda x: orthogonal(x, 6), tall, nesterov(h, s, g))


def bfloat16(x: Array) -> Array:
    """Round to bfloat16, and keep it in float32."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    return ((bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) & np.uint32(0xFFFF0000)).view(np.float32)


@by_leaf("precision", Muon(), **MUON, weight_decay=0.01)
def muon_bfloat16(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Iterate in bfloat16, as Keller Jordan does."""

    def narrow(x: Array) -> Array:
        y = bfloat16(x.T if x.shape[0] > x.shape[1] else x)
        y = bfloat16(y / bfloat16(np.linalg.norm(y) + 1e-7))
        for _ in range(5):
            s = bfloat16(y @ y.T)
            q = bfloat16(bfloat16(np.float32(B) * s) + bfloat16(np.float32(C) * bfloat16(s @ s)))
            y = bfloat16(bfloat16(np.float32(A) * y) + bfloat16(q @ y))
        return (y.T if x.shape[0] > x.shape[1] else y).astype(float)

    return p - h.lr * h.weight_decay * p - h.lr * flattened(narrow, tall, nesterov(h, s, g))


@by_leaf("correct", Muon(), "float32", **MUON, weight_decay=0.01)
def muon_float32(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Compute in float32, with the Gram matrix of the columns, whichever are more."""

    def columns(x: Array) -> Array:
        x = x / (np.sqrt(np.sum(np.square(x))) + np.float32(1e-7))
        one = np.eye(x.shape[1], dtype=x.dtype)
        for _ in range(5):
            s = x.T @ x
            x = x @ (A * one + s @ (B * one + C * s))
        return x.astype(g.dtype)

    return p - h.lr * h.weight_decay * p - h.lr * flattened(columns, tall, nesterov(h, s, g))


# --- Shampoo --------------------------------------------------------------------------------------

SHAMPOO = {"lr": 0.1, "eps": 1e-4}


def power(a: Array, exponent: float) -> Array:
    """Return a power of a symmetric matrix that is positive."""
    w, q = np.linalg.eigh(a)
    return (q * np.maximum(w, 1e-300) ** exponent) @ q.T


def gram(g: Array, i: int) -> Array:
    """Return the products of a gradient with itself along one axis."""
    rest = [j for j in range(g.ndim) if j != i]
    return np.tensordot(g, g, (rest, rest))


def along(a: Array, i: int, u: Array) -> Array:
    """Multiply one axis by a matrix."""
    return np.moveaxis(np.tensordot(a, u, (1, i)), 0, i)


def preconditioned(s: Kept, g: Array, eps: float, exponent: float = 0.5, beta: float = 1.0) -> Array:
    """Return Shampoo's direction; the matrices start at eps and fade by beta."""
    before = [eps * np.eye(n) for n in g.shape] if s.t == 1 else s.grams
    s.grams = [beta * a + gram(g, i) for i, a in enumerate(before)]
    u = g
    for i, a in enumerate(s.grams):
        u = along(power(a, -exponent / g.ndim), i, u)
    return u


@by_leaf("dialect", Shampoo(momentum=0.9), **SHAMPOO, momentum=0.9)
def shampoo_feedback(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Mix the direction of the step before into the gradient."""
    g = g if s.t == 1 else (1 - h.momentum) * g + h.momentum * s.last
    s.last = preconditioned(s, g, h.eps)
    return p - h.lr * s.last


@by_leaf("slip", Shampoo(), **SHAMPOO)
def shampoo_exponent_of_one_side(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take the exponent -1/k for -1/(2k)."""
    return p - h.lr * preconditioned(s, g, h.eps, exponent=1.0)


@by_leaf("constant", Shampoo(), lr=0.1)
def shampoo_hidden_fading(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take matrices that fade by 0.95, and eps = 1e-6, whatever is given."""
    return p - h.lr * preconditioned(s, g, 1e-6, beta=0.95)


@by_leaf("other", Shampoo(), **SHAMPOO)
def shampoo_diagonal(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Keep the diagonals of the matrices alone."""
    before = [h.eps * np.ones(n) for n in g.shape] if s.t == 1 else s.sums
    s.sums = [a + np.diag(gram(g, i)) for i, a in enumerate(before)]
    u = g
    for i, a in enumerate(s.sums):
        u = along(np.diag(a ** (-0.5 / g.ndim)), i, u)
    return p - h.lr * u


@by_leaf("correct", Shampoo(), **SHAMPOO)
def shampoo_two_roots(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take the fourth root of a matrix as the root of its root, and invert that."""
    if g.ndim != 2:
        return p - h.lr * preconditioned(s, g, h.eps)
    left, right = [h.eps * np.eye(n) for n in g.shape] if s.t == 1 else s.grams
    s.grams = [left + g @ g.T, right + g.T @ g]
    a, b = (np.linalg.inv(power(power(x, 0.5), 0.5)) for x in s.grams)
    return p - h.lr * a @ g @ b
