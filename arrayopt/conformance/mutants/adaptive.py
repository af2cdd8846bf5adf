"""Mutants of Adagrad, RMSProp and Adadelta."""

import numpy as np

from arrayopt.conformance.mutants.mutant import Array, Kept, Numbers, by_leaf
from arrayopt.firstorder import Adadelta, Adagrad, RMSProp

SUM = {"lr": 0.01, "eps": 1e-10}
MEAN = {"lr": 1e-3, "rho": 0.9, "eps": 1e-8}
DELTA = {"lr": 0.5, "rho": 0.9, "eps": 1e-6}


def mean_square(h: Numbers, s: Kept, g: Array) -> Array:
    """Return the mean of squares with this one in it."""
    s.v = h.rho * s.v + (1 - h.rho) * g**2
    return s.v


# --- Adagrad --------------------------------------------------------------------------------------


@by_leaf("dialect", Adagrad(), lr=0.01, eps=1e-7)
def adagrad_keras(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Start the sum at 0.1, and have eps under the root."""
    s.sum = 0.1 + np.square(g) if s.t == 1 else s.sum + np.square(g)
    return p - h.lr * g / np.sqrt(s.sum + h.eps)


@by_leaf("constant", Adagrad(), **SUM)
def adagrad_warm_and_decaying(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Start the sum at 0.01, and let the rate decay by 0.05 a step, whatever is given."""
    s.sum = 0.01 + g * g if s.t == 1 else s.sum + g * g
    return p - h.lr / (1 + 0.05 * (s.t - 1)) * g / (np.sqrt(s.sum) + h.eps)


@by_leaf("slip", Adagrad(initial=0.1), **SUM)
def adagrad_sum_too_late(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Divide by the sum of the step before."""
    before = np.full_like(p, 0.1) if s.t == 1 else s.sum
    s.sum = before + g * g
    return p - h.lr * g / (np.sqrt(before) + h.eps)


@by_leaf("slip", Adagrad(), **SUM)
def adagrad_no_root(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Divide by the sum of squares, not by its root."""
    s.sum = s.sum + g**2
    return p - h.lr * g / (s.sum + h.eps)


@by_leaf("precision", Adagrad(), **SUM)
def adagrad_float32_inside(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Keep the sum and take the step in float32, though given float64."""
    g = g.astype(np.float32)
    s.sum = s.sum.astype(np.float32) + g * g
    return p - (h.lr * g / (np.sqrt(s.sum) + h.eps)).astype(float)


# --- RMSProp --------------------------------------------------------------------------------------


@by_leaf("dialect", RMSProp(momentum=0.9), lr=0.01, rho=0.9, eps=1e-8, momentum=0.9)
def rmsprop_tensorflow(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Start the mean at one, with eps under the root and the rate in the velocity."""
    before = np.ones_like(p) if s.t == 1 else s.v
    s.v = before + (g * g - before) * (1 - h.rho)
    s.u = h.momentum * s.u + h.lr * g / np.sqrt(s.v + h.eps)
    return p - s.u


@by_leaf("dialect", RMSProp(), lr=1e-3, rho=0.95, eps=1e-4)
def rmsprop_graves(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Subtract the square of the mean, with eps under the root."""
    s.m = h.rho * s.m + (1 - h.rho) * g
    return p - h.lr * g / np.sqrt(mean_square(h, s, g) - s.m**2 + h.eps)


@by_leaf("slip", RMSProp(), **MEAN)
def rmsprop_eps_squared(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Square eps, as for a sum under the root, and add it beside the root."""
    return p - h.lr * g / (np.sqrt(mean_square(h, s, g)) + h.eps**2)


@by_leaf("slip", RMSProp(), **MEAN)
def rmsprop_eps_in_mean(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Add eps to every square before it goes into the mean."""
    s.v = h.rho * s.v + (1 - h.rho) * (g * g + h.eps)
    return p - h.lr * g / np.sqrt(s.v)


@by_leaf("ignored", RMSProp(momentum=0.9), **MEAN, momentum=0.9)
def rmsprop_no_momentum(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Make the velocity anew at every step."""
    s.u = g / (np.sqrt(mean_square(h, s, g)) + h.eps)
    return p - h.lr * s.u


@by_leaf("constant", RMSProp(), lr=1e-3, eps=1e-8)
def rmsprop_hidden_rho(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take rho = 0.99 and a mean that starts at 0.5, whatever is given."""
    s.v = 0.99 * (np.full_like(p, 0.5) if s.t == 1 else s.v) + 0.01 * g * g
    return p - h.lr * g / (np.sqrt(s.v) + h.eps)


@by_leaf("impure", RMSProp(), **MEAN)
def rmsprop_squares_in_place(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Square the caller's gradient in place once the step needs it no more."""
    direction = h.lr * g
    np.multiply(np.square(g, out=g), 1 - h.rho, out=g)
    s.v = h.rho * s.v + g
    return p - direction / (np.sqrt(s.v) + h.eps)


# --- Adadelta -------------------------------------------------------------------------------------


@by_leaf("dialect", Adadelta(), lr=1.0, rho=0.95, eps=1e-6, weight_decay=1e-3)
def adadelta_decay_after(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Decay after the step."""
    d = np.sqrt(s.u + h.eps) / np.sqrt(mean_square(h, s, g) + h.eps) * g
    s.u = h.rho * s.u + (1 - h.rho) * d**2
    return (p - h.lr * d) * (1 - h.lr * h.weight_decay)


@by_leaf("slip", Adadelta(), **DELTA)
def adadelta_updates_first(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take this step's update into the mean of updates before the step is made of that."""
    rms = np.sqrt(mean_square(h, s, g) + h.eps)
    d = np.sqrt(s.u + h.eps) / rms * g
    s.u = h.rho * s.u + (1 - h.rho) * d**2
    return p - h.lr * np.sqrt(s.u + h.eps) / rms * g


@by_leaf("slip", Adadelta(), **DELTA)
def adadelta_rate_in_mean(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take the mean of updates that hold the rate already."""
    d = h.lr * np.sqrt((s.u + h.eps) / (mean_square(h, s, g) + h.eps)) * g
    s.u = h.rho * s.u + (1 - h.rho) * d**2
    return p - d


@by_leaf("ignored", Adadelta(), **DELTA)
def adadelta_no_rate(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take a rate, and follow the paper, which has none."""
    d = np.sqrt(s.u + h.eps) / np.sqrt(mean_square(h, s, g) + h.eps) * g
    s.u = h.rho * s.u + (1 - h.rho) * d * d
    return p - d


@by_leaf("correct", Adadelta(), **DELTA, weight_decay=1e-3)
def adadelta_single_root(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take one root, of the ratio."""
    square = np.square(d := g + h.weight_decay * p)
    s.v += (1 - h.rho) * (square - s.v)
    ratio = (s.u + h.eps) / (s.v + h.eps)
    s.u += (1 - h.rho) * (ratio * square - s.u)
    return p - h.lr * np.sqrt(ratio) * d
