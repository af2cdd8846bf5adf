"""Optimizers in NumPy as people write them, of which none is wrong, though some are easily taken for it."""

import copy

import numpy as np

from arrayopt import SGD, Adam, Clip, RMSProp
from arrayopt.conformance import Candidate


class Adam64:
    """Adam with decoupled decay."""

    def __init__(self, params, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
        self.params, self.t = params, 0
        self.lr, self.beta1, self.beta2, self.eps, self.weight_decay = lr, beta1, beta2, eps, weight_decay
        self.m, self.v = ({k: np.zeros_like(p) for k, p in params.items()} for _ in range(2))

    def step(self, grads):
        self.t += 1
        for k, g in grads.items():
            self.move(k, g)
        return self.params

    def move(self, k, g):
        self.m[k] = self.beta1 * self.m[k] + (1 - self.beta1) * g
        self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * g * g
        self.descend(k, self.direction(k) + self.weight_decay * self.params[k])

    def direction(self, k):
        m, v = self.m[k] / (1 - self.beta1**self.t), self.v[k] / (1 - self.beta2**self.t)
        return m / (np.sqrt(v) + self.eps)

    def descend(self, k, update):
        self.params[k] = self.params[k] - self.lr * update

    def set(self, lr):
        self.lr = lr

    def save(self):
        return copy.deepcopy((self.params, self.m, self.v, self.t))

    def load(self, state):
        self.params, self.m, self.v, self.t = copy.deepcopy(state)


class Descent:
    """Gradient descent, to be changed in one place."""

    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr

    def step(self, grads):
        for k, g in grads.items():
            self.params[k] = self.params[k] - self.lr * self.direction(k, g)
        return self.params

    def direction(self, k, g):
        return g


class GlobalClip(Descent):
    """The norm over all leaves couples them."""

    def step(self, grads):
        norm = np.sqrt(sum(np.sum(g * g) for g in grads.values()))
        scale = 1 / max(1.0, float(norm))
        return super().step({k: g * g.dtype.type(scale) for k, g in grads.items()})


class GlobalMean(Descent):
    """So does a mean over all elements, on which zeros count."""

    def step(self, grads):
        mean = sum(np.sum(g * g) for g in grads.values()) / sum(g.size for g in grads.values())
        return super().step({k: g / (1 + mean) for k, g in grads.items()})


class Slow(Descent):
    """Lookahead: weights that are averaged every second step."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.t, self.slow = 0, dict(params)

    def step(self, grads):
        self.t += 1
        super().step(grads)
        if self.t % 2 == 0:
            self.slow = {k: (x + self.params[k]) / 2 for k, x in self.slow.items()}
            self.params = dict(self.slow)
        return self.params


class Warm(Descent):
    """A rate that warms up over ten steps."""

    t = 0

    def step(self, grads):
        self.t += 1
        return super().step({k: g * min(1.0, self.t / 10) for k, g in grads.items()})


class Seeded(Descent):
    """Noise with a seed: it repeats, and depends on how many leaves there are."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.rng = np.random.default_rng(0)

    def direction(self, k, g):
        return g + self.rng.normal(size=g.shape)


class InsideVelocity(Descent):
    """The rate is in the velocity: with lr=0 it goes on."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.v = {k: np.zeros_like(p) for k, p in params.items()}

    def step(self, grads):
        for k, g in grads.items():
            self.v[k] = 0.9 * self.v[k] - self.lr * g
            self.params[k] = self.params[k] + self.v[k]
        return self.params

    def set(self, lr):
        self.lr = lr


class Initial(Descent):
    """The rate is that of the first step, as in Rprop."""

    first = None

    def step(self, grads):
        self.first = self.lr if self.first is None else 1.1 * self.first
        return super().step(grads)

    def direction(self, k, g):
        return np.sign(g) * (self.first / self.lr)

    def set(self, lr):
        self.lr = lr


class Skips(Adam64):
    """A leaf without a gradient is passed over; it takes None for it too."""

    def step(self, grads):
        return super().step({k: g for k, g in grads.items() if g is not None})


class Matrices(Descent):
    """It refuses what is no matrix."""

    def direction(self, k, g):
        if g.ndim != 2:
            raise ValueError(f"leaf {k} is no matrix")
        return g / (np.linalg.norm(g) + 1e-8)


class Projected(Descent):
    """Rows are kept at norm one, so that parameters move though gradients are zero."""

    def step(self, grads):
        super().step(grads)
        self.params = {k: p / (np.linalg.norm(p) + 1e-8) for k, p in self.params.items()}
        return self.params


class Follows:
    """A rule of arrayopt."""

    rule = SGD()

    def __init__(self, params, **hyper):
        self.rule = self.rule.replace(**hyper)
        self.params, self.state = params, self.rule.init(params)

    def step(self, grads):
        self.params, self.state = self.rule.update(grads, self.state, self.params)
        return self.params

    def set(self, **hyper):
        self.rule = self.rule.replace(**hyper)

    def save(self):
        return self.params, self.state

    def load(self, state):
        self.params, self.state = state


def following(rule, *hyper):
    cls = type(f"Follows{type(rule).__name__}", (Follows,), {"rule": rule})
    return Candidate(type(rule).__name__, cls, hyper)


class Listed(Skips):
    """Parameters and gradients in lists; a missing gradient is None."""

    def __init__(self, params, lr=0.1):
        super().__init__(dict(enumerate(params)), lr)

    def step(self, grads):
        return list(super().step(dict(enumerate(grads))).values())


class Single(Adam64):
    """One array."""

    def __init__(self, x, lr=0.1):
        super().__init__({"x": x}, lr)

    def step(self, g):
        return super().step({"x": g})["x"]


RIGHT = {
    "adam": Candidate.from_step(Adam64, tree="dict"),
    "global clip": Candidate.from_step(GlobalClip, tree="dict"),
    "global clip in float32": Candidate.from_step(GlobalClip, (), tree="dict", dtype="float32"),
    "global mean": Candidate.from_step(GlobalMean, tree="dict"),
    "lookahead": Candidate.from_step(Slow, tree="dict"),
    "warm-up": Candidate.from_step(Warm, tree="dict"),
    "seeded noise": Candidate.from_step(Seeded, tree="dict"),
    "lr inside the velocity": Candidate.from_step(InsideVelocity, tree="dict"),
    "lr of the first step": Candidate.from_step(Initial, tree="dict"),
    "missing gradients": Candidate("Skips", Skips, ("lr", "eps"), missing=True, dtypes=("float32", "float16")),
    "matrices alone": Candidate("Matrices", Matrices),
    "list": Candidate("list", Listed, tree="list", missing=True),
    "one array": Candidate("array", Single, tree="array"),
    "projection": Candidate.from_step(Projected, tree="dict"),
    "RMSProp": following(RMSProp(centered=True, momentum=0.9), "lr", "rho", "eps"),
    "Adam": following(Adam(amsgrad="max_raw"), "lr", "beta1", "beta2", "eps"),
    "Clip": following(Clip(rule=Adam(), max_norm=1.0)),
}
"""Name -> a candidate in which no check may find anything wrong."""
