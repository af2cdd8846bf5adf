"""Mutants of NAdam, RAdam, AdaMax and AdaBelief."""

import numpy as np

from arrayopt.conformance.mutants.adam import ADAM, corrected, means
from arrayopt.conformance.mutants.mutant import Array, Kept, Numbers, by_leaf
from arrayopt.firstorder import AdaBelief, AdaMax, NAdam, RAdam

# --- NAdam ----------------------------------------------------------------------------------------


def momenta(h: Numbers, t: int, psi: float = 0.004) -> tuple[float, float]:
    """Return Dozat's momentum of a step and of the next."""
    return h.beta1 * (1 - 0.5 * 0.96 ** (t * psi)), h.beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * psi))


def ahead(h: Numbers, s: Kept, g: Array, product: float, psi: float = 0.004, eps: float = 1e-8) -> Array:
    """Return NAdam's direction, with the product of all momenta."""
    (now, then), (m, v) = momenta(h, s.t, psi), means(h, s, g)
    up = then * m / (1 - product * then) + (1 - now) * g / (1 - product)
    return up / (np.sqrt(v / (1 - h.beta2**s.t)) + eps)


@by_leaf("dialect", NAdam(), **ADAM, weight_decay=4e-3)
def nadam_keras(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Let the momentum decay with every step, and the parameter beside the step."""
    p = p - p * h.weight_decay * h.lr
    s.product = float(np.prod([momenta(h, t, 1.0)[0] for t in range(1, s.t + 1)]))
    return p - h.lr * ahead(h, s, g, s.product, 1.0, h.eps)


@by_leaf("precision", NAdam(), **ADAM)
def nadam_product_float32(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Keep the product of momenta as a float32 number."""
    s.product = np.float32(momenta(h, s.t)[0]) * (np.float32(1) if s.t == 1 else s.product)
    return p - h.lr * ahead(h, s, g, float(s.product), eps=h.eps)


# --- RAdam ----------------------------------------------------------------------------------------


def rectifier(h: Numbers, t: int) -> tuple[float, float]:
    """Return the length of the approximated mean, and the square of the rectifier."""
    top = 2 / (1 - h.beta2) - 1
    rho = top - 2 * t * h.beta2**t / (1 - h.beta2**t)
    return rho, (rho - 4) * (rho - 2) * top / ((top - 4) * (top - 2) * rho)


@by_leaf("dialect", RAdam(), **ADAM, weight_decay=1e-2)
def radam_torch(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Rectify from 5 on, and add eps to the uncorrected root."""
    m, v = means(h, s, g + h.weight_decay * p)
    rho, square = rectifier(h, s.t)
    size = h.lr / (1 - h.beta1**s.t)
    return p - size * m * ((1 - h.beta2**s.t) ** 0.5 / (np.sqrt(v) + h.eps) * square**0.5 if rho > 5 else 1.0)


@by_leaf("ignored", RAdam(), **ADAM)
def radam_without_eps(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take an eps, and follow the paper, which has none."""
    (m, v), (rho, square) = corrected(h, s, g), rectifier(h, s.t)
    return p - h.lr * (square**0.5 * m / np.maximum(np.sqrt(v), 1e-150) if rho > 4 else m)


@by_leaf("correct", RAdam(), **ADAM)
def radam_factors(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Make the rectifier of three quotients, as part of the rate."""
    s.m += (1 - h.beta1) * (g - s.m)
    s.v += (1 - h.beta2) * (g * g - s.v)
    power, top, size = h.beta2**s.t, 2 / (1 - h.beta2) - 1, h.lr / (1 - h.beta1**s.t)
    rho = top - 2 * s.t * power / (1 - power)
    if rho <= 4:
        return p - size * s.m
    size *= ((rho - 4) / (top - 4) * (rho - 2) / rho * top / (top - 2)) ** 0.5
    return p - size * s.m / (np.sqrt(s.v) / (1 - power) ** 0.5 + h.eps)


# --- AdaMax ---------------------------------------------------------------------------------------


def largest(h: Numbers, s: Kept, g: Array) -> tuple[Array, Array]:
    """Return the mean and the decaying maximum with this gradient in them."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.u = np.maximum(h.beta2 * s.u, np.abs(g))
    return s.m, s.u


@by_leaf("dialect", AdaMax(), **ADAM, weight_decay=0.01)
def adamax_eps_in_maximum(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Add eps to the gradient of which the maximum is taken, and decay beside the step."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.u = np.stack([h.beta2 * s.u, np.abs(g) + h.eps]).max(axis=0)
    return p * (1 - h.lr * h.weight_decay) - h.lr / (1 - h.beta1**s.t) * s.m / s.u


@by_leaf("ignored", AdaMax(eps_place="outside"), **ADAM)
def adamax_largest_ever(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Forget beta2: the maximum does not decay."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.u = np.maximum(s.u, np.abs(g))
    return p - h.lr / (1 - h.beta1**s.t) * s.m / (s.u + h.eps)


@by_leaf("slip", AdaMax(eps_place="outside"), **ADAM)
def adamax_corrects_maximum(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Divide the maximum by a correction, as if it were a mean."""
    m, u = largest(h, s, g)
    return p - h.lr * m / (1 - h.beta1**s.t) / (u / (1 - h.beta2**s.t) + h.eps)


@by_leaf("slip", AdaMax(eps_place="outside"), **ADAM)
def adamax_one_buffer(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Keep the mean and the maximum in one array, for they were made in one assignment."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.m = np.maximum(h.beta2 * s.m, np.abs(g))
    return p - h.lr * s.m / (1 - h.beta1**s.t) / (s.m + h.eps)


# --- AdaBelief ------------------------------------------------------------------------------------


def belief(h: Numbers, s: Kept, g: Array, inside: float) -> tuple[Array, Array]:
    """Return the corrected mean, and that of squared surprises, to which `inside` is added at each step."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = h.beta2 * s.v + (1 - h.beta2) * (g - s.m) ** 2 + inside
    return s.m / (1 - h.beta1**s.t), s.v / (1 - h.beta2**s.t)


@by_leaf("slip", AdaBelief(), **ADAM)
def adabelief_old_mean(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Measure the surprise from the mean of the step before."""
    surprise = g - s.m
    s.m = s.m + (1 - h.beta1) * surprise
    s.v = h.beta2 * s.v + (1 - h.beta2) * surprise**2 + h.eps
    return p - h.lr * s.m / (1 - h.beta1**s.t) / (np.sqrt(s.v / (1 - h.beta2**s.t)) + h.eps)


@by_leaf("constant", AdaBelief(), **ADAM)
def adabelief_hidden_root(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Add 1e-5 to the surprise at each step, beside eps."""
    m, v = belief(h, s, g, h.eps + 1e-5)
    return p - h.lr * m / (np.sqrt(v) + h.eps)
