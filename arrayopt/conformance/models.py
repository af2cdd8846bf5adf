"""Models: what a candidate is held against, a rule or one whose gradients are clipped first.

Both are optimizers of `arrayopt.firstorder`; here their numbers are read by name, whichever of the two has them.
"""

import dataclasses
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.probes import Probe, Stepped
from arrayopt.conformance.slips.slip import in_order
from arrayopt.core import options
from arrayopt.core.options import Interval
from arrayopt.core.rule import Rule
from arrayopt.errors import OptionError
from arrayopt.firstorder import RULES, Clip
from arrayopt.readers.bounded import Bounded

Model = Rule | Clip


def rule_in(model: Model) -> Rule:
    """Return the rule that takes the step.

    Raises
    ------
    OptionError
        If a `Clip` holds something else than a rule.
    """
    rule = model.rule if isinstance(model, Clip) else model
    if not isinstance(rule, Rule):
        raise OptionError(f"expected a rule such as Adam(), or Clip(rule=Adam()), got {model!r}")
    return rule


def over(model: Model, rule: Rule) -> Model:
    """Return `rule` with the clipping of `model`, if there is any."""
    return dataclasses.replace(model, rule=rule) if isinstance(model, Clip) else rule


def covering(candidate: Candidate) -> Rule:
    """Return the rule that has most of the hyper-parameters of a candidate, at the values that it ships with."""

    def given(cls: type[Rule]) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, interval in options.numbers(cls).items():
            if name in candidate.hyper and name in candidate.defaults:
                x = candidate.defaults[name]
                found |= {name: x} if interval.low <= x < interval.high else {}
        return found

    best = max(RULES, key=lambda cls: len(set(options.numbers(cls)) & set(candidate.hyper)))
    return best(**given(best))  # type: ignore[arg-type]


def at_numbers_of(start: Model, cls: type[Rule], names: tuple[str, ...]) -> Rule:
    """Return the rule of a class at those numbers of `start` that both have and that are among `names`."""
    shared = {k: value(start, k) for k in names if k in numbers(start) and k in options.numbers(cls)}
    return cls(**shared)


def numbers(model: Model) -> dict[str, Interval]:
    """Return the hyper-parameters of a model: name -> range."""
    own = options.numbers(Clip) if isinstance(model, Clip) else {}
    return own | options.numbers(type(rule_in(model)))


def value(model: Model, name: str) -> Any:
    """Return a hyper-parameter of a model."""
    return getattr(model if name in options.numbers(type(model)) else rule_in(model), name)


def set_up(model: Model, probe: Probe, declared: tuple[str, ...]) -> tuple[Model, dict[str, float]]:
    """Return the model as the probe sets it, and the hyper-parameters at the start, by field name."""
    names = numbers(model)
    model = model.replace(**{k: v for k, v in probe.hyper.items() if k in names and k in declared})
    hyper = {k: value(model, k) for k in names if not callable(value(model, k))}
    if probe.rates:
        model = model.replace(lr=Stepped(hyper["lr"], tuple(sorted(probe.rates.items()))))
    return model, hyper


def as_candidate(model: Model, declared: tuple[str, ...], dtype: str = "float64") -> Candidate:
    """Return a model as a candidate that takes the hyper-parameters `declared`, where the model has them."""
    hyper = tuple(k for k in declared if k in numbers(model))

    def make(params: Arrays, **given: float) -> _Stepping:
        return _Stepping(model.replace(**given), params)

    return Candidate(type(rule_in(model)).__name__, make, hyper, dtype)


class _Stepping:
    """A run of a model."""

    def __init__(self, model: Model, params: Arrays) -> None:
        self.model, self.params, self.state = model, params, model.init(params)

    def step(self, grads: Arrays) -> Arrays:
        with np.errstate(all="ignore"):
            self.params, self.state = self.model.update(grads, self.state, self.params)
        return self.params

    def set(self, **hyper: float) -> None:
        self.model = self.model.replace(**hyper)

    def save(self) -> Any:
        return dict(self.params), self.state

    def load(self, state: Any) -> None:
        self.params, self.state = dict(state[0]), state[1]


def seen(model: Model, probe: Probe) -> tuple[Rule, list[Arrays]]:
    """Return the rule that steps in a probe, and the gradients that it sees, in float64."""
    rule = in_order(rule_in(model), tuple(probe.params))
    if not isinstance(model, Clip):
        return rule, probe.gradients
    return rule, [dict(model.shorten(np, t, g)) for t, g in enumerate(probe.gradients, 1)]


def bounded(model: Model, probe: Probe, dtype: Any, unit: float) -> list[dict[str, Bounded]]:
    """Return the gradients that the rule sees in a probe in a precision, with the rounding of clipping."""
    _, gradients = seen(model, probe)
    clipped = isinstance(model, Clip)
    found = []
    for g in gradients:
        # the norm of n numbers is off by at most n / 2 + 1 units, and three more operations follow
        size = sum(x.size for x in g.values()) / 2 + 8
        exact = {k: Bounded.exact(x.astype(dtype)) for k, x in g.items()}
        if clipped:
            exact = {k: _blurred(b, size * unit * np.abs(g[k])) for k, b in exact.items()}
        found.append(exact)
    return found


def _blurred(b: Bounded, bound: np.ndarray) -> Bounded:
    return Bounded(b.value, bound, b.low - bound)
