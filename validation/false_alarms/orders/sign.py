"""SignSGD, Signum, Lion and Tiger in other orders of operations."""

import numpy as np

from validation.false_alarms.port import Order, zeros


def signsgd_decay_first(h, t, g, p, s):
    """Theta (1 - eta lambda) - eta sign(g)."""
    p *= 1 - h.lr * h.weight_decay
    p -= h.lr * np.sign(g)
    return p


def signsgd_decay_in_update(h, t, g, p, s):
    """Theta - eta (sign(g) + lambda theta)."""
    return p - h.lr * (np.sign(g) + h.weight_decay * p)


def signum_lerp(h, t, g, p, s):
    """m += (1 - mu) (g - m), decay in the update."""
    s["m"] += (1 - h.momentum) * (g - s["m"])
    return p - h.lr * (h.weight_decay * p + np.sign(s["m"]))


def signum_heavy_ball(h, t, g, p, s):
    """The mean times 1 / (1 - mu), whose signs are the same."""
    s["m"] *= h.momentum
    s["m"] += g
    p *= 1 - h.lr * h.weight_decay
    p -= h.lr * np.sign(s["m"])
    return p


def lion_lerp(h, t, g, p, s):
    """Lerps, with the decay first: lion-pytorch."""
    p *= 1 - h.lr * h.weight_decay
    p -= h.lr * np.sign(s["m"] + (1 - h.beta1) * (g - s["m"]))
    s["m"] += (1 - h.beta2) * (g - s["m"])
    return p


def lion_in_update(h, t, g, p, s):
    """Sums in place, with the decay in the update: the paper's algorithm."""
    c = s["m"] * h.beta1
    c += (1 - h.beta1) * g
    u = np.sign(c)
    u += h.weight_decay * p
    s["m"] *= h.beta2
    s["m"] += (1 - h.beta2) * g
    p -= h.lr * u
    return p


def tiger_decay_first(h, t, g, p, s):
    """The norm over the root of the size; theta (1 - c lambda) - c sign(m)."""
    if np.any(np.isnan(g)):
        return p * h.shrink_ratio
    s["m"] = (1 - h.beta) * g + h.beta * s["m"]
    c = np.sqrt(np.sum(p * p)) * (h.lr / p.size**0.5)
    return p * (1 - c * h.weight_decay) - c * np.sign(s["m"])


def tiger_lerp(h, t, g, p, s):
    """A lerp, and the root of the mean square."""
    if np.any(np.isnan(g)):
        return p - (1 - h.shrink_ratio) * p
    s["m"] += (1 - h.beta) * (g - s["m"])
    size = np.sqrt(np.mean(p**2))
    return p - h.lr * (size * (np.sign(s["m"]) + p * h.weight_decay))


UNSEEN = ("noise", "special_decay")  # by leaves whose name no probe has, and after a NaN
ORDERS = {
    "SignSGD": (
        Order("decay first", signsgd_decay_first, zeros()),
        Order("decay in the update", signsgd_decay_in_update, zeros()),
    ),
    "Signum": (Order("lerp", signum_lerp, zeros("m")), Order("heavy ball", signum_heavy_ball, zeros("m"))),
    "Lion": (Order("lerp", lion_lerp, zeros("m")), Order("decay in the update", lion_in_update, zeros("m"))),
    "Tiger": (
        Order("decay first", tiger_decay_first, zeros("m"), UNSEEN),
        Order("lerp", tiger_lerp, zeros("m"), UNSEEN),
    ),
}
