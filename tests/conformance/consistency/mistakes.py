"""Optimizers with one mistake each, by the check that is there for it.

One file, since it is a catalogue: every mistake is a few lines.
"""

import numpy as np

from arrayopt.conformance import Candidate
from tests.conformance.consistency.ports import Adam64, Descent, InsideVelocity, Skips


class Random(Descent):
    """Noise without a seed."""

    def direction(self, k, g):
        return g + np.random.default_rng().normal(size=g.shape)


class CountsAllRuns(Adam64):
    """The step counter lives in the class and is never set back."""

    def step(self, grads):
        CountsAllRuns.t = CountsAllRuns.__dict__.get("t", 0) + 1
        for k, g in grads.items():
            self.move(k, g)
        return self.params

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        del self.t


class ClassBuffer(Descent):
    """The buffers live in the class, where another instance overwrites them."""

    v = {}  # noqa: RUF012

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.v.update({k: np.zeros_like(p) for k, p in params.items()})

    def direction(self, k, g):
        self.v[k] = 0.9 * self.v[k] + g
        return self.v[k]


class DefaultArgument(Descent):
    """The buffers live in a default argument."""

    def __init__(self, params, lr=0.1, v={}):  # noqa: B006
        super().__init__(params, lr)
        v.clear()
        self.v = v

    def direction(self, k, g):
        self.v[k] = 0.9 * self.v.get(k, 0.0) + g
        return self.v[k]


class ClassRate(Descent):
    """The rate lives in the class."""

    def __init__(self, params, lr=0.1):
        self.params = params
        type(self).lr = lr


class CountsLeaves(Adam64):
    """The step counter goes up once a leaf, so that each sees another."""

    def step(self, grads):
        for k, g in grads.items():
            self.t += 1
            self.move(k, g)
        return self.params


class ByPlace(Descent):
    """Gradients are paired with parameters by place and not by name."""

    def step(self, grads):
        for k, g in zip(self.params, grads.values(), strict=True):
            self.params[k] = self.params[k] - self.lr * g.reshape(-1)[: self.params[k].size].mean()
        return self.params


class LastLeaf(Descent):
    """A variable of a loop is read after it: all leaves are scaled by the norm of the last."""

    def step(self, grads):
        for g in grads.values():
            norm = np.linalg.norm(g)
        return super().step({k: g / (1 + norm) for k, g in grads.items()})


class FirstAsTemplate(Descent):
    """It does not run unless the first leaf is the first."""

    def step(self, grads):
        if next(iter(grads)) != "a":
            raise KeyError("a")
        return super().step(grads)


class CountsLeavesAtOnce(Adam64):
    """The step counter goes up by the number of leaves."""

    def step(self, grads):
        self.t += len(grads) - 1
        return super().step(grads)


class ByShape(Descent):
    """The buffers are kept by shape, which two leaves may share."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.v = {p.shape: np.zeros_like(p) for p in params.values()}

    def direction(self, k, g):
        self.v[g.shape] = 0.9 * self.v[g.shape] + g
        return self.v[g.shape]


class OnlyTogether(Descent):
    """It needs more than one leaf."""

    def step(self, grads):
        if len(grads) == 1:
            raise IndexError("list index out of range")
        return super().step(grads)


class OneScalar(Descent):
    """One second moment is kept for all leaves, and goes on from leaf to leaf."""

    v = 1.0

    def direction(self, k, g):
        self.v = 0.9 * self.v + 0.1 * float(np.mean(g * g))
        return g / np.sqrt(self.v)


class DecaysGradients(Descent):
    """Weight decay is added to the caller's gradient."""

    def direction(self, k, g):
        g += 0.1 * self.params[k]
        return g


class KeepsGradients(Descent):
    """The first velocity is the gradient itself, which the caller fills anew."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.v = {}

    def direction(self, k, g):
        self.v[k] = 0.9 * self.v[k] + g if k in self.v else g
        return self.v[k]


class KeepsInPlace(KeepsGradients):
    """As before, and then in place: two leaves with one gradient share the velocity."""

    def direction(self, k, g):
        if k in self.v:
            self.v[k] *= 0.9
            self.v[k] += g
        else:
            self.v[k] = g
        return self.v[k]


class NeedsAll(Adam64):
    """It looks up a gradient for every leaf."""

    def step(self, grads):
        return super().step({k: grads[k] for k in self.params})


class Stale(Skips):
    """Where there is no gradient the last one is used again."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.last = {}

    def step(self, grads):
        self.last |= {k: g for k, g in grads.items() if g is not None}
        return super().step(self.last)


