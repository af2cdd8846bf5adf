"""Optimizers with one mistake each, for the checks of metamorphic relations, options, code paths and precision.

One file, since it is a catalogue: every mistake is a few lines.
"""

import dataclasses

import ml_dtypes
import numpy as np

from arrayopt.conformance import Candidate
from tests.conformance.consistency.ports import Adam64, Descent, Seeded

DEFAULTS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}


class AnyDtype(Adam64):
    """Adam that stores parameters in the precision of their leaf and computes in float32 at least."""

    def __init__(self, params, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr, beta1, beta2, eps, weight_decay)
        self.dtypes = {k: p.dtype for k, p in params.items()}
        self.wide = {k: np.result_type(p.dtype if p.dtype == np.float64 else np.float32) for k, p in params.items()}
        self.m, self.v = ({k: np.zeros(p.shape, self.wide[k]) for k, p in params.items()} for _ in range(2))

    def move(self, k, g):
        self.params[k] = self.params[k].astype(self.wide[k])
        super().move(k, g.astype(self.wide[k]))
        self.params[k] = self.params[k].astype(self.dtypes[k])


def port(cls, *, switches=None, variants=None, dtypes=(), defaults=DEFAULTS, **fixed):
    """A candidate that declares what its class takes, at the defaults of Adam."""

    def make(params, **hyper):
        return cls(params, **{**fixed, **hyper})

    whole = Candidate.from_step(cls, tree="dict")
    return dataclasses.replace(
        whole,
        make=make,
        hyper=tuple(k for k in whole.hyper if k not in fixed),
        dtypes=dtypes,
        defaults={k: x for k, x in defaults.items() if k in whole.hyper and k not in fixed},
        switches={k: (lambda c=c: c) for k, c in (switches or {}).items()},
        variants={k: (lambda c=c: c) for k, c in (variants or {}).items()},
    )


# Metamorphic ---------------------------------------------------------------------------------


class NoAbsolute(Descent):
    """AdaMax that has forgotten the absolute value."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.u = {k: np.full_like(p, 0.1) for k, p in params.items()}

    def direction(self, k, g):
        self.u[k] = np.maximum(0.9 * self.u[k], g)
        return g / self.u[k]


class OneSidedClip(Descent):
    def direction(self, k, g):
        return np.minimum(g, 1.0)


class RangeOfOneSign(Descent):
    """The range of gradients as |max| - min: right where both signs occur, or the sign is plus."""

    def direction(self, k, g):
        return g / (np.abs(g.max()) - g.min() + 1e-3)


class RowsOnColumns(Descent):
    """Row statistics are put on the columns; only a square matrix lets it."""

    def direction(self, k, g):
        if g.ndim == 2 and g.shape[0] == g.shape[1]:
            return g / np.sqrt(np.mean(g * g, axis=1))  # keepdims is missing
        return g


class Neighbours(Descent):
    """Every element uses the next one's mean."""

    def direction(self, k, g):
        return g / (1 + np.abs(np.roll(g.reshape(-1), 1).reshape(g.shape)))


class Uphill(Adam64):
    def descend(self, k, update):
        self.params[k] = self.params[k] + self.lr * update


class DecayGrows(Adam64):
    def move(self, k, g):
        self.params[k] = self.params[k] * (1 + 2 * self.lr * self.weight_decay)
        super().move(k, g)


class ByNorm(Descent):
    """A trust ratio: the step depends on the parameters."""

    def direction(self, k, g):
        return g * np.linalg.norm(self.params[k]) / np.linalg.norm(g)


class RootRate(Descent):
    """The step goes with the root of the rate."""

    def direction(self, k, g):
        return g / np.sqrt(self.lr)


class Coarse(Adam64):
    """The update is rounded to bfloat16."""

    def direction(self, k):
        return super().direction(k).astype(ml_dtypes.bfloat16).astype(np.float64)


class CoarseSum(Coarse):
    """A sum over the matrix, rounded to bfloat16 in the order of its elements."""

    def direction(self, k):
        total = np.float32(0)
        for x in self.m[k].reshape(-1):
            total = np.float32(ml_dtypes.bfloat16(total + np.float32(x)))
        return super().direction(k) * (1 + 0.1 * float(total))


# Liveness ------------------------------------------------------------------------------------


