"""Adam, AdamW, AdaMax, NAdam, RAdam and AdaBelief in other orders of operations."""

import numpy as np

from validation.false_alarms.port import Order, zeros


def _corrections(h, t):
    return 1 - h.beta1**t, 1 - h.beta2**t


def _lerp(h, g, s):
    """Move both means towards the gradient: m += (1 - b) (g - m)."""
    s["m"] += (1 - h.beta1) * (g - s["m"])
    s["v"] += (1 - h.beta2) * (g * g - s["v"])


def _in_place(h, g, s):
    """As torch: m.lerp_, and v.mul_ with addcmul_."""
    s["m"] += (1 - h.beta1) * (g - s["m"])
    s["v"] *= h.beta2
    s["v"] += ((1 - h.beta2) * g) * g


def _sums(h, g, s):
    """The sums of the paper, the other way round."""
    s["m"] = (1 - h.beta1) * g + h.beta1 * s["m"]
    s["v"] = (1 - h.beta2) * g**2 + h.beta2 * s["v"]


def adam_lerp(h, t, g, p, s):
    """Means by lerp, the rest as in the paper."""
    bc1, bc2 = _corrections(h, t)
    _lerp(h, g + p * h.weight_decay, s)
    return p - h.lr * (s["m"] / bc1 / (np.sqrt(s["v"] / bc2 + h.eps_root) + h.eps))


def adam_torch(h, t, g, p, s):
    """As torch's single tensor: the root of v over that of its correction, the rate over the other."""
    bc1, bc2 = _corrections(h, t)
    d = h.weight_decay * p
    d += g
    _in_place(h, d, s)
    root = np.sqrt(s["v"] + h.eps_root * bc2)
    root /= bc2**0.5
    root += h.eps
    p -= (h.lr / bc1) * (s["m"] / root)
    return p


def adam_fused(h, t, g, p, s):
    """Both corrections in the rate and in eps: the end of section 2 of the paper."""
    bc1, bc2 = _corrections(h, t)
    _sums(h, h.weight_decay * p + g, s)
    rate, eps = h.lr * bc2**0.5 / bc1, h.eps * bc2**0.5
    p -= rate * s["m"] / (np.sqrt(s["v"] + h.eps_root * bc2) + eps)
    return p


def adamw_decay_first(h, t, g, p, s):
    """Theta (1 - eta lambda) first, then as torch."""
    bc1, bc2 = _corrections(h, t)
    p *= 1 - h.lr * h.weight_decay
    _in_place(h, g, s)
    p -= (h.lr / bc1) * s["m"] / (np.sqrt(s["v"] + h.eps_root * bc2) / bc2**0.5 + h.eps)
    return p


def adamw_in_update(h, t, g, p, s):
    """Theta - eta (u + lambda theta), as optax chains it, with lerps."""
    bc1, bc2 = _corrections(h, t)
    _lerp(h, g, s)
    u = (s["m"] / bc1) / (np.sqrt(s["v"] / bc2 + h.eps_root) + h.eps)
    return p - h.lr * (u + h.weight_decay * p)


def adamw_fused(h, t, g, p, s):
    """Corrections in the rate and in eps, and the decay beside."""
    bc1, bc2 = _corrections(h, t)
    _sums(h, g, s)
    d = (h.lr * bc2**0.5 / bc1) * s["m"] / (np.sqrt(s["v"] + h.eps_root * bc2) + h.eps * bc2**0.5)
    return p - (d + p * (h.lr * h.weight_decay))


def adamax_rate_over_correction(h, t, g, p, s):
    """As in the paper, with a lerp."""
    g = g + h.weight_decay * p
    s["m"] += (1 - h.beta1) * (g - s["m"])
    s["u"] = np.maximum(np.abs(g), s["u"] * h.beta2)
    return p - (h.lr / (1 - h.beta1**t)) * (s["m"] / s["u"])


def adamax_one_quotient(h, t, g, p, s):
    """(eta m) / ((1 - beta1^t) u), in place."""
    g = p * h.weight_decay + g
    s["m"] *= h.beta1
    s["m"] += (1 - h.beta1) * g
    s["u"] *= h.beta2
    s["u"] = np.maximum(s["u"], np.abs(g))
    p -= (h.lr * s["m"]) / ((1 - h.beta1**t) * s["u"])
    return p


def _schedule(h, t):
    """Return mu_t, mu_{t+1} and the product up to mu_t."""
    mu = [h.beta1 * (1 - 0.5 * 0.96 ** (i * h.momentum_decay)) for i in range(1, t + 2)]
    return mu[-2], mu[-1], float(np.prod(mu[:-1]))


