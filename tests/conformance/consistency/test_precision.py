"""A run in low precision must stay near that in high precision."""

import dataclasses

import ml_dtypes
import numpy as np
import pytest

from arrayopt import LAMB, RULES, Adafactor, Adam, Lion, Momentum, Muon
from arrayopt.conformance.candidate import epsilon
from arrayopt.conformance.consistency import NotRun, precision
from arrayopt.conformance.consistency.subject import Subject
from tests.conformance.consistency.common import MATRICES
from tests.conformance.consistency.mistakes import Random
from tests.conformance.consistency.ports import Adam64, Descent, Seeded, following
from tests.conformance.consistency.ports_meta import LOW, NOTED, WRONG, AnyDtype, port

CHECKS = {c.name: c for c in precision.CHECKS}


def causes(check, candidate, **options):
    return list(CHECKS[check].run(Subject.of(candidate, **options)))


def cases(table):
    return [(k, c) for k in CHECKS for c in table.get(k, ())]


@pytest.mark.parametrize(("check", "candidate"), cases(WRONG))
def test_a_mistake_is_caught(check, candidate):
    found = causes(check, candidate)
    assert any(c.wrong for c in found)
    assert {c.kind for c in found} == {check}


@pytest.mark.parametrize(("check", "candidate"), cases(NOTED))
def test_what_is_no_mistake_is_noted(check, candidate):
    assert {(c.kind, c.wrong) for c in causes(check, candidate)} == {(check, False)}


@pytest.mark.parametrize("check", CHECKS)
def test_adam_that_computes_in_float32_at_least_passes(check):
    assert causes(check, port(AnyDtype, dtypes=(*LOW, "float16"))) == []


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_every_rule_stays_near_itself_in_float64(cls):
    candidate = dataclasses.replace(following(cls(), "lr"), dtypes=LOW)
    for check in ("params-dtype", "dtypes", "coarse-step"):
        found = causes(check, candidate, **({"shapes": MATRICES} if cls is Muon else {}))
        assert [c for c in found if c.wrong] == []


@pytest.mark.parametrize("rule", [Adam(), Lion(), LAMB(), Adafactor(), Momentum()], ids=lambda r: type(r).__name__)
def test_rules_hold_out_extreme_betas(rule):
    names = [k for k in ("beta1", "beta2", "momentum") if hasattr(rule, k)]
    candidate = following(rule, "lr", *names)
    defaults = {"lr": 0.01, **{k: getattr(rule, k) or 0.9 for k in names}}
    candidate = dataclasses.replace(candidate, dtypes=LOW, defaults=defaults)
    assert [c for c in causes("extreme-betas", candidate) if c.wrong] == []


def test_a_rule_runs_long_in_float32():
    candidate = dataclasses.replace(following(Adam(), "lr"), dtypes=("float32",), defaults={"lr": 1e-3})
    assert causes("long-run", candidate) == []


def test_designed_numbers_are_held_by_every_precision():
    subject = precision.designed(Subject.of(port(AnyDtype, dtypes=LOW)))
    every = [subject.params, *subject.gradients]
    for x in (x for arrays in every for x in arrays.values()):
        assert np.array_equal(x, x.astype(ml_dtypes.bfloat16).astype(np.float64))
        assert np.array_equal(x, x.astype(np.float16).astype(np.float64))
    signs = [np.sign(g["a"]) for g in subject.gradients]
    assert all(np.array_equal(s, signs[0]) for s in signs)


def test_a_run_is_held_against_the_highest_precision_that_there_is():
    single = dataclasses.replace(port(AnyDtype, dtypes=("float64", "bfloat16")), dtype="float32")
    subject = precision.designed(Subject.of(single))
    assert subject.candidate.dtype == "float64"
    assert precision.lower(subject) == ["float32", "bfloat16"]


def test_what_rounding_explains_follows_the_precision():
    subject = precision.designed(Subject.of(port(AnyDtype, dtypes=LOW)))
    lost = {d: precision.lost(subject, d) for d in LOW}
    assert all(x.excess < 0.5 for x in lost.values())
    ratio = lost["bfloat16"].relative / lost["float32"].relative
    assert ratio == pytest.approx(epsilon("bfloat16") / epsilon("float32"), rel=0.9)


class Overflows(AnyDtype):
    """The second moment in float16."""

    def direction(self, k):
        with np.errstate(all="ignore"):
            low = (1e6 * self.v[k]).astype(self.dtypes[k])
        return super().direction(k) if np.isfinite(low).all() else super().direction(k) * np.nan


def test_the_small_range_of_float16_is_only_noted():
    (found,) = causes("dtypes", port(Overflows, dtypes=("float32", "float16")))
    assert not found.wrong
    assert found.values == {"dtype": "float16"}


class Explodes(Descent):
    """It grows with every step, until it overflows."""

    t = 0

    def direction(self, k, g):
        self.t += 1
        with np.errstate(all="ignore"):
            return g * np.exp2(2.0 * self.t)


def test_a_long_run_that_overflows_is_wrong_in_any_precision():
    (found,) = causes("long-run", port(Explodes))
    assert found.wrong
    assert "does not stay finite" in str(found)


class DoubleOnly(Adam64):
    def __init__(self, params, lr=0.1):
        if any(p.dtype != np.float64 for p in params.values()):
            raise TypeError("expected float64")
        super().__init__(params, lr)


def test_a_precision_in_which_it_does_not_run_is_noted():
    for check in ("dtypes", "params-dtype"):
        (found,) = causes(check, port(DoubleOnly, dtypes=("float32",)))
        assert not found.wrong
        assert "it does not run in float32: making it raised TypeError" in str(found)
    assert causes("long-run", port(DoubleOnly, dtypes=("float32",))) == []


@pytest.mark.parametrize(
    ("check", "candidate", "why"),
    [
        ("dtypes", port(Adam64), "one precision"),
        ("dtypes", port(Seeded, dtypes=("float32",)), "random numbers"),
        ("extreme-betas", port(Descent), "no decay rate"),
        ("coarse-step", port(Random), "differ"),
    ],
)
def test_what_does_not_apply_is_not_run(check, candidate, why):
    with pytest.raises(NotRun, match=why):
        causes(check, candidate)
