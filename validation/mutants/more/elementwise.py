"""More mutants of the rules from SGD to AdamW."""

import numpy as np

from arrayopt.conformance.mutants.adam import ADAM, ADAMW, corrected, means, quotient
from arrayopt.conformance.mutants.adaptive import MEAN, SUM, mean_square
from arrayopt.conformance.mutants.momentum import HEAVY
from arrayopt.conformance.mutants.mutant import Session, by_leaf, session
from arrayopt.firstorder import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    RMSProp,
)


@by_leaf("slip", SGD(), lr=0.05)
def sgd_rate_squared(h, s, g, p):
    """Multiply the gradient by the rate when it is collected, and once more when it is applied."""
    scaled = h.lr * g
    return p - h.lr * scaled


@by_leaf("constant", SGD(), lr=0.1)
def sgd_hidden_decay(h, s, g, p):
    """Decay by darknet's 5e-4, whatever is given."""
    return p - h.lr * (g + 5e-4 * p)


@by_leaf("dialect", Momentum(), lr=0.1, momentum=0.9)
def momentum_ema_warm(h, s, g, p):
    """Take a mean of gradients, which starts at the first, for the velocity."""
    s.v = g.copy() if s.t == 1 else s.v + (1 - h.momentum) * (g - s.v)
    return p - h.lr * s.v


@by_leaf("impure", Momentum(), **HEAVY)
def momentum_overwrites_gradient(h, s, g, p):
    """Make the velocity in the caller's gradient."""
    g += h.momentum * s.v
    s.v = g.copy()
    return p - h.lr * g


@by_leaf("dialect", Nesterov(), lr=0.05, momentum=0.9)
def nesterov_corrected_inside(h, s, g, p):
    """Take NAdam's numerator alone, of gradients that hold the rate already."""
    mu, scaled = h.momentum, h.lr * g
    s.v = mu * s.v + (1 - mu) * scaled
    ahead = mu * s.v / (1 - mu ** (s.t + 1))
    return p - ahead - (1 - mu) * scaled / (1 - mu**s.t)


@by_leaf("dialect", Nesterov(), **HEAVY, weight_decay=0.01)
def nesterov_decay_beside(h, s, g, p):
    """Decay beside the step."""
    s.v = h.momentum * s.v + g
    return p * (1 - h.lr * h.weight_decay) - h.lr * (g + h.momentum * s.v)


@by_leaf("slip", Nesterov(), **HEAVY)
def nesterov_old_velocity(h, s, g, p):
    """Look ahead with the velocity of the step before."""
    moved = p - h.lr * (g + h.momentum * s.v)
    s.v = h.momentum * s.v + g
    return moved


@by_leaf("dialect", Adagrad(), **SUM, weight_decay=0.01)
def adagrad_decay_beside(h, s, g, p):
    """Add the decay to the quotient."""
    s.sum = s.sum + g**2
    return p - h.lr * (g / (s.sum**0.5 + h.eps) + h.weight_decay * p)


@by_leaf("other", Adagrad(), lr=0.1, eps=1e-10)
def adagrad_norm(h, s, g, p):
    """Keep one sum for a whole leaf, as AdaGrad-Norm."""
    s.sum = s.sum + np.sum(g * g)
    return p - h.lr * g / (np.sqrt(s.sum) + h.eps)


@by_leaf("slip", RMSProp(), **MEAN)
def rmsprop_rate_exchanged(h, s, g, p):
    """Take rho for the weight of the new square."""
    s.v = (1 - h.rho) * s.v + h.rho * g**2
    return p - h.lr * g / (np.sqrt(s.v) + h.eps)


@by_leaf("other", RMSProp(momentum=0.9), **MEAN, momentum=0.9)
def rmsprop_momentum_of_gradients(h, s, g, p):
    """Gather gradients in the velocity, and take the quotient of it."""
    s.u = h.momentum * s.u + g
    return p - h.lr * s.u / (np.sqrt(mean_square(h, s, g)) + h.eps)


@by_leaf("dialect", RMSProp(), lr=1e-3, rho=0.99, eps=1e-8, weight_decay=0.01)
def rmsprop_corrected_decoupled(h, s, g, p):
    """Correct the mean, and decay beside the step."""
    v = mean_square(h, s, g) / (1 - h.rho**s.t)
    return p - h.lr * h.weight_decay * p - h.lr * g / (np.sqrt(v) + h.eps)


@by_leaf("correct", RMSProp(), "float32", **MEAN)
def rmsprop_float32(h, s, g, p):
    """Compute in float32, in one array of work space."""
    w = np.subtract(np.square(g), s.v)
    s.v += (1 - h.rho) * w
    np.add(np.sqrt(s.v, out=w), h.eps, out=w)
    return p - np.divide(h.lr * g, w)