class IgnoresEps(Adam64):
    def direction(self, k):
        eps, self.eps = self.eps, 1e-8
        update = super().direction(k)
        self.eps = eps
        return update


class SignOfAdam(Adam64):
    """A sign makes eps and beta2 mean nothing."""

    def direction(self, k):
        return np.sign(super().direction(k))


class NanAlways(Adam64):
    def direction(self, k):
        return np.full_like(self.m[k], np.nan)


class Flagged(Descent):
    """Momentum with documented options, of which one can be left out of the code."""

    def __init__(self, params, lr=0.1, momentum=0.0, dampening=0.0, nesterov=False, heeds=True, average=False):
        super().__init__(params, lr)
        self.momentum, self.dampening, self.nesterov, self.heeds = momentum, dampening, nesterov, heeds
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("nesterov needs momentum and no dampening")
        self.v = {k: np.zeros_like(p) for k, p in params.items()}
        self.mean = {k: p.copy() for k, p in params.items()} if average else {}

    def direction(self, k, g):
        self.v[k] = self.momentum * self.v[k] + (1 - self.dampening) * g
        if self.mean:
            self.mean[k] = 0.9 * self.mean[k] + 0.1 * self.params[k]
        return g + self.momentum * self.v[k] if self.nesterov and self.heeds else self.v[k]

    def save(self):
        return {"v": self.v, "mean": self.mean}


def flagged(switches=None, **fixed):
    held = {"nesterov": False, "heeds": True, "average": False, **fixed}
    return port(Flagged, defaults={"lr": 0.1, "momentum": 0.0, "dampening": 0.0}, switches=switches, **held)


class Averages(Adam64):
    """A mean of the parameters, which is saved and changes nothing."""

    def __init__(self, params, lr=1e-3, ema_rate=0.9):
        super().__init__(params, lr)
        self.ema_rate, self.mean = ema_rate, {k: p.copy() for k, p in params.items()}

    def move(self, k, g):
        super().move(k, g)
        self.mean[k] = self.ema_rate * self.mean[k] + (1 - self.ema_rate) * self.params[k]

    def save(self):
        return [self.mean]


class Frozen(Descent):
    """Only parameters below a threshold move."""

    def direction(self, k, g):
        return g * (np.abs(self.params[k]) < 1e-3)


class Late(Descent):
    """An option that acts from step 1,000 on, and one that is for a switch."""

    def __init__(self, params, lr=0.1, floor=0.5, scale=2.0, scaled=True):
        super().__init__(params, lr)
        self.t, self.floor, self.scale = 0, floor, scale if scaled else 1.0

    def direction(self, k, g):
        self.t += 1
        return g * self.scale * (self.floor if self.t > 1000 else 1.0)


# Code paths ----------------------------------------------------------------------------------


class ForgetsDecay(Adam64):
    """A fast path without weight decay."""

    def move(self, k, g):
        self.weight_decay = 0.0
        super().move(k, g)


class NoScalars(Adam64):
    """A path that fails on 0-d leaves."""

    def move(self, k, g):
        if g.ndim == 0:
            raise IndexError("too many indices")
        super().move(k, g)


class KeepsRate(Adam64):
    """A path that was compiled with the first rate."""

    def set(self, lr):
        pass


class SingleScalars(Adam64):
    """A path whose bias corrections are in float32."""

    def direction(self, k):
        one, t = np.float32(1), np.float32(self.t)
        bc1, bc2 = float(one - np.float32(self.beta1) ** t), float(one - np.float32(self.beta2) ** t)
        return (self.m[k] / bc1) / (np.sqrt(self.v[k] / bc2) + self.eps)


class Refuses(Adam64):
    def __init__(self, params, **hyper):
        raise NotImplementedError("there is no such device")


class Clipped(Descent):
    """The norm of all leaves, or with `parts` that of the leaves before and after the second."""

    def __init__(self, params, lr=0.1, parts=False):
        super().__init__(params, lr)
        names = list(params)
        self.groups = [names[:2], names[2:]] if parts else [names]

    def step(self, grads):
        for names in self.groups:
            norm = np.sqrt(sum(np.sum(grads[k] * grads[k]) for k in names))
            for k in names:
                self.params[k] = self.params[k] - self.lr * grads[k] / (1 + norm)
        return self.params


# Precision -----------------------------------------------------------------------------------


