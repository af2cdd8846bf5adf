"""Relations that the result must keep where the input is changed in a known way."""

import dataclasses

import numpy as np
import pytest

from arrayopt import LAMB, RULES, Adafactor, Adam, Lion, Muon, Shampoo, Tiger
from arrayopt.conformance.consistency import metamorphic
from arrayopt.conformance.consistency.conditioning import by_place, coarse, response, rounding
from arrayopt.conformance.consistency.subject import Apart, Subject
from tests.conformance.consistency import ports_meta
from tests.conformance.consistency.common import MATRICES
from tests.conformance.consistency.ports import RIGHT, following
from tests.conformance.consistency.ports_meta import NOTED, WRONG, port

CHECKS = {c.name: c for c in metamorphic.CHECKS}
MUST = ("sign-flip", "permutation", "descends")


def causes(check, candidate, **options):
    return list(CHECKS[check].run(Subject.of(candidate, **options)))


def cases(table):
    return [(k, c) for k in CHECKS for c in table.get(k, ())]


def test_every_check_has_a_port_that_trips_it_and_says_what_it_misses():
    assert set(CHECKS) <= set(WRONG) | set(NOTED)
    assert all(c.reveals and c.misses for c in CHECKS.values())


@pytest.mark.parametrize(("check", "candidate"), cases(WRONG))
def test_a_mistake_is_caught(check, candidate):
    found = causes(check, candidate)
    assert {(c.kind, c.wrong) for c in found} == {(check, True)}


@pytest.mark.parametrize(("check", "candidate"), cases(NOTED))
def test_what_is_no_mistake_is_noted(check, candidate):
    found = causes(check, candidate)
    assert {(c.kind, c.wrong) for c in found} == {(check, False)}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", [k for k in RIGHT if k != "lr of the first step"])  # its rate grows without end
def test_what_is_right_passes(name, dtype):
    candidate = dataclasses.replace(RIGHT[name], dtype=dtype)
    shapes = {"shapes": MATRICES} if name == "matrices alone" else {}
    for check in MUST:
        assert [c for c in causes(check, candidate, **shapes) if c.wrong] == []


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_every_rule_passes(cls):
    candidate = following(cls(), "lr", "weight_decay")
    for check in MUST:
        assert causes(check, candidate, **({"shapes": MATRICES} if cls is Muon else {})) == []


@pytest.mark.parametrize("rule", [Muon(), Shampoo(), Adafactor(), LAMB()], ids=lambda r: type(r).__name__)
def test_rules_of_whole_matrices_are_permuted_with_their_leaves(rule):
    (leaf,) = [{"a": (5, 5)}]
    assert causes("permutation", following(rule, "lr"), shapes=leaf) == []


def test_a_switch_is_looked_at_too():
    (found,) = causes("sign-flip", port(ports_meta.Descent, switches={"clip=True": port(ports_meta.OneSidedClip)}))
    assert str(found).startswith("with clip=True from zero")


@pytest.mark.parametrize(
    ("rule", "translation", "degree"),
    [(Adam(), False, 0), (Lion(), False, 0), (LAMB(), True, 0), (Tiger(), True, 0)],
    ids=lambda x: type(x).__name__,
)
def test_traits_of_rules_are_noted(rule, translation, degree):
    candidate = following(rule, "lr", *(k for k in ("eps", "weight_decay") if hasattr(rule, k)))
    assert bool(causes("translation", candidate)) == translation
    assert [c.values for c in causes("scale", candidate)] == [{"degree": degree}]
    assert causes("lr-scale", candidate) == []


def test_the_response_to_rounding_is_measured():
    """A linear rule answers as it is asked, and a sign not at all."""
    subject = Subject.of(port(ports_meta.Descent))
    assert 0.5 < response(subject, 2.0**-20) * 2**20 < 2
    assert response(subject, 2.0**-20) == pytest.approx(64 * response(subject, 2.0**-26), rel=1e-4)
    sign = dataclasses.replace(following(Lion()), hyper=("lr",))
    assert response(Subject.of(sign), 2.0**-20) < 1e-12


def test_rounding_explains_only_what_it_can():
    fine, rough = Subject.of(port(ports_meta.Adam64)), Subject.of(port(ports_meta.Coarse))
    assert [rounding(fine, Apart(1, "a", off)) for off in (1e-14, 1e-7, 1e-3)] == ["float64", "float32", ""]
    assert [rounding(rough, Apart(1, "a", off)) for off in (1e-14, 1e-7, 1e-3)] == ["float64", "float32", "bfloat16"]
    assert not coarse(fine)


def test_a_step_in_float32_is_not_coarse():
    assert not coarse(Subject.of(dataclasses.replace(RIGHT["global clip"], dtype="float32")))


def test_random_numbers_with_a_seed_go_by_place():
    assert by_place(Subject.of(port(ports_meta.Seeded)))
    assert not by_place(Subject.of(port(ports_meta.Adam64)))
    assert not by_place(Subject.of(following(Muon()), shapes=MATRICES))


def test_the_subject_is_left_as_it_was():
    subject = Subject.of(port(ports_meta.Adam64))
    before = {k: p.copy() for k, p in subject.params.items()}
    for check in CHECKS.values():
        list(check.run(subject))
    assert all(np.array_equal(before[k], p) for k, p in subject.params.items())