class NoMean(Skips):
    """A leaf without gradient divides by zero in its correction."""

    def step(self, grads):
        for k in self.params.keys() - grads.keys():
            self.v[k] = self.v[k] * np.nan
        return super().step(grads)


class CountsMissing(Skips):
    """A missing gradient is counted, for all."""

    def step(self, grads):
        self.t += len(self.params) - len(grads)
        return super().step(grads)


class IteratesRows(Descent):
    """It goes through rows, of which a 0-d leaf has none."""

    def direction(self, k, g):
        return np.stack([row / (1 + np.linalg.norm(row)) for row in g]) if len(g) else g


class AtLeastOneAxis(Descent):
    """A 0-d leaf comes back with an axis."""

    def direction(self, k, g):
        return np.atleast_1d(g)


class Scalars(Descent):
    """A 0-d leaf is standardised by itself: 0/0."""

    def direction(self, k, g):
        return (g - g.mean()) / g.std() if g.ndim == 0 else g


class BySize(Descent):
    """A leaf without elements divides by zero."""

    def direction(self, k, g):
        return g * (1 / g.size)


class MeanOfMeans(Descent):
    """A mean over no elements is NaN, and spreads."""

    def step(self, grads):
        with np.errstate(all="ignore"):
            scale = 1 / (1 + sum(np.sum(g * g) / np.float64(g.size) for g in grads.values()))
        return super().step({k: g * scale for k, g in grads.items()})


class Flat(Descent):
    """Memory is read flat, in whatever order it lies."""

    def direction(self, k, g):
        return g.ravel(order="K").reshape(g.shape)


class NeedsContiguous(Descent):
    """It does not run with an array in Fortran order."""

    def direction(self, k, g):
        if not g.flags.c_contiguous:
            raise RuntimeError("view size is not compatible with stride")
        return g


class FirstDtype(Skips):
    """All leaves are cast to the precision of the first."""

    def step(self, grads):
        dtype = next(iter(self.params.values())).dtype
        self.params = {k: p.astype(dtype).astype(p.dtype) for k, p in super().step(grads).items()}
        return self.params


class FirstCorrection(Skips):
    """1 - beta2^t is computed in the precision of the first leaf; in bfloat16 it is 1 - 1."""

    def __init__(self, params, lr=0.1, beta2=0.999):
        super().__init__(params, lr, beta2=beta2)
        self.of = next(iter(params.values())).dtype.type

    def direction(self, k):
        with np.errstate(all="ignore"):
            v = self.v[k] / float(1 - self.of(self.beta2) ** self.t)
        return self.m[k] / (1 - self.beta1**self.t) / (np.sqrt(v) + self.eps)


class Concatenates(Descent):
    """It does not run with leaves of two precisions."""

    def step(self, grads):
        if len({g.dtype for g in grads.values()}) > 1:
            raise TypeError("expected all tensors to have the same dtype")
        return super().step(grads)


class TwoAxes(Descent):
    """It takes every leaf of more than one axis for a matrix."""

    def direction(self, k, g):
        if g.ndim > 1:
            rows, columns = g.shape
            return g / np.sqrt(rows * columns)
        return g


class OneRow(Descent):
    """It divides by the spread over rows, which one row does not have."""

    def direction(self, k, g):
        if g.ndim < 2:
            return g
        with np.errstate(all="ignore"):
            return g / g.std(axis=0)


class NoEps(Adam64):
    """Nothing keeps a second moment of zero from being divided by."""

    def direction(self, k):
        with np.errstate(all="ignore"):
            return self.m[k] / np.sqrt(self.v[k])


class SignOfZero(Descent):
    """The sign of zero is one."""

    def direction(self, k, g):
        return np.where(g >= 0, 1.0, -1.0)


class Factored(Descent):
    """A row and a column of zeros meet in 0/0 although there is an eps, whose square float32 does not hold."""

    def direction(self, k, g):
        if g.ndim < 2:
            return g
        s = g * g + g.dtype.type(1e-30)
        r, c = s.mean(axis=-1, keepdims=True), s.mean(axis=-2, keepdims=True)
        with np.errstate(all="ignore"):
            return g / np.sqrt(r / r.mean(axis=-2, keepdims=True) * c)


