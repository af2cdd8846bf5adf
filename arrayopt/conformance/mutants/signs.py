"""Mutants of SignSGD, Signum, Lion and Tiger."""

import numpy as np

from arrayopt.conformance.mutants.mutant import Array, Kept, Numbers, by_leaf
from arrayopt.firstorder import Lion, SignSGD, Signum, Tiger

SIGNUM = {"lr": 1e-3, "momentum": 0.9}
LION = {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99}
TIGER = {"lr": 1e-3, "beta": 0.965, "weight_decay": 0.01}
QUIET = Tiger(nan="propagate", half_rate=(), rows=(), ones=())
"""Tiger without its rules for leaves of certain names."""


def mean(h: Numbers, s: Kept, g: Array) -> Array:
    """Return the mean with this gradient in it."""
    s.m = h.momentum * s.m + (1 - h.momentum) * g
    return s.m


# --- SignSGD --------------------------------------------------------------------------------------


@by_leaf("dialect", SignSGD(), lr=1e-3, weight_decay=0.01)
def signsgd_l2(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take the sign of gradient and decay together."""
    return p - h.lr * np.sign(g + h.weight_decay * p)


@by_leaf("slip", SignSGD(), lr=1e-3)
def signsgd_zero_is_plus(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take one for the sign of zero."""
    return p - np.where(g >= 0, h.lr, -h.lr)


@by_leaf("other", SignSGD(), lr=0.01)
def signsgd_mean_magnitude(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Multiply the signs by the mean size of the gradient, as the compressor of EF-SignSGD."""
    return p - h.lr * np.abs(g).mean() * np.sign(g)


# --- Signum ---------------------------------------------------------------------------------------


@by_leaf("dialect", Signum(), **SIGNUM, weight_decay=1e-3)
def signum_independent_after(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take a heavy ball for the mean, and decay after the step by a share of its own."""
    s.m = h.momentum * s.m + g
    return (1 - h.weight_decay) * (p - h.lr * np.sign(s.m))


@by_leaf("ignored", Signum(), **SIGNUM)
def signum_without_momentum(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Compute the mean, and never store it."""
    m = h.momentum * s.m + (1 - h.momentum) * g
    return p - h.lr * np.sign(m)


# --- Lion -----------------------------------------------------------------------------------------


def mixed(beta: float, s: Kept, g: Array) -> Array:
    """Return the mean with this gradient in it, which is not kept."""
    return beta * s.m + (1 - beta) * g


@by_leaf("dialect", Lion(), **LION, weight_decay=0.01)
def lion_relative_decay(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Decay by the rate as a share of the first one."""
    s.first = h.lr if s.t == 1 else s.first
    p = p * (1 - h.lr / s.first * h.weight_decay) - h.lr * np.sign(mixed(h.beta1, s, g))
    s.m = mixed(h.beta2, s, g)
    return p


@by_leaf("slip", Lion(), **LION)
def lion_mean_first(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Bring the mean up to date before the sign is taken."""
    s.m = mixed(h.beta2, s, g)
    return p - h.lr * np.sign(mixed(h.beta1, s, g))


@by_leaf("slip", Lion(), **LION)
def lion_betas_exchanged(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take the sign with beta2, and keep the mean with beta1."""
    update = np.sign(mixed(h.beta2, s, g))
    s.m = mixed(h.beta1, s, g)
    return p - h.lr * update


@by_leaf("constant", Lion(), lr=1e-4, beta1=0.95)
def lion_of_language_models(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take beta2 = 0.98 and a decay of 0.1, whatever is given."""
    u = np.sign(mixed(h.beta1, s, g)) + 0.1 * p
    s.m = mixed(0.98, s, g)
    return p - h.lr * u


@by_leaf("other", Lion(), **LION)
def lion_cautious(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Move only where sign and gradient agree, as Cautious Lion."""
    u = np.sign(mixed(h.beta1, s, g))
    mask = (u * g > 0).astype(p.dtype)
    s.m = mixed(h.beta2, s, g)
    return p - h.lr * u * mask / max(mask.mean(), 1e-3)


# --- Tiger ----------------------------------------------------------------------------------------


@by_leaf("dialect", QUIET, **TIGER)
def tiger_unscaled(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Do not scale the rate by the size of the parameters."""
    s.m = h.beta * s.m + (1 - h.beta) * g
    return p * (1 - h.lr * h.weight_decay) - h.lr * np.sign(s.m)


@by_leaf("slip", QUIET, **TIGER)
def tiger_mean_square(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Scale the rate by the mean square of the parameters, not by its root."""
    s.m = h.beta * s.m + (1 - h.beta) * g
    return p - h.lr * np.mean(p * p) * (np.sign(s.m) + h.weight_decay * p)
