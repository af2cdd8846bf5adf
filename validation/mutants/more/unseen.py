"""Mutants that nobody looked at while the diagnosis was written: how it does on what it was not made for."""

import numpy as np

from arrayopt.conformance.mutants.adam import ADAM, ADAMW, corrected, means, quotient
from arrayopt.conformance.mutants.adam_variants import momenta, rectifier
from arrayopt.conformance.mutants.adaptive import DELTA, MEAN, SUM, mean_square
from arrayopt.conformance.mutants.clipping import CLIPPED_SGD, length
from arrayopt.conformance.mutants.layerwise import AMOS, LAMBS, SCALED, amos, factored, rms, trust
from arrayopt.conformance.mutants.matrices import MUON, along, flattened, gram, nesterov, orthogonal, power, tall
from arrayopt.conformance.mutants.momentum import HEAVY
from arrayopt.conformance.mutants.mutant import Kept, Session, by_leaf, session
from arrayopt.conformance.mutants.signs import LION, SIGNUM, mixed
from arrayopt.firstorder import (
    LAMB,
    SGD,
    AdaBelief,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    AdaMax,
    AdamW,
    Clip,
    Lion,
    Momentum,
    Muon,
    NAdam,
    Nesterov,
    RAdam,
    RMSProp,
    Shampoo,
    Signum,
)


@by_leaf("dialect", SGD(), lr=0.01, weight_decay=1e-2)
def sgd_decays_after(h, s, g, p):
    """Decay after the step, beside it."""
    return (p - h.lr * g) * (1 - h.lr * h.weight_decay)


@by_leaf("dialect", Momentum(), **HEAVY, dampening=0.2)
def momentum_torch_dampening(h, s, g, p):
    """Do not dampen the first gradient."""
    s.v = g.copy() if s.t == 1 else h.momentum * s.v + (1 - h.dampening) * g
    return p - h.lr * s.v


@by_leaf("slip", Momentum(), **HEAVY)
def momentum_of_both(h, s, g, p):
    """Multiply the gradient by the momentum too."""
    s.v = h.momentum * (s.v + g)
    return p - h.lr * s.v


@by_leaf("slip", Nesterov(), **HEAVY)
def nesterov_steps_twice(h, s, g, p):
    """Add the gradient to the look ahead twice."""
    s.v = h.momentum * s.v + g
    return p - h.lr * (2 * g + h.momentum * s.v)


@by_leaf("other", Adagrad(), **SUM)
def adagrad_mean(h, s, g, p):
    """Divide by the root of the mean of all squares, not of their sum."""
    s.sum = s.sum + g * g
    return p - h.lr * g / (np.sqrt(s.sum / s.t) + h.eps)


@by_leaf("slip", RMSProp(), **MEAN)
def rmsprop_stale_mean(h, s, g, p):
    """Divide by the mean of the step before."""
    before = s.v
    mean_square(h, s, g)
    return p - h.lr * g / (np.sqrt(before) + h.eps)


@by_leaf("slip", Adadelta(), **DELTA)
def adadelta_eps_once(h, s, g, p):
    """Add eps to the mean of updates alone."""
    d = np.sqrt(s.u + h.eps) / np.sqrt(mean_square(h, s, g) + 1e-300) * g
    s.u = h.rho * s.u + (1 - h.rho) * d**2
    return p - h.lr * d


@by_leaf("slip", Adam(), **ADAM)
def adam_corrections_exchanged(h, s, g, p):
    """Correct the first mean by beta2 and the second by beta1."""
    m, v = means(h, s, g)
    return p - h.lr * m / (1 - h.beta2**s.t) / (np.sqrt(v / (1 - h.beta1**s.t)) + h.eps)


@by_leaf("slip", Adam(), **ADAM)
def adam_stale_variance(h, s, g, p):
    """Divide by the second mean of the step before."""
    before = s.v
    m, _ = means(h, s, g)
    return p - h.lr * m / (1 - h.beta1**s.t) / (np.sqrt(before / (1 - h.beta2**s.t)) + h.eps)


