"""Every documented option must change something somewhere."""

import dataclasses

import pytest

from arrayopt import Adam, AdamW, Lion, Momentum, RMSProp
from arrayopt.conformance.consistency import NotRun, liveness
from arrayopt.conformance.consistency.subject import Subject
from arrayopt.core import options
from tests.conformance.consistency import ports_meta
from tests.conformance.consistency.mistakes import Random
from tests.conformance.consistency.ports import Descent, Seeded, following
from tests.conformance.consistency.ports_meta import NOTED, WRONG, Flagged, Late, flagged, port

CHECKS = {c.name: c for c in liveness.CHECKS}


def causes(check, candidate):
    return list(CHECKS[check].run(Subject.of(candidate)))


def cases(table):
    return [(k, c) for k in CHECKS for c in table.get(k, ())]


@pytest.mark.parametrize(("check", "candidate"), cases(WRONG))
def test_a_mistake_is_caught(check, candidate):
    found = causes(check, candidate)
    assert any(c.wrong for c in found)
    assert {c.kind for c in found} == {check}


@pytest.mark.parametrize(("check", "candidate"), cases(NOTED))
def test_what_changes_the_state_alone_is_noted(check, candidate):
    (found,) = causes(check, candidate)
    assert not found.wrong
    assert "never the parameters" in str(found)


def test_the_values_that_were_tried_are_told():
    (found,) = causes("ignored-option", port(ports_meta.IgnoresEps))
    assert list(found.values) == ["eps"]
    assert len(found.values["eps"]) >= 5
    assert all(f"{x:g}" in str(found) for x in found.values["eps"])


@pytest.mark.parametrize("rule", [Adam(), AdamW(), RMSProp(), Lion(), Momentum()], ids=lambda r: type(r).__name__)
def test_every_number_of_a_rule_is_alive(rule):
    names = [k for k in options.numbers(type(rule)) if k != "dampening"]
    defaults = {k: getattr(rule, k) for k in names}
    assert causes("ignored-option", dataclasses.replace(following(rule, *names), defaults=defaults)) == []


def test_an_option_that_another_one_switches_off_is_alive():
    """Dampening means nothing without momentum, as it ships."""
    assert causes("ignored-option", flagged()) == []


def test_an_option_for_a_switch_is_alive():
    late = port(Late, defaults={"lr": 0.1, "floor": 0.5, "scale": 2.0}, scaled=False)
    (found,) = causes("ignored-option", late)
    assert list(found.values) == ["scale"]
    switched = dataclasses.replace(late, switches={"scaled=True": lambda: port(Late, scaled=True)})
    assert causes("ignored-option", switched) == []


def test_an_option_that_acts_late_is_alive():
    late = port(Late, defaults={"lr": 0.1, "floor": 0.5, "scale": 2.0}, scaled=True)
    assert causes("ignored-option", late) == []


class Narrow(Descent):
    """It takes few values."""

    def __init__(self, params, lr=0.1, power=2.0, fixed=1.0):
        if power not in (2.0, 4.0) or fixed != 1.0:
            raise ValueError("power must be 2 or 4, fixed must be 1")
        super().__init__(params, lr)
        self.power = power

    def direction(self, k, g):
        return g**self.power


def test_values_that_are_refused_are_passed_over():
    (found,) = causes("ignored-option", port(Narrow, defaults={"lr": 0.1, "power": 2.0, "fixed": 1.0}))
    assert not found.wrong
    assert str(found).startswith("fixed could not be tried")
    assert "fixed must be 1" in str(found)


def test_a_switch_that_refuses_numbers_is_found_where_it_takes_them():
    """Nesterov wants momentum and no dampening: neither is so where everything is switched on, or ships."""
    assert causes("ignored-switch", flagged(switches={"nesterov=True": flagged(nesterov=True)})) == []


def test_a_switch_for_another_switch_is_alive():
    class Choice(Descent):
        def __init__(self, params, lr=0.1, clip=False, hard=False):
            super().__init__(params, lr)
            self.bound = (0.5 if hard else 1.0) if clip else 1e9

        def direction(self, k, g):
            return g.clip(-self.bound, self.bound)

    both = port(Choice, clip=True, hard=True)
    clip, hard = port(Choice, clip=True, hard=False), port(Choice, clip=False, hard=True)
    alone = port(Choice, switches={"hard=True": hard, "clip=True": clip}, clip=False, hard=False)
    (found,) = causes("ignored-switch", alone)
    assert found.values == {"switch": "hard=True"}
    clip = dataclasses.replace(clip, switches={"hard=True": lambda: both})
    nested = dataclasses.replace(alone, switches={"hard=True": lambda: hard, "clip=True": lambda: clip})
    assert causes("ignored-switch", nested) == []


def test_a_switch_that_cannot_be_tried_is_noted():
    (found,) = causes("ignored-switch", port(Descent, switches={"fused=True": port(ports_meta.Refuses)}))
    assert not found.wrong
    assert "there is no such device" in str(found)


@pytest.mark.parametrize(
    ("check", "candidate", "why"),
    [
        ("ignored-option", dataclasses.replace(port(Descent), hyper=()), "declares no"),
        ("ignored-switch", port(Descent), "no switches"),
        ("ignored-option", port(Random), "differ"),
    ],
)
def test_what_does_not_apply_is_not_run(check, candidate, why):
    with pytest.raises(NotRun, match=why):
        causes(check, candidate)


def test_noise_with_a_seed_is_no_hindrance():
    assert causes("ignored-option", port(Seeded)) == []
    assert Flagged({}, 0.1).momentum == 0.0
