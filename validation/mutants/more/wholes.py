"""More mutants of the rules of signs, matrices and layers, and of clipped gradients."""

import numpy as np

from arrayopt.conformance.mutants.adam import means, quotient
from arrayopt.conformance.mutants.clipping import CLIPPED
from arrayopt.conformance.mutants.layerwise import LAMBS, adafactor, factored, rms, trust
from arrayopt.conformance.mutants.matrices import MUON, along, flattened, gram, nesterov, orthogonal, power, tall
from arrayopt.conformance.mutants.mutant import Session, by_leaf, session
from arrayopt.conformance.mutants.signs import LION, SIGNUM, TIGER, mean, mixed
from arrayopt.firstorder import LAMB, Adafactor, Adam, Clip, Lion, Momentum, Muon, Shampoo, Signum, Tiger

QUINTIC = ((4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037),
           (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012))  # fmt: skip


@by_leaf("slip", Signum(), **SIGNUM, weight_decay=0.01)
def signum_decays_twice(h, s, g, p):
    """Decay in the gradient, and beside the step."""
    return p * (1 - h.lr * h.weight_decay) - h.lr * np.sign(mean(h, s, g + h.weight_decay * p))


@by_leaf("correct", Signum(), "float32", **SIGNUM, weight_decay=0.01)
def signum_float32(h, s, g, p):
    """Compute in float32, in place."""
    s.m *= h.momentum
    s.m += (1 - h.momentum) * g
    p *= 1 - h.lr * h.weight_decay
    p -= h.lr * np.sign(s.m)
    return p


@by_leaf("slip", Signum(), **SIGNUM)
def signum_old_mean(h, s, g, p):
    """Take the sign of the mean of the step before."""
    moved = p - h.lr * np.sign(s.m)
    mean(h, s, g)
    return moved


@by_leaf("slip", Lion(), **LION, weight_decay=0.01)
def lion_grows(h, s, g, p):
    """Decay with the sign of growth."""
    p = p * (1 + h.lr * h.weight_decay) - h.lr * np.sign(mixed(h.beta1, s, g))
    s.m = mixed(h.beta2, s, g)
    return p


@by_leaf("dialect", Lion(), **LION, weight_decay=0.1)
def lion_l2(h, s, g, p):
    """Add the decay to the gradient."""
    g = h.weight_decay * p + g
    update = np.sign(mixed(h.beta1, s, g))
    s.m = mixed(h.beta2, s, g)
    return p - h.lr * update


@session("slip", Lion(), **LION)
class lion_shared_by_shape(Session):
    """Keep the mean by shape, so that two leaves of one shape have one."""

    def __init__(self, params, **hyper):
        super().__init__(params, **hyper)
        one = {p.shape: s for p, s in zip(params.values(), self.kept.values(), strict=True)}
        self.kept = {k: one[p.shape] for k, p in params.items()}

    def _moved(self, h, s, g, p):
        update = np.sign(mixed(h.beta1, s, g))
        s.m = mixed(h.beta2, s, g)
        return p - h.lr * update


@session("correct", Tiger(half_rate=(), rows=(), ones=()), **TIGER)
class tiger_shrinks_at_nan(Session):
    """Shrink the leaf where a gradient is NaN, as published."""

    def step(self, grads):
        for k, g in grads.items():
            h, s, p = self.h, self.kept[k], self.params[k]
            if np.isnan(g).any():
                self.params[k] = 0.99 * p
                continue
            s.m = s.m - (1 - h.beta) * (s.m - g)
            rate = h.lr * np.linalg.norm(p) / np.sqrt(p.size)
            self.params[k] = (1 - rate * h.weight_decay) * p - rate * np.sign(s.m)
        return self.params


@by_leaf("dialect", Muon(), **MUON, weight_decay=0.01)
def muon_by_svd(h, s, g, p):
    """Orthogonalise exactly, without Nesterov's look ahead, with Dion's scale."""

    def exact(x):
        if not np.isfinite(x).all():
            return x * np.nan  # LAPACK does not come back from an infinity
        left, values, right = np.linalg.svd(x, full_matrices=False)
        return (left * (values > 1e-14 * values.max())) @ right

    s.v = h.momentum * s.v + g
    move = flattened(exact, lambda n, m: float((n / m) ** 0.5), s.v)
    return p - h.lr * h.weight_decay * p - h.lr * move


@by_leaf("slip", Muon(nesterov="none"), **MUON)
def muon_stale_velocity(h, s, g, p):
    """Move by the velocity of the step before."""
    before = s.v
    s.v = before + (1 - h.momentum) * (g - before)
    return p - h.lr * flattened(orthogonal, tall, before)


@by_leaf("impure", Muon(), **MUON)
def muon_lerps_into_gradient(h, s, g, p):
    """Look ahead in the caller's gradient, as Keller Jordan's lerp_ does."""
    s.v += (1 - h.momentum) * (g - s.v)
    g += h.momentum * (s.v - g)
    return p - h.lr * flattened(orthogonal, tall, g)


