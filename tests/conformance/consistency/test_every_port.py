"""Every check fails on the mistakes that it is there for, and on no optimizer that is right."""

import contextlib
import dataclasses

import numpy as np
import pytest

from arrayopt import RULES, AdaMax, Muon
from arrayopt.conformance.consistency import CHECKS, Check, NotRun, Subject, edges, extremes, order, ownership, restore
from tests.conformance.consistency.common import MATRICES, causes
from tests.conformance.consistency.mistakes import WRONG, mutant
from tests.conformance.consistency.ports import RIGHT, following

TOPICS = (order, ownership, edges, extremes, restore)
MINE = [c.name for topic in TOPICS for c in topic.CHECKS]


def test_every_check_has_a_mistake_that_it_catches_and_says_what_it_misses():
    assert set(WRONG) == set(MINE)
    for name in MINE:
        check = CHECKS[name]
        assert isinstance(check, Check)
        assert check.reveals
        assert check.misses


@pytest.mark.parametrize(("check", "cls"), [(k, c) for k, every in WRONG.items() for c in every])
def test_a_mistake_is_caught(check, cls):
    found = [c for c in causes(check, mutant(cls)) if c.wrong]
    assert found
    assert {c.kind for c in found} == {check}


def wrong(candidate, seed=0):
    """What all checks call wrong in a candidate."""
    shapes = {"shapes": MATRICES} if candidate.name in ("Matrices", "Muon") else {}
    found = []
    for name in MINE:
        with contextlib.suppress(NotRun):
            found += causes(name, candidate, seed=seed, **shapes)
    return [c for c in found if c.wrong]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name, dtype):
    assert wrong(dataclasses.replace(RIGHT[name], dtype=dtype), seed=int(dtype[-2:])) == []


@pytest.mark.parametrize("cls", [r for r in RULES if r is not AdaMax], ids=lambda c: c.__name__)
def test_every_rule_passes(cls):
    both = dataclasses.replace(following(cls(), "lr", "weight_decay"), dtypes=("float32",))
    assert wrong(both) == []


def test_adamax_as_published_divides_zero_by_zero():
    """Its u is max(beta2 u, |g|), and nothing is added to it; frameworks add an eps."""
    found = wrong(following(AdaMax()))
    assert [(c.kind, str(c)) for c in found] == [("zero-gradient", "gradients of zero give NaN or infinity in float64")]
    assert wrong(following(AdaMax.preset("torch"))) == []


def test_runs_leave_their_subject_as_it_was():
    subject = Subject.of(RIGHT["missing gradients"])
    before = {k: p.copy() for k, p in subject.params.items()}, [dict(g) for g in subject.gradients]
    for name in MINE:
        list(CHECKS[name].run(subject))
    assert all(np.array_equal(before[0][k], p) for k, p in subject.params.items())
    assert all(a[k] is b[k] for a, b in zip(before[1], subject.gradients, strict=True) for k in a)


def test_a_rule_for_matrices_alone_is_checked_on_matrices():
    assert wrong(following(Muon(), "lr")) == []
