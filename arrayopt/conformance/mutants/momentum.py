"""Mutants of SGD, Momentum and Nesterov."""

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.conformance.mutants.mutant import Array, Kept, Numbers, Session, by_leaf, session
from arrayopt.firstorder import SGD, Momentum, Nesterov

HEAVY = {"lr": 0.01, "momentum": 0.9}


@by_leaf("correct", SGD(), lr=0.01)
def sgd_in_place(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Add -lr times the gradient in place."""
    return np.add(p, np.multiply(g, -h.lr), out=p)


@by_leaf("dialect", SGD(), lr=0.01, weight_decay=1e-3)
def sgd_independent_decay(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Decay by a share of its own, without the rate."""
    return p * (1.0 - h.weight_decay) - h.lr * g


@by_leaf("slip", SGD(), lr=0.01, weight_decay=1e-3)
def sgd_decay_wrong_sign(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Decay with the sign of growth."""
    return p - h.lr * (g - h.weight_decay * p)


@by_leaf("slip", SGD(), lr=0.05, weight_decay=1e-3)
def sgd_uphill(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Go up the gradient, as for a reward, and the decay with it."""
    return p + h.lr * (g + h.weight_decay * p)


@by_leaf("slip", SGD(), lr=0.05)
def sgd_half_rate(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Halve the rate, for a gradient of squares that was halved already."""
    return p - 0.5 * h.lr * g


@by_leaf("dialect", Momentum(), lr=0.01, momentum=0.9, weight_decay=4e-3)
def momentum_keras(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Have the rate inside the velocity, and the decay beside the step."""
    p -= p * h.weight_decay * h.lr
    s.v = h.momentum * s.v - g * h.lr
    return p + s.v


@by_leaf("slip", Momentum(), **HEAVY, weight_decay=4e-3)
def momentum_decay_in_velocity_alone(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Add the decay to the velocity after the step."""
    s.v = h.momentum * s.v + g
    moved = p - h.lr * s.v
    s.v = s.v + h.weight_decay * p
    return moved


@by_leaf("ignored", Momentum(dampening=0.1), **HEAVY, dampening=0.1)
def momentum_no_dampening(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take a dampening, and forget it."""
    s.v = h.momentum * s.v + g
    return p - h.lr * s.v


@by_leaf("impure", Momentum(), **HEAVY)
def momentum_keeps_gradient(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Keep the caller's gradient itself as the first velocity."""
    s.v = g if s.t == 1 else h.momentum * s.v + g
    return p - h.lr * s.v


@by_leaf("slip", Momentum(), **HEAVY)
def momentum_stale_velocity(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Move by the velocity of the step before."""
    moved = p - h.lr * s.v
    s.v = h.momentum * s.v + g
    return moved


@session("slip", Momentum(), **HEAVY)
class momentum_shared_by_shape(Session):
    """Keep the velocity by shape, so that two leaves of one shape have one."""

    def __init__(self, params: Arrays, **hyper: float) -> None:
        super().__init__(params, **hyper)
        self.v = {p.shape: np.zeros_like(p) for p in params.values()}

    def _moved(self, h: Numbers, s: Kept, g: Array, p: Array) -> Array:
        v = self.v[g.shape]
        v *= h.momentum
        v += g
        return p - h.lr * v


@by_leaf("other", Momentum(), lr=0.1, momentum=0.99)
def momentum_quasi_hyperbolic(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Step by 0.3 parts of gradient and 0.7 parts of mean, as QHM."""
    s.v = h.momentum * s.v + (1 - h.momentum) * g
    return p - h.lr * (0.3 * g + 0.7 * s.v)


@by_leaf("correct", Momentum(), "float32", **HEAVY, dampening=0.1, weight_decay=1e-3)
def momentum_float32(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Compute in float32, in place."""
    d = p * h.weight_decay
    d += g
    s.v *= h.momentum
    s.v += (1 - h.dampening) * d
    p -= h.lr * s.v
    return p


@by_leaf("dialect", Nesterov(), lr=0.02, momentum=0.95)
def nesterov_of_muon(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take a mean that starts at the first gradient for the velocity, and mix the gradient into the step."""
    s.v = g.copy() if s.t == 1 else s.v + (1 - h.momentum) * (g - s.v)
    return p - h.lr * (g + h.momentum * (s.v - g))


@by_leaf("slip", Nesterov(), **HEAVY, weight_decay=0.01)
def nesterov_decays_twice(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Add the decay to the gradient where it is collected, and again where it is used."""
    g = g + h.weight_decay * p
    g = g + h.weight_decay * p
    s.v = h.momentum * s.v + g
    return p - h.lr * (g + h.momentum * s.v)


@by_leaf("correct", Nesterov(), **HEAVY)
def nesterov_change_of_gradient(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Feed a heavy ball the gradient and mu times its change."""
    s.u = h.momentum * s.u + g + h.momentum * (g - s.before)
    s.before = g.copy()
    return p - h.lr * s.u


@by_leaf("constant", Nesterov(), lr=0.01)
def nesterov_hidden_momentum(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take a momentum of 0.95, whatever is given."""
    before, s.v = s.v, 0.95 * s.v + g
    return p - h.lr * (1.95 * s.v - 0.95 * before)
