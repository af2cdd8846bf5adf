"""Adagrad, RMSProp and Adadelta in other orders of operations."""

import numpy as np

from validation.false_alarms.port import Order, zeros


def _from_initial(name, *others):
    return lambda h, p: {name: np.full_like(p, h.initial)} | zeros(*others)(h, p)


def adagrad_rate_first(h, t, g, p, s):
    """(eta_t g) / (sqrt(s) + eps), in place."""
    g = g + h.weight_decay * p
    s["s"] += g**2
    p -= (h.lr / (1 + (t - 1) * h.lr_decay)) * g / (np.sqrt(s["s"]) + h.eps)
    return p


def adagrad_reciprocal(h, t, g, p, s):
    """G times one over the root; the decay of the rate divides."""
    g = p * h.weight_decay + g
    s["s"] = np.square(g) + s["s"]
    d = h.lr * (g * (1 / (h.eps + np.sqrt(s["s"]))))
    return p - d / (1 + (t - 1) * h.lr_decay)


def rmsprop_lerp(h, t, g, p, s):
    """v += (1 - rho) (g^2 - v), and the same with the buffer."""
    g = g + h.weight_decay * p
    s["v"] += (1 - h.rho) * (g * g - s["v"])
    s["b"] = s["b"] * h.momentum + g / (np.sqrt(s["v"]) + h.eps)
    return p - h.lr * s["b"]


def rmsprop_in_place(h, t, g, p, s):
    """As torch, with mul_, addcmul_ and addcdiv_; the rate is multiplied first."""
    d = p * h.weight_decay
    d += g
    s["v"] *= h.rho
    s["v"] += ((1 - h.rho) * d) * d
    root = np.sqrt(s["v"])
    root += h.eps
    if h.momentum == 0:
        p -= (h.lr * d) / root
    else:
        s["b"] *= h.momentum
        s["b"] += d / root
        p -= s["b"] * h.lr
    return p


def adadelta_one_root(h, t, g, p, s):
    """One root of the ratio, and lerps."""
    g = g + h.weight_decay * p
    s["v"] += (1 - h.rho) * (np.square(g) - s["v"])
    d = np.sqrt((s["u"] + h.eps) / (s["v"] + h.eps)) * g
    s["u"] += (1 - h.rho) * (d * d - s["u"])
    return p - h.lr * d


def adadelta_product_first(h, t, g, p, s):
    """(g sqrt(u + eps)) / sqrt(v + eps), in place."""
    g = p * h.weight_decay + g
    s["v"] *= h.rho
    s["v"] += ((1 - h.rho) * g) * g
    d = (g * np.sqrt(h.eps + s["u"])) / np.sqrt(h.eps + s["v"])
    s["u"] = h.rho * s["u"] + ((1 - h.rho) * d) * d
    d *= h.lr
    p -= d
    return p


ORDERS = {
    "Adagrad": (
        Order("rate first", adagrad_rate_first, _from_initial("s")),
        Order("reciprocal", adagrad_reciprocal, _from_initial("s")),
    ),
    "RMSProp": (
        Order("lerp", rmsprop_lerp, _from_initial("v", "b")),
        Order("in place", rmsprop_in_place, _from_initial("v", "b")),
    ),
    "Adadelta": (
        Order("one root", adadelta_one_root, zeros("v", "u")),
        Order("product first", adadelta_product_first, zeros("v", "u")),
    ),
}
