"""Probes: small designed experiments, each a few steps on a few dozen numbers.

A probe fixes parameters, gradients and hyper-parameters. Random gradients at default settings hide most
mistakes, so most probes exaggerate: of 32,640 pairs of Adam dialects one exaggerated random probe separates
every pair by 5 %, while at default settings 54 pairs stay closer than 1e-6.
All numbers fit float32, so that every candidate starts from the same ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.errors import LeafError

EXAGGERATED: Mapping[str, float] = {
    "lr": 0.1, "beta1": 0.6, "beta2": 0.8, "beta": 0.6, "rho": 0.8, "momentum": 0.6,
    "eps": 0.05, "weight_decay": 0.2, "dampening": 0.3,
}  # fmt: skip
"""Hyper-parameters at which dialects are far apart."""


@dataclass(frozen=True)
class Probe:
    """One experiment.

    Attributes
    ----------
    name, reveals : str
        A letter, and what a departure here tells.
    params, gradients : dict of array, list of dict of array
        Where it starts, and the gradient of each step.
    hyper : dict of float
        Hyper-parameters to set, where the reference has them and the candidate declares them.
    rates : dict of int to float
        Factors of the learning rate from given steps on; the candidate must offer ``set`` for them.
    """

    name: str
    reveals: str
    params: Arrays
    gradients: list[Arrays]
    hyper: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stepped:
    """A schedule: `base` times the factor of the last step in `factors` that has come."""

    base: float
    factors: tuple[tuple[int, float], ...]

    def __call__(self, t: int) -> float:
        """Return the value at step t."""
        return self.base * next((f for s, f in reversed(self.factors) if s <= t), 1.0)


def probes_for(reference: Rule, seed: int = 0, single: bool = False) -> list[Probe]:
    """Return the probes that suit a rule: of one leaf if `single`, without vectors if the rule refuses them."""
    rng = np.random.default_rng(seed)
    shapes = {"a": (4, 3)} if single else {"a": (4, 3), "b": (3, 5), "c": (6,)}
    vectors = _accepts(reference, (6,))
    shapes = {k: s for k, s in shapes.items() if vectors or len(s) == 2}
    line = (13,) if vectors else (1, 13)

    def normal(scale: float = 1.0) -> Arrays:
        return {k: _single(rng.normal(scale=scale, size=s)) for k, s in shapes.items()}

    def zeros() -> Arrays:
        return {k: np.zeros(s) for k, s in shapes.items()}

    start = normal(2.0)
    exaggerated = [_scaled(normal(), 5.0 if t == 3 else 1.0) for t in range(1, 9)]
    first = normal()
    ladder = {"a": _single(10.0 ** -np.arange(13.0)).reshape(line)}
    return [
        Probe("E", "exaggerated settings: places of eps, corrections, decay, AMSGrad, momentum forms",
              start, exaggerated, EXAGGERATED),
        Probe("S", "the first step from zero: bias correction, first damping, initial accumulators",
              zeros(), [{k: np.ones(s) for k, s in shapes.items()}]),
        Probe("L", "a ladder of gradients from 1 to 1e-12 at the settings as given: the size and place of eps",
              {"a": np.zeros(line)}, [ladder, ladder, _scaled(ladder, 0.1)]),
        Probe("Z", "zero gradients: weight decay alone, the sign of zero",
              start, [zeros()] * 3, EXAGGERATED),
        Probe("R", "a changing rate, once zero: rate inside or outside the velocity, scale of the decay",
              start, exaggerated[:7], EXAGGERATED, {4: 0.1, 6: 0.0, 7: 0.3}),
        Probe("T", "g, -g, 0: forms of momentum",
              zeros(), [first, _scaled(first, -1.0), zeros(), zeros()], EXAGGERATED),
        Probe("B", "a burst, then quiet: maxima and decaying maxima",
              start, [_scaled(first, 10.0), *(_scaled(normal(), 0.01) for _ in range(5))], EXAGGERATED),
    ]  # fmt: skip


def set_up(rule: Rule, probe: Probe, declared: tuple[str, ...], start: int = 0) -> tuple[Rule, dict[str, float]]:
    """Return the rule as the probe sets it, and the hyper-parameters at the start, by field name.

    The rates are those of a rule whose step count begins after `start`.
    """
    names = options.numbers(type(rule))
    rule = rule.replace(**{k: v for k, v in probe.hyper.items() if k in names and k in declared})
    hyper = {k: getattr(rule, k) for k in names if not callable(getattr(rule, k))}
    if probe.rates:
        factors = tuple(sorted((t + start, f) for t, f in probe.rates.items()))
        rule = rule.replace(lr=Stepped(hyper["lr"], factors))
    return rule, hyper


def _accepts(rule: Rule, shape: tuple[int, ...]) -> bool:
    leaf = Leaf("a", shape, "float64")
    try:
        rule.for_leaf(leaf).slots(leaf)
    except LeafError:
        return False
    return True


def _single(x: np.ndarray) -> np.ndarray:
    """Round to numbers that float32 holds exactly."""
    return x.astype(np.float32).astype(np.float64)


def _scaled(arrays: Arrays, factor: float) -> Arrays:
    return {k: _single(factor * x) for k, x in arrays.items()}