@by_leaf("slip", Adam(), **ADAM, weight_decay=0.01)
def adam_decay_in_mean(h, s, g, p):
    """Add the decay to the first mean as it is used, before its correction."""
    m, v = means(h, s, g)
    m = (m + h.weight_decay * p) / (1 - h.beta1**s.t)
    return p - h.lr * m / (np.sqrt(v / (1 - h.beta2**s.t)) + h.eps)


@session("slip", Adam(), **ADAM)
class adam_shared_by_shape(Session):
    """Keep both means by shape, but a count for each leaf."""

    def __init__(self, params, **hyper):
        super().__init__(params, **hyper)
        self.by_shape = {p.shape: Kept(p) for p in params.values()}

    def _moved(self, h, s, g, p):
        shared = self.by_shape[g.shape]
        shared.t = s.t
        return p - h.lr * quotient(h, shared, g)


@by_leaf("other", Adam(), **ADAM)
def adam_absolute(h, s, g, p):
    """Divide by the mean of absolute values."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = h.beta2 * s.v + (1 - h.beta2) * np.abs(g)
    return p - h.lr * s.m / (1 - h.beta1**s.t) / (s.v / (1 - h.beta2**s.t) + h.eps)


@by_leaf("other", Adam(), **ADAM)
def adam_lazy(h, s, g, p):
    """Leave alone what has a gradient of zero, as an optimizer for sparse gradients does."""
    m, v = h.beta1 * s.m + (1 - h.beta1) * g, h.beta2 * s.v + (1 - h.beta2) * g * g
    s.m, s.v = np.where(g == 0, s.m, m), np.where(g == 0, s.v, v)
    u = s.m / (1 - h.beta1**s.t) / (np.sqrt(s.v / (1 - h.beta2**s.t)) + h.eps)
    return p - np.where(g == 0, 0.0, h.lr * u)


@session("other", Adam(), **ADAM)
class adam_forgets_at_set(Session):
    """Make the means anew when the rate is set."""

    def set(self, **hyper):
        super().set(**hyper)
        self.kept = {k: Kept(p) for k, p in self.params.items()}

    def _moved(self, h, s, g, p):
        return p - h.lr * quotient(h, s, g)


@by_leaf("dialect", AdamW(), **ADAMW)
def adamw_decays_moved(h, s, g, p):
    """Decay after the step, by the rate."""
    return (p - h.lr * quotient(h, s, g)) * (1 - h.lr * h.weight_decay)


@by_leaf("slip", AdamW(), **ADAMW)
def adamw_decay_over_root(h, s, g, p):
    """Multiply the decay by the rate that Adam corrects, and not by the given one."""
    m, v = means(h, s, g)
    rate = h.lr * (1 - h.beta2**s.t) ** 0.5 / (1 - h.beta1**s.t)
    return p - rate * (m / (np.sqrt(v) + h.eps) + h.weight_decay * p)


@by_leaf("slip", NAdam(), **ADAM)
def nadam_does_not_look_ahead(h, s, g, p):
    """Take this step's momentum for the next one's."""
    now, (m, v) = momenta(h, s.t)[0], means(h, s, g)
    product = float(np.prod([momenta(h, t)[0] for t in range(1, s.t + 1)]))
    up = now * m / (1 - product * now) + (1 - now) * g / (1 - product)
    return p - h.lr * up / (np.sqrt(v / (1 - h.beta2**s.t)) + h.eps)


@by_leaf("slip", RAdam(), **ADAM)
def radam_never_rectifies(h, s, g, p):
    """Wait for the fourth step, and leave the rectifier out."""
    (m, v), (rho, _) = corrected(h, s, g), rectifier(h, s.t)
    return p - h.lr * (m / (np.sqrt(v) + h.eps) if rho > 4 else m)


@by_leaf("constant", AdaMax(eps_place="outside"), lr=2e-3, beta1=0.9)
def adamax_hidden_beta2(h, s, g, p):
    """Take beta2 = 0.99 and eps = 1e-6, whatever is given."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.u = np.maximum(0.99 * s.u, np.abs(g))
    return p - h.lr * s.m / (1 - h.beta1**s.t) / (s.u + 1e-6)