@by_leaf("ignored", Muon(), **MUON, weight_decay=0.1)
def muon_decay_lost(h, s, g, p):
    """Overwrite the decayed parameter before anybody reads it."""
    moved = p * (1 - h.lr * h.weight_decay)
    moved = p - h.lr * flattened(orthogonal, tall, nesterov(h, s, g))
    return moved


@by_leaf("other", Muon(), **MUON)
def muon_row_normalised(h, s, g, p):
    """Bring rows to the length of one, in place of orthogonality."""
    return p - h.lr * flattened(
        lambda x: x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-7), tall, nesterov(h, s, g)
    )


@by_leaf("dialect", Muon(), **MUON, eps=1e-8)
def muon_optax(h, s, g, p):
    """Look ahead by corrected means, with optax's scale."""
    b = h.momentum
    s.v = (1 - b) * g + b * s.v
    ahead = b * s.v / (1 - b ** (s.t + 1)) + (1 - b) * g / (1 - b**s.t)
    return p - h.lr * flattened(lambda x: orthogonal(x, eps=h.eps), lambda n, m: max(1, m / n) ** 0.5, ahead)


@by_leaf("dialect", Muon(), **MUON, weight_decay=0.01)
def muon_quintic_l2(h, s, g, p):
    """Add the decay to the gradient, and iterate with coefficients that change, from the norm or eps."""

    def quintic(x):
        x = x / max(np.linalg.norm(x), 1e-7)
        for a, b, c in QUINTIC:
            square = x @ x.T
            x = a * x + (b * square + c * square @ square) @ x
        return x

    return p - h.lr * flattened(quintic, tall, nesterov(h, s, g + h.weight_decay * p))


@by_leaf("slip", Shampoo(), lr=0.01, eps=1e-2)
def shampoo_stale_roots(h, s, g, p):
    """Divide by the matrices of the step before."""
    before = [h.eps * np.eye(n) for n in g.shape] if s.t == 1 else s.grams
    s.grams = [a + gram(g, i) for i, a in enumerate(before)]
    u = g
    for i, a in enumerate(before):
        u = along(power(a, -0.5 / g.ndim), i, u)
    return p - h.lr * u


@by_leaf("dialect", LAMB(), **LAMBS, weight_decay=0.01)
def lamb_uncorrected(h, s, g, p):
    """Correct nothing, and take no ratio without a decay."""
    m, v = means(h, s, g)
    u = m / (v**0.5 + h.eps) + h.weight_decay * p
    return p - h.lr * (trust(p, u) if h.weight_decay else 1.0) * u


@by_leaf("dialect", Adafactor(), lr=0.01, beta1=0.9, weight_decay=0.01)
def adafactor_with_mean(h, s, g, p):
    """Average the steps, and decay beside them, as pytorch_optimizer."""
    rate = min(h.lr, s.t**-0.5) * max(1e-3, rms(p))
    u = g / np.sqrt(factored(s, g**2 + 1e-30, max(s.t**-0.8, 1e-3)))
    s.m = h.beta1 * s.m + (1 - h.beta1) * rate * u / max(1.0, rms(u))
    return p - s.m - h.weight_decay * rate * p


@by_leaf("constant", Adafactor(), lr=0.01)
def adafactor_hidden_power(h, s, g, p):
    """Take a decay rate with the power 0.5, and a threshold of 0.5, whatever is given."""
    return adafactor(h, s, g, p, power=0.5, d=0.5)


@by_leaf("slip", Adafactor(), lr=0.01)
def adafactor_counts_from_two(h, s, g, p):
    """Count steps from 2 in the decay rate."""
    u = g / np.sqrt(factored(s, g**2 + 1e-30, (s.t + 1) ** -0.8))
    return p - min(h.lr, s.t**-0.5) * max(1e-3, rms(p)) * u / max(1.0, rms(u))


@by_leaf("dialect", Clip(rule=Momentum(), max_norm=1.0), lr=0.01, momentum=0.9, max_norm=0.5)
def clip_by_value(h, s, g, p):
    """Clip every element."""
    s.v = h.momentum * s.v + np.clip(g, -h.max_norm, h.max_norm)
    return p - h.lr * s.v


@session("slip", Clip(rule=Adam(), max_norm=1.0), **CLIPPED)
class clip_sum_of_norms(Session):
    """Add the norms of the leaves, not their squares."""

    def _seen(self, grads):
        n = sum(np.linalg.norm(g) for g in grads.values())
        return {k: g * min(1.0, self.h.max_norm / (n + 1e-6)) for k, g in grads.items()}

    def _moved(self, h, s, g, p):
        return p - h.lr * quotient(h, s, g)


@by_leaf("correct", Adafactor(), lr=0.01)
def adafactor_mean_of_columns(h, s, g, p):
    """Divide by the mean of the columns, which is that of the rows."""
    v = factored(s, g**2 + 1e-30, s.t**-0.8)
    if g.ndim > 1:
        v = s.columns / s.columns.mean(-1, keepdims=True) * s.rows
    u = g / np.sqrt(v)
    return p - min(h.lr, s.t**-0.5) * max(1e-3, rms(p)) * u / max(1.0, rms(u))
