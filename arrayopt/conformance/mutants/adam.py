"""Mutants of Adam and AdamW."""

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.conformance.mutants.mutant import Array, Kept, Numbers, Session, by_leaf, session
from arrayopt.firstorder import Adam, AdamW

ADAM = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
ADAMW = ADAM | {"weight_decay": 0.01}


def means(h: Numbers, s: Kept, g: Array) -> tuple[Array, Array]:
    """Return both means with this gradient in them."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = h.beta2 * s.v + (1 - h.beta2) * g**2
    return s.m, s.v


def corrected(h: Numbers, s: Kept, g: Array) -> tuple[Array, Array]:
    """Return both means without the share of their zeros."""
    m, v = means(h, s, g)
    return m / (1 - h.beta1**s.t), v / (1 - h.beta2**s.t)


def quotient(h: Numbers, s: Kept, g: Array) -> Array:
    """Return Adam's direction."""
    m, v = corrected(h, s, g)
    return m / (np.sqrt(v) + h.eps)


# --- Adam -----------------------------------------------------------------------------------------


@by_leaf("dialect", Adam(), **ADAM)
def adam_keras_amsgrad(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take the maximum of uncorrected means, with the corrections in the rate, as Keras."""
    m, v = means(h, s, g)
    s.most = np.maximum(s.most, v)
    rate = h.lr * (1 - h.beta2**s.t) ** 0.5 / (1 - h.beta1**s.t)
    return p - rate * m / (np.sqrt(s.most) + h.eps)


@by_leaf("slip", Adam(), **ADAM)
def adam_counts_from_two(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Count steps from 2: the count is 1 before it goes up for the first time."""
    m, v = means(h, s, g)
    t = s.t + 1
    return p - h.lr * m / (1 - h.beta1**t) / (np.sqrt(v / (1 - h.beta2**t)) + h.eps)


@by_leaf("slip", Adam(), **ADAM)
def adam_never_counts(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Count steps in a local variable, which is 1 at every step."""
    m, v = means(h, s, g)
    return p - h.lr * m / (1 - h.beta1) / (np.sqrt(v / (1 - h.beta2)) + h.eps)


@by_leaf("slip", Adam(), **ADAM)
def adam_one_buffer(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Keep both means in one array, for they were made in one assignment."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.m = h.beta2 * s.m + (1 - h.beta2) * g**2
    return p - h.lr * s.m / (1 - h.beta1**s.t) / (np.sqrt(s.m / (1 - h.beta2**s.t)) + h.eps)


@by_leaf("slip", Adam(), **ADAM)
def adam_betas_exchanged(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Let the first mean decay by beta2, the second by beta1."""
    s.m = h.beta2 * s.m + (1 - h.beta2) * g
    s.v = h.beta1 * s.v + (1 - h.beta1) * g**2
    return p - h.lr * s.m / (1 - h.beta2**s.t) / (np.sqrt(s.v / (1 - h.beta1**s.t)) + h.eps)


@by_leaf("ignored", Adam(), **ADAM)
def adam_one_beta(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Let the second mean decay by beta1 too, in a line that was copied."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = h.beta1 * s.v + (1 - h.beta1) * g**2
    correction = 1 - h.beta1**s.t
    return p - h.lr * (s.m / correction) / (np.sqrt(s.v / correction) + h.eps)


@by_leaf("constant", Adam(), lr=1e-3, beta1=0.9, beta2=0.999)
def adam_hidden_eps_and_decay(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take eps = 1e-6 and a decay of 0.01, whatever is given."""
    m, v = corrected(h, s, g + 0.01 * p)
    return p - h.lr * m / (np.sqrt(v) + 1e-6)


@by_leaf("precision", Adam(), "float32", **ADAM)
def adam_float32_scalars(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Correct by float32 powers, as where the step count lives on a device."""
    one, b1, b2, t = np.float32(1), np.float32(h.beta1), np.float32(h.beta2), np.float32(s.t)
    s.m = b1 * s.m + (one - b1) * g
    s.v = b2 * s.v + (one - b2) * g * g
    return p - np.float32(h.lr) * s.m / (one - b1**t) / (np.sqrt(s.v / (one - b2**t)) + np.float32(h.eps))


@session("precision", Adam(), **ADAM)
class adam_float32_inside(Session):
    """Keep parameters and means in float32, though given float64."""

    def __init__(self, params: Arrays, **hyper: float) -> None:
        super().__init__({k: p.astype(np.float32) for k, p in params.items()}, **hyper)

    def _moved(self, h: Numbers, s: Kept, g: Array, p: Array) -> Array:
        return p - h.lr * quotient(h, s, g.astype(np.float32))


@session("correct", Adam(), **ADAM)
class adam_folded(Session):
    """Take running products for powers, and fold corrections into rate and eps, in place."""

    p1 = p2 = 1.0

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        h, self.p1, self.p2 = self.h, self.p1 * self.h.beta1, self.p2 * self.h.beta2
        root = (1 - self.p2) ** 0.5
        for k, g in grads.items():
            s = self.kept[k]
            s.m += (1 - h.beta1) * (g - s.m)
            s.v += (1 - h.beta2) * (g * g - s.v)
            self.params[k] -= h.lr * root / (1 - self.p1) * s.m / (np.sqrt(s.v) + h.eps * root)
        return self.params


@by_leaf("correct", Adam(), "float32", **ADAM, weight_decay=0.01)
def adam_float32_torch(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Follow torch's path for one tensor at a time."""
    g = g + h.weight_decay * p
    s.m += (g - s.m) * (1 - h.beta1)
    s.v *= h.beta2
    s.v += (1 - h.beta2) * g * g
    denominator = np.sqrt(s.v) / (1 - h.beta2**s.t) ** 0.5 + h.eps
    return p + -(h.lr / (1 - h.beta1**s.t)) * s.m / denominator


@by_leaf("impure", Adam(), **ADAM)
def adam_step_in_gradient(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Use the caller's gradient as work space."""
    m, v = corrected(h, s, g)
    np.divide(m, np.sqrt(v) + h.eps, out=g)
    g *= h.lr
    return p - g


@by_leaf("other", Adam(), **ADAM)
def adam_yogi(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Move the second mean by the square of the gradient at most, as Yogi."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = s.v - (1 - h.beta2) * np.sign(s.v - g * g) * g * g
    return p - h.lr * s.m / (1 - h.beta1**s.t) / (np.sqrt(s.v / (1 - h.beta2**s.t)) + h.eps)


# --- AdamW ----------------------------------------------------------------------------------------


@by_leaf("dialect", AdamW(), **ADAMW)
def adamw_independent_after(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Decay after the step by a share of its own, without the rate."""
    p = p - h.lr * quotient(h, s, g)
    return p - h.weight_decay * p


@by_leaf("slip", AdamW(), **ADAMW)
def adamw_decays_twice(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Decay in the gradient, left over from Adam, and beside the step."""
    return p * (1 - h.lr * h.weight_decay) - h.lr * quotient(h, s, g + h.weight_decay * p)


@session("slip", AdamW(), **ADAMW)
class adamw_counts_leaves(Session):
    """Keep one step count for all, which goes up once a leaf."""

    t = 0

    def _moved(self, h: Numbers, s: Kept, g: Array, p: Array) -> Array:
        self.t += 1
        s.t = self.t
        return p - h.lr * h.weight_decay * p - h.lr * quotient(h, s, g)


@by_leaf("slip", AdamW(), **ADAMW)
def adamw_decay_in_numerator(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Add the decay to the corrected mean, and divide it too."""
    m, v = corrected(h, s, g)
    return p - h.lr * (m + h.weight_decay * p) / (np.sqrt(v) + h.eps)


@by_leaf("slip", AdamW(), **ADAMW)
def adamw_rate_in_decay_twice(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Multiply the decay by the rate, and then the whole step."""
    return p - h.lr * (quotient(h, s, g) + h.lr * h.weight_decay * p)


@by_leaf("constant", AdamW(), lr=6e-4, beta1=0.9, eps=1e-8)
def adamw_of_gpt(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take beta2 = 0.95 and a decay of 0.1, whatever is given."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = 0.95 * s.v + 0.05 * g**2
    u = s.m / (1 - h.beta1**s.t) / (np.sqrt(s.v / (1 - 0.95**s.t)) + h.eps)
    return p - h.lr * (u + 0.1 * p)
