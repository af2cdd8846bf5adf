"""Every check and every probe is there for something: each trips on an optimizer that is wrong in that way alone."""

import dataclasses

import numpy as np
import pytest

from arrayopt import LAMB, SGD, Adafactor, Adam, Amos, Momentum
from arrayopt.conformance.compare import compare, follow
from arrayopt.conformance.consistency import CHECKS, Subject
from arrayopt.conformance.models import rule_in
from arrayopt.conformance.mutants.adam import ADAM, adam_counts_from_two, quotient
from arrayopt.conformance.mutants.layerwise import LAMBS, adafactor
from arrayopt.conformance.mutants.momentum import HEAVY
from arrayopt.conformance.mutants.mutant import Mutant, by_leaf
from arrayopt.conformance.probes import probes_for
from tests.conformance.consistency import mistakes, ports_meta


def suspects(check):
    """Candidates that a check is there for."""
    return [
        *map(mistakes.mutant, mistakes.WRONG.get(check, ())),
        *ports_meta.WRONG.get(check, ()),
        *ports_meta.NOTED.get(check, ()),
    ]


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_trips_on_something(check):
    assert any(c.kind == check for suspect in suspects(check) for c in CHECKS[check].run(Subject.of(suspect)))


# Probes: what departs in one of them and in no other ---------------------------------------------------


@by_leaf("slip", LAMB(), **LAMBS)
def unguarded_ratio(h, s, g, p):
    """An update of zero is divided by its norm."""
    u, w = quotient(h, s, g), np.linalg.norm(p)
    return p - h.lr * (w / np.linalg.norm(u) if w else 1.0) * u


@by_leaf("other", Adam(), **ADAM)
def lazy(h, s, g, p):
    """Where the gradient is zero nothing moves."""
    return np.where(g == 0, p, p - h.lr * quotient(h, s, g))


@by_leaf("dialect", Momentum(), **HEAVY)
def rate_inside(h, s, g, p):
    """The rate is in the velocity."""
    s.v = h.momentum * s.v + h.lr * g
    return p - s.v


@by_leaf("dialect", Amos(eta_by="number"), lr=1e-2, beta=0.999)
def eps_added(h, s, g, p):
    """The eps is added where it is a floor."""
    s.v = h.beta * s.v + (1 - h.beta) * g**2
    r = (1 - h.beta**s.t) / (s.v + 2.0**-125)
    gamma = (1 + 0.25 * h.lr**0.5 * s.b) ** -0.5 * h.lr**2 * r * g**2
    slower = 1 + 0.25 * h.lr**0.5 * s.b
    s.b = s.b + gamma * (1 + s.b)
    return p - (h.lr * np.sqrt(r) * g + 0.5 * gamma * p) / slower


class ClipsAt16:
    """Every element of its one array is clipped at 16."""

    def __init__(self, params: np.ndarray, lr):
        self.params, self.lr = params, lr

    def step(self, g):
        self.params = self.params - self.lr * np.clip(g, -16, 16)
        return self.params


@by_leaf("dialect", Adafactor(), lr=0.01)
def largest_axes(h, s, g, p):
    """The two largest axes are factored, not the last two."""
    order = np.argsort(g.shape, kind="stable")
    u = adafactor(h, s, g.transpose(order), p.transpose(order))
    return u.transpose(np.argsort(order))


@by_leaf("slip", SGD(), lr=0.1)
def slower_at_last(h, s, g, p):
    """The rate is halved from the ninth step on."""
    return p - (h.lr if s.t < 9 else 0.5 * h.lr) * g


@by_leaf("precision", Adam(beta1=0.5, beta2=0.75), "float32", **ADAM)
def float32_scalars(h, s, g, p):
    """The corrections are float32 numbers."""
    s.m = h.beta1 * s.m + (1 - h.beta1) * g
    s.v = h.beta2 * s.v + (1 - h.beta2) * g * g
    first, second = (np.float32(1) - np.float32(b) ** np.float32(s.t) for b in (h.beta1, h.beta2))
    return p - h.lr * s.m / first / (np.sqrt(s.v / second) + h.eps)


ALONE = {
    "L": eps_added,
    "Z": unguarded_ratio,
    "R": rate_inside,
    "T": lazy,
    "M": largest_axes,
    "D": slower_at_last,
    "Q": float32_scalars,
    "B": Mutant("clips_at_16", "", "slip", SGD(), ClipsAt16, {"lr": 0.01}),
}
"""Probe -> what departs from its reference there and nowhere else."""
NEVER_ALONE = {
    "E": "what it shows in eight steps of four leaves some other probe shows too, if not so far off",
    "S": "T starts from zero as well, at exaggerated numbers, and L with a vector",
    "P": "an optimizer is a map from gradients to parameters, whoever makes the gradients",
}
"""Probes that nothing here trips alone, and why."""


def departing(mutant, candidate):
    probes = probes_for(rule_in(mutant.reference), 0, candidate.tree == "array", candidate.dtype)
    runs = follow(candidate, probes, mutant.reference)
    return [r.probe.name for r in runs if not r.not_run and not compare(r, mutant.reference, candidate).agrees]


@pytest.mark.parametrize("probe", ALONE)
def test_a_probe_trips_where_no_other_does(probe):
    mutant = ALONE[probe]
    form = "array" if mutant.make is ClipsAt16 else "dict"
    assert departing(mutant, dataclasses.replace(mutant.candidate(), tree=form)) == [probe]


def test_every_probe_trips_on_something():
    assert {p.name for p in probes_for(Adam())} == {*ALONE, *NEVER_ALONE}
    assert {*NEVER_ALONE} <= {*departing(adam_counts_from_two, adam_counts_from_two.candidate())}
