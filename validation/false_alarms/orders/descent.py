"""SGD, Momentum and Nesterov in other orders of operations."""

from validation.false_alarms.port import Order, zeros


def sgd_decay_first(h, t, g, p, s):
    """theta (1 - eta lambda) - eta g."""
    p *= 1 - h.lr * h.weight_decay
    p -= h.lr * g
    return p


def sgd_two_products(h, t, g, p, s):
    """theta - (eta g + (eta lambda) theta)."""
    return p - (h.lr * g + (h.lr * h.weight_decay) * p)


def momentum_in_place(h, t, g, p, s):
    """As torch: every array is written in place, with the roundings of the rule's text."""
    d = h.weight_decay * p
    d += g
    s["v"] *= h.momentum
    s["v"] += (1 - h.dampening) * d
    p -= h.lr * s["v"]
    return p


def momentum_lerp(h, t, g, p, s):
    """v + ((1 - tau) g - (1 - mu) v), with the rate divided instead of multiplied."""
    v = s["v"]
    v += (1 - h.dampening) * (h.weight_decay * p + g) - (1 - h.momentum) * v
    return p + v * -h.lr


def momentum_downhill(h, t, g, p, s):
    """The velocity points downhill, as in physics; the decay pulls on it by itself."""
    pushed = 1 - h.dampening
    s["v"] = (h.momentum * s["v"] - pushed * g) - (pushed * h.weight_decay) * p
    return p + h.lr * s["v"]


def nesterov_two_moves(h, t, g, p, s):
    """Along the gradient first, along the velocity then."""
    g = h.weight_decay * p + g
    s["v"] *= h.momentum
    s["v"] += (1 - h.dampening) * g
    p -= h.lr * g
    p -= (h.lr * h.momentum) * s["v"]
    return p


def nesterov_expanded(h, t, g, p, s):
    """(1 + mu (1 - tau)) g + mu^2 v, from the velocity before."""
    g = g + p * h.weight_decay
    kept, taken = h.momentum, 1 - h.dampening
    p = p - h.lr * ((1 + kept * taken) * g + kept**2 * s["v"])
    s["v"] = kept * s["v"] + g * taken
    return p


ORDERS = {
    "SGD": (Order("decay first", sgd_decay_first, zeros()), Order("two products", sgd_two_products, zeros())),
    "Momentum": (
        Order("in place", momentum_in_place, zeros("v")),
        Order("lerp", momentum_lerp, zeros("v")),
        Order("downhill", momentum_downhill, zeros("v")),
    ),
    "Nesterov": (
        Order("two moves", nesterov_two_moves, zeros("v")),
        Order("expanded", nesterov_expanded, zeros("v")),
    ),
}