def nadam_two_quotients(h, t, g, p, s):
    """As torch: the gradient's part and the mean's, one after the other."""
    now, ahead, product = _schedule(h, t)
    d = h.weight_decay * p
    d += g
    _in_place(h, d, s)
    root = np.sqrt(s["v"] / (1 - h.beta2**t) + h.eps_root)
    root += h.eps
    p -= (h.lr * (1 - now) / (1 - product)) * d / root
    p -= (h.lr * ahead / (1 - product * ahead)) * s["m"] / root
    return p


def nadam_lerp(h, t, g, p, s):
    """One quotient of the sum, with the correction of v in the rate and in eps."""
    now, ahead, product = _schedule(h, t)
    bc2 = 1 - h.beta2**t
    g = g + p * h.weight_decay
    _lerp(h, g, s)
    top = g * ((1 - now) / (1 - product)) + s["m"] * (ahead / (1 - product * ahead))
    return p - (h.lr * bc2**0.5) * top / (np.sqrt(s["v"] + bc2 * h.eps_root) + h.eps * bc2**0.5)


def _rectification(beta2, rho):
    end = 2 / (1 - beta2) - 1
    return ((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho)) ** 0.5


def radam_lerp(h, t, g, p, s):
    """With rho_t as one plus twice the mean age, which does not cancel."""
    bc1, bc2 = _corrections(h, t)
    g = h.weight_decay * p + g
    _lerp(h, g, s)
    ages = np.arange(t)
    rho = 1 + 2 * float(np.sum(ages * h.beta2**ages) / np.sum(h.beta2**ages))
    m = s["m"] / bc1
    if rho > 4:
        m = m * _rectification(h.beta2, rho) / (np.sqrt(s["v"] / bc2 + h.eps_root) + h.eps)
    return p - h.lr * m


def radam_fused(h, t, g, p, s):
    """With rho_t as the paper writes it, which cancels; all factors in the rate."""
    bc1, bc2 = _corrections(h, t)
    g = p * h.weight_decay + g
    _sums(h, g, s)
    rho = 2 / (1 - h.beta2) - 1 - 2 * t * h.beta2**t / bc2
    if rho > 4:
        rate = h.lr * _rectification(h.beta2, rho) * bc2**0.5 / bc1
        p -= rate * s["m"] / (np.sqrt(s["v"] + h.eps_root * bc2) + h.eps * bc2**0.5)
    else:
        p -= (h.lr / bc1) * s["m"]
    return p


def adabelief_lerp(h, t, g, p, s):
    """g - m as it is written, lerps."""
    bc1, bc2 = _corrections(h, t)
    g = g + h.weight_decay * p
    s["m"] += (1 - h.beta1) * (g - s["m"])
    s["v"] += (1 - h.beta2) * ((g - s["m"]) ** 2 - s["v"])
    s["v"] += h.eps + h.eps_root
    return p - h.lr * (s["m"] / bc1) / (np.sqrt(s["v"] / bc2) + h.eps)


def adabelief_surprise_first(h, t, g, p, s):
    """g - m as beta1 (g - m before), corrections in the rate and in eps."""
    bc1, bc2 = _corrections(h, t)
    g = p * h.weight_decay + g
    surprise = h.beta1 * (g - s["m"])
    s["m"] = (1 - h.beta1) * g + h.beta1 * s["m"]
    s["v"] = (h.beta2 * s["v"] + (h.eps + h.eps_root)) + ((1 - h.beta2) * surprise) * surprise
    p -= (h.lr * bc2**0.5 / bc1) * s["m"] / (np.sqrt(s["v"]) + h.eps * bc2**0.5)
    return p


TWO = zeros("m", "v")
ORDERS = {
    "Adam": (Order("lerp", adam_lerp, TWO), Order("torch", adam_torch, TWO), Order("fused", adam_fused, TWO)),
    "AdamW": (
        Order("decay first", adamw_decay_first, TWO),
        Order("lerp, decay in the update", adamw_in_update, TWO),
        Order("fused", adamw_fused, TWO),
    ),
    "AdaMax": (
        Order("lerp", adamax_rate_over_correction, zeros("m", "u")),
        Order("one quotient", adamax_one_quotient, zeros("m", "u")),
    ),
    "NAdam": (Order("two quotients", nadam_two_quotients, TWO), Order("lerp, fused", nadam_lerp, TWO)),
    "RAdam": (Order("lerp", radam_lerp, TWO), Order("fused", radam_fused, TWO)),
    "AdaBelief": (Order("lerp", adabelief_lerp, TWO), Order("surprise first", adabelief_surprise_first, TWO)),
}