class TrustRatio(Descent):
    """The norm of the parameters is divided by."""

    def direction(self, k, g):
        with np.errstate(all="ignore"):
            return g / np.linalg.norm(self.params[k])


class Normalised(Descent):
    """Gradients are divided by their norm, which is zero where squares underflow."""

    def direction(self, k, g):
        norm = np.sqrt(np.sum(g * g))
        with np.errstate(all="ignore"):
            return g / norm if g.any() else g


class GuardsParameters(Adam64):
    """A step that would not be finite is not taken, but its moments are kept: it never takes one again."""

    def step(self, grads):
        before = dict(self.params)
        with np.errstate(all="ignore"):
            super().step(grads)
        if not all(np.isfinite(p).all() for p in self.params.values()):
            self.params = before
        return self.params


class GuardsOneStep(Adam64):
    """The step of a gradient that is not finite is not taken, but its moments are kept and poison the next."""

    def step(self, grads):
        before = dict(self.params)
        super().step(grads)
        if not all(np.isfinite(g).all() for g in grads.values()):
            self.params = before
        return self.params


class ForgetsCount(Adam64):
    """The step count is not saved."""

    def load(self, state):
        super().load((*state[:3], 0))


class ForgetsBuffer(Adam64):
    """The second moment is not loaded."""

    def load(self, state):
        super().load((*state[:2], self.v, state[3]))


class SavesNothing(Adam64):
    """It cannot load before the first step."""

    def save(self):
        return super().save() if self.t else None


class KeepsOld(Adam64):
    """A session that is on its way goes on counting."""

    def load(self, state):
        super().load((*state[:3], max(self.t, state[3])))


class Halves(Adam64):
    """The state is saved in less precision."""

    def save(self):
        params, m, v, t = super().save()
        return params, {k: x.astype(np.float32) for k, x in m.items()}, v, t


class SavesItself(Adam64):
    """What it saves is its own state, which it updates in place."""

    def descend(self, k, update):
        self.params[k] -= self.lr * update

    def save(self):
        return self.params, self.m, self.v, self.t


class RestartsOnSet(Adam64):
    """To set a rate makes the state anew."""

    def set(self, lr):
        self.__init__(self.params, lr)


class RescalesOnSet(InsideVelocity):
    """To set a rate shrinks the velocity, whatever way it goes."""

    def set(self, lr):
        if lr != self.lr:
            self.v = {k: 0.5 * v for k, v in self.v.items()}
        super().set(lr)


WRONG = {
    "repeatable": (Random, CountsAllRuns),
    "two-instances": (ClassBuffer, DefaultArgument, ClassRate),
    "order-dependent": (CountsLeaves, ByPlace, LastLeaf, FirstAsTemplate),
    "shared-state": (CountsLeavesAtOnce, ByShape, OneScalar, OnlyTogether),
    "gradient-overwritten": (DecaysGradients,),
    "gradient-kept": (KeepsGradients, KeepsInPlace),
    "missing-gradient": (NeedsAll, Stale, NoMean, CountsMissing),
    "zero-d": (IteratesRows, AtLeastOneAxis, Scalars),
    "empty-leaf": (BySize, MeanOfMeans),
    "layout": (Flat, NeedsContiguous),
    "shared-gradient": (DecaysGradients, KeepsInPlace),
    "mixed-dtypes": (FirstDtype, FirstCorrection, Concatenates),
    "mixed-shapes": (TwoAxes, OneRow),
    "zero-gradient": (NoEps, SignOfZero, Factored),
    "zero-params": (TrustRatio,),
    "extreme-gradient": (Normalised,),
    "non-finite": (GuardsParameters, GuardsOneStep),
    "restore": (ForgetsCount, ForgetsBuffer, SavesNothing, KeepsOld, Halves),
    "restore-saved": (SavesItself,),
    "set-lr": (RestartsOnSet, RescalesOnSet),
}
"""Check -> optimizers that must fail it."""


def mutant(cls):
    """Return a wrong optimizer as a candidate, in the precisions in which its mistake shows."""
    dtype = "float32" if cls in (Factored, FirstCorrection) else "float64"
    other = "bfloat16" if cls is FirstCorrection else "float32"
    return Candidate(cls.__name__, cls, dtype=dtype, dtypes=(dtype, other), missing=True)
