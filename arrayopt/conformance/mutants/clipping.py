"""Mutants of rules whose gradients are clipped, and of rules whose gradients are not meant to be."""

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.conformance.mutants.adam import ADAM, quotient
from arrayopt.conformance.mutants.mutant import Array, Kept, Numbers, Session, by_leaf, session
from arrayopt.firstorder import SGD, Adam, Clip, Momentum

CLIPPED = ADAM | {"max_norm": 1.0}
CLIPPED_SGD = {"lr": 0.01, "max_norm": 1.0}


def length(grads: Arrays) -> float:
    """Return the norm of all leaves together."""
    return float(np.sqrt(sum(float(np.sum(g * g)) for g in grads.values())))


class _ClippedAdam(Session):
    """Adam, to be given gradients that are clipped."""

    def _moved(self, h: Numbers, s: Kept, g: Array, p: Array) -> Array:
        return p - h.lr * quotient(h, s, g)


class _ClippedDescent(Session):
    """Gradient descent, to be given gradients that are clipped."""

    def _moved(self, h: Numbers, s: Kept, g: Array, p: Array) -> Array:
        return p - h.lr * g


@session("dialect", Clip(rule=Adam(), max_norm=1.0), **CLIPPED)
class clip_exact(_ClippedAdam):
    """Add nothing to the norm."""

    def _seen(self, grads: Arrays) -> Arrays:
        n = length(grads)
        return grads if n < self.h.max_norm else {k: g / n * self.h.max_norm for k, g in grads.items()}


@by_leaf("dialect", Clip(rule=SGD(), max_norm=1.0), **CLIPPED_SGD)
def clip_by_leaf(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Clip every leaf by its own norm."""
    n = np.linalg.norm(g)
    return p - h.lr * (g if n < h.max_norm else g * (h.max_norm / n))


@session("slip", Clip(rule=SGD(), max_norm=1.0), **CLIPPED_SGD)
class clip_without_root(_ClippedDescent):
    """Take the sum of squares for the norm."""

    def _seen(self, grads: Arrays) -> Arrays:
        square = length(grads) ** 2
        return {k: g * min(1.0, self.h.max_norm / (square + 1e-6)) for k, g in grads.items()}


@session("slip", Clip(rule=Momentum(), max_norm=1.0), lr=0.01, momentum=0.9, max_norm=1.0)
class clip_after_momentum(Session):
    """Clip the velocity where it is used, and not the gradient."""

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        for k, g in grads.items():
            self.kept[k].v = self.h.momentum * self.kept[k].v + g
        velocity = {k: s.v for k, s in self.kept.items()}
        factor = min(1.0, self.h.max_norm / (length(velocity) + 1e-6))
        self.params = {k: p - self.h.lr * factor * velocity[k] for k, p in self.params.items()}
        return self.params


@session("impure", Clip(rule=Adam(), max_norm=1.0), **CLIPPED)
class clip_in_place(_ClippedAdam):
    """Clip the caller's gradients in place."""

    def _seen(self, grads: Arrays) -> Arrays:
        factor = min(1.0, self.h.max_norm / (length(grads) + 1e-6))
        for g in grads.values():
            g *= factor
        return grads


@by_leaf("ignored", Clip(rule=Adam(), max_norm=1.0), **CLIPPED)
def clip_result_dropped(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Clip, and do not use what that returns."""
    np.clip(g, -h.max_norm, h.max_norm)
    return p - h.lr * quotient(h, s, g)


@session("precision", Clip(rule=SGD(), max_norm=1.0), **CLIPPED_SGD)
class clip_norm_float32(_ClippedDescent):
    """Compute the norm in float32."""

    def _seen(self, grads: Arrays) -> Arrays:
        n = np.linalg.norm(np.array([np.linalg.norm(g.astype(np.float32)) for g in grads.values()]))
        factor = np.minimum(np.float32(self.h.max_norm) / (n + np.float32(1e-6)), np.float32(1))
        return {k: g * float(factor) for k, g in grads.items()}


@session("correct", Clip(rule=SGD(), max_norm=1.0), "float32", **CLIPPED_SGD)
class clip_rate_float32(Session):
    """Shorten the rate in place of the gradients, which are one flat vector for the norm."""

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        flat, most = np.concatenate([g.ravel() for g in grads.values()]), self.h.max_norm
        n = float(np.sqrt(flat @ flat)) + 1e-6
        for k, p in self.params.items():
            p -= (self.h.lr if n <= most else self.h.lr * most / n) * grads[k]
        return self.params


@session("constant", Adam(), **ADAM)
class adam_clips_unasked(_ClippedAdam):
    """Clip the norm at 1, unasked."""

    def _seen(self, grads: Arrays) -> Arrays:
        return {k: g * min(1.0, 1.0 / (length(grads) + 1e-6)) for k, g in grads.items()}


@by_leaf("constant", SGD(), lr=0.01)
def sgd_clips_values_unasked(h: Numbers, s: Kept, g: Array, p: Array) -> Array:
    """Clip every element at 0.5, unasked."""
    return p - h.lr * np.maximum(np.minimum(g, 0.5), -0.5)