@by_leaf("constant", Adadelta(), lr=1.0)
def adadelta_of_keras(h, s, g, p):
    """Take rho = 0.95 and eps = 1e-7, whatever is given."""
    s.v = 0.95 * s.v + 0.05 * g**2
    d = np.sqrt(s.u + 1e-7) / np.sqrt(s.v + 1e-7) * g
    s.u = 0.95 * s.u + 0.05 * d**2
    return p - h.lr * d


@by_leaf("dialect", Adam(), **ADAM)
def adam_second_correction_alone(h, s, g, p):
    """Correct the second mean alone, with eps under the root, as AdamD."""
    m, v = means(h, s, g)
    return p - h.lr * (1 - h.beta2**s.t) ** 0.5 * m / np.sqrt(v + h.eps)


@by_leaf("dialect", Adam(), **ADAM, weight_decay=0.01)
def adam_of_bert(h, s, g, p):
    """Correct nothing, and add the decay to the quotient."""
    m, v = means(h, s, g)
    return p - h.lr * (m / (np.sqrt(v) + h.eps) + h.weight_decay * p)


@by_leaf("slip", Adam(), **ADAM)
def adam_counts_from_zero(h, s, g, p):
    """Count steps at the end, from 0; somebody guarded the division by zero."""
    m, v = means(h, s, g)
    if s.t > 1:
        m, v = m / (1 - h.beta1 ** (s.t - 1)), v / (1 - h.beta2 ** (s.t - 1))
    return p - h.lr * m / (np.sqrt(v) + h.eps)


@by_leaf("slip", Adam(), **ADAM)
def adam_one_buffer_guarded(h, s, g, p):
    """Keep both means in one array, and take the root of its absolute value."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.m = h.beta2 * s.m + (1 - h.beta2) * g**2
    return p - h.lr * s.m / (1 - h.beta1**s.t) / (np.sqrt(np.abs(s.m / (1 - h.beta2**s.t))) + h.eps)


@by_leaf("other", Adam(), **ADAM)
def adam_adamod(h, s, g, p):
    """Bound the rates by their own running mean, as AdaMod."""
    m, v = corrected(h, s, g)
    rate = h.lr / (np.sqrt(v) + h.eps)
    s.rate = 0.9 * s.rate + 0.1 * rate
    return p - np.minimum(rate, s.rate) * m


@by_leaf("other", Adam(), lr=1e-3, beta1=0.98, beta2=0.92, eps=1e-8)
def adam_adan(h, s, g, p):
    """Take the mean of the changes of the gradient too, as Adan."""
    change = g - s.before if s.t > 1 else np.zeros_like(g)
    s.before = g.copy()
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.d = h.beta2 * s.d + (1 - h.beta2) * change
    s.v = 0.99 * s.v + 0.01 * (g + h.beta2 * change) ** 2
    up = s.m / (1 - h.beta1**s.t) + h.beta2 * s.d / (1 - h.beta2**s.t)
    return p - h.lr * up / (np.sqrt(s.v / (1 - 0.99**s.t)) + h.eps)


@by_leaf("dialect", AdamW(), **ADAMW)
def adamw_relative_hat(h, s, g, p):
    """Decay by the rate as a share of the first one, and add eps to the uncorrected root."""
    s.first = h.lr if s.t == 1 else s.first
    p = p * (1 - h.weight_decay * h.lr / s.first)
    m, v = means(h, s, g)
    return p - h.lr * (1 - h.beta2**s.t) ** 0.5 / (1 - h.beta1**s.t) * m / (np.sqrt(v) + h.eps)


@by_leaf("other", AdamW(), **ADAMW)
def adamw_cautious(h, s, g, p):
    """Move only where mean and gradient agree, as Cautious AdamW."""
    u = quotient(h, s, g)
    mask = (u * g > 0).astype(p.dtype)
    return p * (1 - h.lr * h.weight_decay) - h.lr * u * mask / max(mask.mean(), 1e-3)


@session("correct", AdamW(), **ADAMW)
class adamw_flat(Session):
    """Keep all leaves in one flat vector, as kernels for many tensors do."""

    def __init__(self, params, **hyper):
        super().__init__({"": np.concatenate([p.ravel() for p in params.values()])}, **hyper)
        self.shapes = {k: p.shape for k, p in params.items()}

    def step(self, grads):
        (flat,) = super().step({"": np.concatenate([grads[k].ravel() for k in self.shapes])}).values()
        ends = np.cumsum([int(np.prod(s)) for s in self.shapes.values()])[:-1]
        return {k: x.reshape(s) for (k, s), x in zip(self.shapes.items(), np.split(flat, ends), strict=True)}

    def _moved(self, h, s, g, p):
        s.m += (1 - h.beta1) * (g - s.m)
        s.v += (1 - h.beta2) * (g * g - s.v)
        denominator = np.sqrt(s.v / (1 - h.beta2**s.t)) + h.eps
        return p - h.lr * (s.m / ((1 - h.beta1**s.t) * denominator) + h.weight_decay * p)
