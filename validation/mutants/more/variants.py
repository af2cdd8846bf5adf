"""More mutants of NAdam, RAdam, AdaMax and AdaBelief."""

import numpy as np

from arrayopt.conformance.mutants.adam import ADAM, corrected, means
from arrayopt.conformance.mutants.adam_variants import ahead, belief, largest, momenta, rectifier
from arrayopt.conformance.mutants.mutant import Session, by_leaf, session
from arrayopt.firstorder import (
    AdaBelief,
    AdaMax,
    NAdam,
    RAdam,
)


@session("slip", NAdam(), **ADAM)
class nadam_product_of_leaves(Session):
    """Keep one product of momenta for all, which is multiplied once a leaf."""

    product = 1.0

    def _moved(self, h, s, g, p):
        self.product *= momenta(h, s.t)[0]
        return p - h.lr * ahead(h, s, g, self.product, eps=h.eps)


@by_leaf("constant", NAdam(), lr=2e-3, beta1=0.9, beta2=0.999)
def nadam_hidden_psi(h, s, g, p):
    """Take a momentum decay of 0.05 and eps = 1e-6, whatever is given."""
    product = float(np.prod([momenta(h, t, 0.05)[0] for t in range(1, s.t + 1)]))
    return p - h.lr * ahead(h, s, g, product, 0.05, 1e-6)


@by_leaf("dialect", NAdam(), **ADAM)
def nadam_constant_hat(h, s, g, p):
    """Take a constant momentum, and add eps to the uncorrected root."""
    m, v = means(h, s, g)
    up = h.beta1 * m / (1 - h.beta1 ** (s.t + 1)) + (1 - h.beta1) * g / (1 - h.beta1**s.t)
    return p - h.lr * (1 - h.beta2**s.t) ** 0.5 * up / (np.sqrt(v) + h.eps)


@by_leaf("dialect", RAdam(), **ADAM, weight_decay=1e-2)
def radam_rests_at_first(h, s, g, p):
    """Neither move nor decay before it can rectify."""
    (m, v), (rho, square) = corrected(h, s, g), rectifier(h, s.t)
    if rho <= 4:
        return p
    return p * (1 - h.lr * h.weight_decay) - h.lr * square**0.5 * m / (v**0.5 + h.eps)


@by_leaf("slip", RAdam(), **ADAM)
def radam_rectifier_unrooted(h, s, g, p):
    """Take the square of the rectifier for the rectifier."""
    (m, v), (rho, square) = corrected(h, s, g), rectifier(h, s.t)
    return p - h.lr * (square * m / (np.sqrt(v) + h.eps) if rho > 4 else m)


@by_leaf("slip", RAdam(), **ADAM)
def radam_counts_from_two(h, s, g, p):
    """Count up the step before and after it is read."""
    (m, v), t = means(h, s, g), s.t + 1
    rho, square = rectifier(h, t)
    m = m / (1 - h.beta1**t)
    return p - h.lr * (square**0.5 * m / (np.sqrt(v / (1 - h.beta2**t)) + h.eps) if rho > 4 else m)


@by_leaf("dialect", AdaMax(), **ADAM)
def adamax_mlx(h, s, g, p):
    """Add eps to the maximum, and correct nothing."""
    m, u = largest(h, s, g)
    return p - h.lr * m / (u + h.eps)


@by_leaf("correct", AdaMax(eps_place="in_max"), "float32", **ADAM)
def adamax_float32(h, s, g, p):
    """Compute in float32, in place."""
    s.m += (g - s.m) * (1 - h.beta1)
    s.u *= h.beta2
    s.u = np.maximum(s.u, np.abs(g) + h.eps)
    return p - s.m / s.u * (h.lr / (1 - h.beta1**s.t))


@by_leaf("dialect", AdaBelief(), **ADAM, weight_decay=0.01)
def adabelief_first_version(h, s, g, p):
    """Add nothing to the surprise, and decay beside the step."""
    m, v = belief(h, s, g, 0.0)
    return p - h.lr * h.weight_decay * p - h.lr * m / (np.sqrt(v) + h.eps)


@by_leaf("slip", AdaBelief(), **ADAM)
def adabelief_one_eps(h, s, g, p):
    """Add nothing to the root."""
    m, v = belief(h, s, g, h.eps)
    return p - h.lr * m / np.sqrt(v)


@by_leaf("other", AdaBelief(), **ADAM)
def adabelief_of_corrected_mean(h, s, g, p):
    """Measure the surprise from the corrected mean, so that the first is zero."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    m = s.m / (1 - h.beta1**s.t)
    s.v = h.beta2 * s.v + (1 - h.beta2) * (g - m) ** 2 + h.eps
    return p - h.lr * m / (np.sqrt(s.v / (1 - h.beta2**s.t)) + h.eps)