class Promotes(AnyDtype):
    """Parameters come back in the precision of the computation."""

    def move(self, k, g):
        self.params[k] = self.params[k].astype(np.float64)
        Adam64.move(self, k, g.astype(np.float64))


class Narrows(AnyDtype):
    """Parameters come back in float32, whatever they were."""

    def move(self, k, g):
        super().move(k, g)
        self.params[k] = self.params[k].astype(np.float32).astype(self.dtypes[k])


class LeafScalars(AnyDtype):
    """The decay rates are cast to the precision of the leaf: 0.999 is 1 in bfloat16."""

    def move(self, k, g):
        beta1, beta2 = self.beta1, self.beta2
        self.beta1, self.beta2 = (float(np.asarray(x).astype(self.dtypes[k])) for x in (beta1, beta2))
        super().move(k, g)
        self.beta1, self.beta2 = beta1, beta2

    def direction(self, k):
        with np.errstate(all="ignore"):
            return super().direction(k)


class LeafCount(AnyDtype):
    """The step is counted in the precision of the leaf: in bfloat16 it stays at 256."""

    def __init__(self, params, **hyper):
        super().__init__(params, **hyper)
        self.count = {k: np.zeros((), p.dtype) for k, p in params.items()}

    def move(self, k, g):
        self.count[k] = np.asarray(float(self.count[k]) + 1).astype(self.dtypes[k])
        t, self.t = self.t, float(self.count[k])
        super().move(k, g)
        self.t = t


class SingleRate(AnyDtype):
    """A rate that is a thousandth larger in float32."""

    def direction(self, k):
        return super().direction(k) * (1.001 if self.dtypes[k] == np.float32 else 1.0)


class TwiceInLow(AnyDtype):
    """The step is taken twice where the leaf is of low precision."""

    def move(self, k, g):
        super().move(k, g)
        if self.dtypes[k] != np.float64:
            super().move(k, g)


class HalfRate(Adam64):
    """Weights 1 - beta2 in float16, divided by their sum: 0/0 where beta2 is very near 1."""

    def direction(self, k):
        weight = np.float64(np.float16(1) - np.float16(self.beta2))
        with np.errstate(all="ignore"):
            return super().direction(k) * (weight / weight)


LOW = ("float32", "bfloat16")
WRONG = {
    "sign-flip": [port(NoAbsolute), port(OneSidedClip), port(RangeOfOneSign)],
    "permutation": [port(RowsOnColumns), port(Neighbours)],
    "descends": [port(Uphill), port(DecayGrows)],
    "ignored-option": [port(IgnoresEps), port(SignOfAdam), port(NanAlways)],
    "ignored-switch": [flagged(switches={"nesterov=True": flagged(nesterov=True, heeds=False)})],
    "code-paths": [port(Adam64, variants={"fast": port(c)}) for c in (ForgetsDecay, NoScalars, KeepsRate, Uphill)],
    "params-dtype": [port(Promotes, dtypes=LOW), port(Narrows, dtypes=LOW)],
    "dtypes": [port(TwiceInLow, dtypes=LOW), port(LeafScalars, dtypes=LOW)],
    "extreme-betas": [port(LeafScalars, dtypes=LOW), port(HalfRate)],
    "long-run": [port(LeafScalars, dtypes=LOW)],
}
"""Check -> candidates that it calls wrong."""
NOTED = {
    "sign-flip": [port(Seeded)],
    "permutation": [port(Seeded), port(CoarseSum)],
    "descends": [port(Frozen)],
    "translation": [port(ByNorm)],
    "scale": [port(Descent), port(Adam64)],
    "lr-scale": [port(RootRate)],
    "ignored-option": [port(Averages)],
    "ignored-switch": [flagged(switches={"average=True": flagged(average=True)})],
    "code-paths": [
        port(Adam64, variants={"fast": port(SingleScalars)}),
        port(Adam64, variants={"fast": port(Adam64), "other": port(Refuses)}),
        port(Clipped, variants={"two groups": port(Clipped, parts=True)}, parts=False),
    ],
    "dtypes": [port(SingleRate, dtypes=LOW)],
    "extreme-betas": [port(SingleRate, dtypes=LOW)],
    "long-run": [port(LeafCount, dtypes=LOW)],
    "coarse-step": [port(Coarse)],
}
"""Check -> candidates about which it only notes something."""
