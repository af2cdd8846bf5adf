"""Blocked loops as one writes them by hand: the ufuncs of the tape, with `out`, on 256 KiB of each array."""

from collections.abc import Callable, Sequence

import numpy as np

BLOCK = 65_536


def adamw(arrays: Sequence[np.ndarray]) -> Callable[[], None]:
    p, g, m, v = arrays
    lr, beta1, beta2, eps, decay = 1e-3, 0.9, 0.999, 1e-8, 0.01
    r, q = np.empty((2, BLOCK), p.dtype)
    t = 0

    def step() -> None:
        nonlocal t
        t += 1
        bc1, bc2 = 1 - beta1**t, 1 - beta2**t
        for i in range(0, p.size, BLOCK):
            part = slice(i, i + BLOCK)
            x, h, a, b = p[part], g[part], m[part], v[part]
            y, z = r[: x.size], q[: x.size]
            np.multiply(a, beta1, a)
            np.multiply(h, 1 - beta1, y)
            np.add(a, y, a)
            np.multiply(h, h, y)
            np.multiply(b, beta2, b)
            np.multiply(y, 1 - beta2, y)
            np.add(b, y, b)
            np.divide(b, bc2, y)
            np.divide(a, bc1, z)
            np.sqrt(y, y)
            np.add(y, eps, y)
            np.divide(z, y, y)
            np.multiply(y, lr, y)
            np.multiply(x, lr * decay, z)
            np.subtract(x, z, z)
            np.subtract(z, y, x)

    return step


def momentum(arrays: Sequence[np.ndarray]) -> Callable[[], None]:
    p, g, v = arrays
    r = np.empty(BLOCK, p.dtype)

    def step() -> None:
        for i in range(0, p.size, BLOCK):
            part = slice(i, i + BLOCK)
            x, b = p[part], v[part]
            y = r[: x.size]
            np.multiply(b, 0.9, b)
            np.add(b, g[part], b)
            np.multiply(b, 1e-3, y)
            np.subtract(x, y, x)

    return step
