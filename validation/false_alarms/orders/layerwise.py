"""Amos, LAMB and Adafactor in other orders of operations."""

import numpy as np

from validation.false_alarms.port import Order, zeros


def _expected_size(h, p):
    if p.ndim < 2:
        return h.eta / 2
    return h.eta * ((2 if p.ndim == 2 else 1) / p.shape[1]) ** 0.5


def amos_two_quotients(h, t, g, p, s):
    """The quotients g / sqrt(v) and g^2 / v, with the corrections outside."""
    g = g + h.weight_decay * p
    square, bc, eta = g * g, 1 - h.beta**t, _expected_size(h, p)
    s["v"] += (1 - h.beta) * (square - s["v"])
    v = np.maximum(s["v"], h.eps)
    gamma = (h.lr**2 * bc) * (square / v) / np.sqrt(1 + (h.c_coef * h.lr**0.5) * s["b"])
    d = (h.lr * eta * bc**0.5) * (g / np.sqrt(v)) + (0.5 * gamma + h.extra_l2) * p
    d = d / (1 + (h.d_coef * (h.lr * eta) ** 0.5) * s["b"])
    s["b"] += gamma * (1 + s["b"])
    s["m"] += (1 - h.momentum) * (d - s["m"])
    return p - s["m"]


def amos_factors_apart(h, t, g, p, s):
    """The two terms of the step divided apart; b as a product less one."""
    g = p * h.weight_decay + g
    eta = _expected_size(h, p)
    s["v"] = (1 - h.beta) * g**2 + h.beta * s["v"]
    r = (1 - h.beta**t) * (1 / np.maximum(h.eps, s["v"]))
    gamma = (h.lr * g) ** 2 * r
    gamma = gamma * (1 + h.c_coef * h.lr**0.5 * s["b"]) ** -0.5
    falls = 1 + h.d_coef * (h.lr * eta) ** 0.5 * s["b"]
    d = (h.lr * eta) * (np.sqrt(r) * g) / falls + p * (gamma / 2 + h.extra_l2) / falls
    s["b"] = s["b"] + (gamma + gamma * s["b"])
    if h.momentum:
        d = s["m"] = h.momentum * s["m"] + (1 - h.momentum) * d
    p -= d
    return p


def _lamb_update(h, t, g, p, s):
    bc1, bc2 = 1 - h.beta1**t, 1 - h.beta2**t
    s["m"] += (1 - h.beta1) * (g - s["m"])
    s["v"] *= h.beta2
    s["v"] += ((1 - h.beta2) * g) * g
    return bc1, bc2


def lamb_norms(h, t, g, p, s):
    """Norms, not means of squares; the update as torch's Adam."""
    bc1, bc2 = _lamb_update(h, t, g, p, s)
    u = (1 / bc1) * s["m"] / (np.sqrt(s["v"] + h.eps_root * bc2) / bc2**0.5 + h.eps)
    u = u + h.weight_decay * p
    norm_p, norm_u = np.sqrt(np.sum(p * p)), np.sqrt(np.sum(u * u))
    ratio = norm_p / norm_u if norm_p > 0 and norm_u > 0 else 1.0
    return p - h.lr * (ratio * u)


def lamb_direction_first(h, t, g, p, s):
    """u over its norm first; the correction of v in the numerator and in eps."""
    bc1, bc2 = 1 - h.beta1**t, 1 - h.beta2**t
    s["m"] = (1 - h.beta1) * g + h.beta1 * s["m"]
    s["v"] += (1 - h.beta2) * (g * g - s["v"])
    u = (bc2**0.5 / bc1) * s["m"] / (np.sqrt(s["v"] + h.eps_root * bc2) + h.eps * bc2**0.5)
    u += p * h.weight_decay
    square_p, square_u = np.mean(p**2), np.mean(u**2)
    if square_p > 0 and square_u > 0:
        u = (u / np.sqrt(square_u)) * np.sqrt(square_p)
    p -= h.lr * u
    return p


def _factored(h, p):
    if p.ndim < 2:
        return zeros("v", "m")(h, p)
    rows, columns = (*p.shape[:-1], 1), (*p.shape[:-2], 1, p.shape[-1])
    return {"r": np.zeros_like(p, shape=rows), "c": np.zeros_like(p, shape=columns), "m": np.zeros_like(p)}


def _clipped(h, u):
    return u / np.maximum(1.0, np.sqrt(np.sum(u * u)) / (u.size**0.5 * h.clip_threshold))


def _moved(h, alpha, u, s):
    d = alpha * u
    if h.beta1:
        s["m"] += (1 - h.beta1) * (d - s["m"])
        d = s["m"]
    return d


def _scale(h, t, p):
    return min(h.lr, t**-0.5) * np.maximum(h.eps2, np.sqrt(np.mean(p**2)))


def adafactor_two_quotients(h, t, g, p, s):
    """The gradient over the root of its row, over that of its column; lerps; the decay as a factor.

    Under one root, r c / mean(r) is 0 in float32 where a row and a column are zero: `check` finds the NaN.
    """
    taken = 1 - min(1 - t**-h.beta2_power, h.beta2_max)
    square = g * g + h.eps1
    if p.ndim < 2:
        s["v"] += taken * (square - s["v"])
        u = g / np.sqrt(s["v"])
    else:
        s["r"] += taken * (np.mean(square, axis=-1, keepdims=True) - s["r"])
        s["c"] += taken * (np.mean(square, axis=-2, keepdims=True) - s["c"])
        u = g / np.sqrt(s["r"] / np.mean(s["r"], axis=-2, keepdims=True)) / np.sqrt(s["c"])
    d = _moved(h, _scale(h, t, p), _clipped(h, u), s)
    return p * (1 - h.lr * h.weight_decay) - d


def adafactor_factors(h, t, g, p, s):
    """As optax: the gradient times a factor of its row and a factor of its column."""
    kept = min(1 - t**-h.beta2_power, h.beta2_max)
    square = np.square(g) + h.eps1
    if p.ndim < 2:
        s["v"] = kept * s["v"] + (1 - kept) * square
        u = g * (1 / np.sqrt(s["v"]))
    else:
        n, m = p.shape[-2:]
        s["r"] = kept * s["r"] + (1 - kept) / m * np.sum(square, axis=-1, keepdims=True)
        s["c"] = kept * s["c"] + (1 - kept) / n * np.sum(square, axis=-2, keepdims=True)
        row = 1 / np.sqrt(s["r"] / (np.sum(s["r"], axis=-2, keepdims=True) / n))
        u = g * row * (1 / np.sqrt(s["c"]))
    scale = np.maximum(np.sqrt(np.sum(p * p) / p.size), h.eps2)
    d = min(h.lr, t**-0.5) * scale * _clipped(h, u)
    if h.beta1:
        d = s["m"] = h.beta1 * s["m"] + (1 - h.beta1) * d
    return p - (d + (h.lr * h.weight_decay) * p)


ORDERS = {
    "Amos": (
        Order("two quotients", amos_two_quotients, zeros("v", "b", "m")),
        Order("factors apart", amos_factors_apart, zeros("v", "b", "m")),
    ),
    "LAMB": (
        Order("norms", lamb_norms, zeros("m", "v")),
        Order("direction first", lamb_direction_first, zeros("m", "v")),
    ),
    "Adafactor": (
        Order("two quotients", adafactor_two_quotients, _factored),
        Order("factors", adafactor_factors, _factored),
    ),
}
