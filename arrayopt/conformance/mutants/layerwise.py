"""Mutants of the rules that look at a layer as a whole: LAMB, Amos and Adafactor."""

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.conformance.mutants.adam import corrected, means
from arrayopt.conformance.mutants.mutant import Array, Kept, Numbers, Session, by_leaf, session
from arrayopt.firstorder import LAMB, Adafactor, Amos

# --- LAMB -----------------------------------------------------------------------------------------

LAMBS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-6}


def trust(p: Array, u: Array) -> float:
    """Return the ratio of norms; 1 where one of them is zero."""
    w, r = float(np.linalg.norm(p)), float(np.linalg.norm(u))
    return w / r if w > 0 and r > 0 else 1.0


def quotient(h: Numbers, s: Kept, g: Array) -> Array:
    """Return Adam's direction."""
    m, v = corrected(h, s, g)
    return m / (np.sqrt(v) + h.eps)


@by_leaf("dialect", LAMB(), **LAMBS, weight_decay=0.01)
def lamb_pytorch_optimizer(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Correct the first mean alone, with norms of 10 at most, eps in the ratio, and the decay beside the step."""
    m, v = means(h, s, g)
    p = p * (1 - h.weight_decay * h.lr)
    u = m / (np.sqrt(v) + h.eps)
    norm, size = min(float(np.linalg.norm(p)), 10.0), float(np.linalg.norm(u))
    ratio = norm / (size + h.eps) if norm != 0 and size != 0 else 1.0
    return p - h.lr / (1 - h.beta1**s.t) * ratio * u


@session("dialect", LAMB(), **LAMBS, weight_decay=0.01)
class lamb_clips_first(Session):
    """Cut the norm of all gradients to 1 before anything else, as timm."""

    def _seen(self, grads: Arrays) -> Arrays:
        n = float(np.sqrt(sum(np.sum(g**2) for g in grads.values())))
        return {k: g / max(n, 1.0) for k, g in grads.items()}

    def _moved(self, h: Numbers, s: Kept, g: Array, p: Array) -> Array:
        u = quotient(h, s, g) + h.weight_decay * p
        return p - h.lr * trust(p, u) * u


@session("slip", LAMB(), **LAMBS)
class lamb_one_ratio(Session):
    """Take the norms over all parameters together."""

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        us = {}
        for k, g in grads.items():
            self.kept[k].t += 1
            us[k] = quotient(self.h, self.kept[k], g)
        ratio = trust(*(np.concatenate([x.ravel() for x in xs.values()]) for xs in (self.params, us)))
        self.params = {k: p - self.h.lr * ratio * us[k] for k, p in self.params.items()}
        return self.params


@by_leaf("slip", LAMB(), **LAMBS, weight_decay=0.01)
def lamb_ratio_before_decay(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take the ratio of the direction before the decay is added."""
    u = quotient(h, s, g)
    return p - h.lr * trust(p, u) * (u + h.weight_decay * p)


@by_leaf("constant", LAMB(), lr=1e-3, beta1=0.9, beta2=0.999)
def lamb_hidden_decay(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take eps = 1e-8 and a decay of 0.01, whatever is given."""
    m, v = corrected(h, s, g)
    u = m / (np.sqrt(v) + 1e-8) + 0.01 * p
    return p - h.lr * trust(p, u) * u


# --- Amos -----------------------------------------------------------------------------------------

SCALED = Amos(eta_by="number")
AMOS = {"lr": 1e-2, "beta": 0.999, "eta": 0.5}


def amos(h: Numbers, s: Kept, g: Array, p: Array, c: float = 0.25, d: float = 0.25, half: float = 0.5) -> Array:
    """Return Amos's new parameter, for one scale of all leaves."""
    s.v = h.beta * s.v + (1 - h.beta) * g**2
    r = (1 - h.beta**s.t) / np.maximum(s.v, 2.0**-125)
    gamma = (1 + c * h.lr**0.5 * s.b) ** -0.5 * h.lr**2 * r * g**2
    slower = 1 + d * (h.lr * h.eta) ** 0.5 * s.b
    s.b = s.b + gamma * (1 + s.b)
    return p - (h.lr * h.eta * np.sqrt(r) * g + half * gamma * p) / slower


@by_leaf("dialect", SCALED, lr=1e-2, beta=0.999)
def amos_pytorch_optimizer(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Keep one mean of squares for a leaf, whose scale comes from its shape."""
    eta = 0.5 if p.ndim < 2 else np.sqrt((2 if p.ndim == 2 else 1) / p.shape[1])
    square = np.square(g).mean()
    s.v = s.v * h.beta + square * (1 - h.beta)
    r = (1 - h.beta**s.t) / (s.v + 1e-18)
    gamma = (1 + 0.25 * h.lr**0.5 * s.b) ** -0.5 * h.lr**2 * r * square
    slower = 1 + 0.25 * np.sqrt(h.lr * eta) * s.b
    s.b = s.b + gamma * (1 + s.b)
    return p - (h.lr * eta * np.sqrt(r) * g + 0.5 * gamma * p) / slower


@by_leaf("slip", SCALED, **AMOS)
def amos_decay_without_half(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Do not halve the decay."""
    return amos(h, s, g, p, half=1.0)


@by_leaf("constant", SCALED, lr=0.05, beta=0.99, eta=0.5)
def amos_hidden_coefficients(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take coefficients of 2 and 1 where the paper has a quarter."""
    return amos(h, s, g, p, c=2.0, d=1.0)


@by_leaf("correct", SCALED, **AMOS)
def amos_logarithmic(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Keep the logarithm of 1 + b, and divide by a root where the paper multiplies by r."""
    b = np.expm1(s.log)
    s.v += (1 - h.beta) * (g * g - s.v)
    unit = h.lr * g / np.sqrt(np.maximum(s.v, 2.0**-125) / (1 - h.beta**s.t))
    gamma = unit * unit / np.sqrt(1 + 0.25 * np.sqrt(h.lr) * b)
    s.log = s.log + np.log1p(gamma)
    return p - (h.eta * unit + gamma * p / 2) / (1 + 0.25 * np.sqrt(h.lr * h.eta) * b)


# --- Adafactor ------------------------------------------------------------------------------------


def rms(x: Array) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(x * x)))


def factored(s: Kept, square: Array, weight: float, flat: float | None = None) -> Array:
    """Return the mean of squares from those of rows and columns; over their mean `flat`, or that of the rows."""
    if square.ndim < 2:
        s.full = s.full + weight * (square - s.full)
        return s.full
    rows, columns = square.mean(-1, keepdims=True), square.mean(-2, keepdims=True)
    s.rows = s.rows + weight * (rows - s.rows) if s.t > 1 else weight * rows
    s.columns = s.columns + weight * (columns - s.columns) if s.t > 1 else weight * columns
    return s.rows / (s.rows.mean(-2, keepdims=True) if flat is None else flat) * s.columns


def adafactor(h: Numbers, s: Kept, g: Array, p: Array, power: float = 0.8, d: float = 1.0, **how: float) -> Array:
    """Return Adafactor's new parameter, with relative steps."""
    u = g / np.sqrt(factored(s, g**2 + 1e-30, s.t**-power, **how))
    return p - min(h.lr, s.t**-0.5) * max(1e-3, rms(p)) * u / max(1.0, rms(u) / d)


@by_leaf("dialect", Adafactor(), lr=0.01, weight_decay=1e-3)
def adafactor_optax(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Do not factor small leaves, take the rate as given, and decay by a share of its own."""
    s.full = s.full + s.t**-0.8 * (g**2 + 1e-30 - s.full)
    u = g / np.sqrt(s.full)
    return p - h.lr * max(1e-3, rms(p)) * u / max(1.0, rms(u)) - h.weight_decay * p


@by_leaf("slip", Adafactor(), lr=0.01)
def adafactor_no_row_mean(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Multiply rows and columns without dividing by their common mean."""
    return adafactor(h, s, g, p, flat=1.0)


@by_leaf("ignored", Adafactor(), lr=0.01, clip_threshold=1.0)
def adafactor_without_clipping(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Take a threshold, and clip no update."""
    return adafactor(h, s, g, p, d=float("inf"))