@by_leaf("slip", AdaBelief(), **ADAM)
def adabelief_of_adam(h, s, g, p):
    """Take the square of the gradient for that of the surprise."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = h.beta2 * s.v + (1 - h.beta2) * g**2 + h.eps
    return p - h.lr * s.m / (1 - h.beta1**s.t) / (np.sqrt(s.v / (1 - h.beta2**s.t)) + h.eps)


@by_leaf("other", Signum(), **SIGNUM)
def signum_mean_of_signs(h, s, g, p):
    """Take the mean of signs, not the sign of the mean."""
    s.m = h.momentum * s.m + (1 - h.momentum) * np.sign(g)
    return p - h.lr * s.m


@by_leaf("ignored", Lion(), **LION)
def lion_one_beta(h, s, g, p):
    """Take beta1 for both rates."""
    s.m = mixed(h.beta1, s, g)
    return p - h.lr * np.sign(s.m)


@by_leaf("precision", Muon(), **MUON)
def muon_float32_iterations(h, s, g, p):
    """Iterate in float32, though given float64."""
    return p - h.lr * flattened(lambda x: orthogonal(x.astype(np.float32)).astype(float), tall, nesterov(h, s, g))


@by_leaf("dialect", Muon(), **MUON, weight_decay=0.01)
def muon_moonlight_independent(h, s, g, p):
    """Take Moonlight's scale, and decay by a share of its own."""
    move = flattened(orthogonal, lambda n, m: float(0.2 * max(n, m) ** 0.5), nesterov(h, s, g))
    return p * (1 - h.weight_decay) - h.lr * move


@by_leaf("slip", Shampoo(), lr=0.1, eps=1e-2)
def shampoo_quarter_for_all(h, s, g, p):
    """Take the exponent -1/4 for leaves of any number of axes."""
    before = [h.eps * np.eye(n) for n in g.shape] if s.t == 1 else s.grams
    s.grams = [a + gram(g, i) for i, a in enumerate(before)]
    u = g
    for i, a in enumerate(s.grams):
        u = along(power(a, -0.25), i, u)
    return p - h.lr * u


@by_leaf("slip", LAMB(), **LAMBS)
def lamb_ratio_turned_over(h, s, g, p):
    """Divide by the ratio of norms."""
    u = quotient(h, s, g)
    return p - h.lr / trust(p, u) * u


@by_leaf("ignored", SCALED, **AMOS)
def amos_without_eta(h, s, g, p):
    """Take a scale, and use one for all."""
    h = type(h)(**{**vars(h), "eta": 1.0})
    return amos(h, s, g, p)


@by_leaf("dialect", Adafactor(), lr=0.01)
def adafactor_rate_as_given(h, s, g, p):
    """Take the rate as it is given."""
    u = g / np.sqrt(factored(s, g**2 + 1e-30, s.t**-0.8))
    return p - h.lr * max(1e-3, rms(p)) * u / max(1.0, rms(u))


@session("slip", Clip(rule=SGD(), max_norm=1.0), **CLIPPED_SGD)
class clip_root_mean_square(Session):
    """Take the root of the mean square of all elements for the norm."""

    def _seen(self, grads):
        n = length(grads) / sum(g.size for g in grads.values()) ** 0.5
        return {k: g * min(1.0, self.h.max_norm / (n + 1e-6)) for k, g in grads.items()}

    def _moved(self, h, s, g, p):
        return p - h.lr * g
