"""Every claim through hypothesis, on its witness, under attack, and in a second array library."""

import re

import pytest
from hypothesis import HealthCheck, assume, given, settings

from arrayopt.backend import default as current
from arrayopt.backend import to_numpy, use
from arrayopt.claims import CLAIMS, KNOWN, Outside, answered, attacked, sampled
from arrayopt.claims.finding import moved, silent
from arrayopt.claims.sources import ARTICLES
from arrayopt.claims.strategies import instances

HOLD = [c for c in CLAIMS if c.expect == "holds"]
REFUTED = [c for c in CLAIMS if c.expect == "refuted"]
SEARCHED = [c for c in CLAIMS if c.searchable]
SHARP = [c for c in HOLD if c.searchable and c.infimum is not None]
EXAMPLES = 25
"""Unless a profile asks for more: ``--hypothesis-profile=deep`` takes 2,000."""
deep = settings.get_current_profile_name() == "deep"
TIGHTENED = 0.01


def each(claims):
    return pytest.mark.parametrize("claim", claims, ids=lambda c: c.id)


@each([c for c in HOLD if c.searchable])
def test_holds(claim):
    @settings(max_examples=2000 if deep else EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(instances(claim))
    def holds(instance):
        with silent():
            try:
                margin = claim.measured(instance)
            except Outside:
                assume(False)
        assert margin >= -claim.allowed(instance)

    holds()


@each([c for c in CLAIMS if not c.searchable])
def test_what_is_not_searched_is_as_expected(claim):
    found = sampled(claim)
    assert found.expected, (found.error, found.margin, found.where)


@each(REFUTED)
def test_the_witness_refutes(claim):
    with silent():
        assert claim.measured(claim.witness) < -claim.allowed(claim.witness)
    assert not claim.instead or claim.instead in {c.id for c in HOLD}


@each([c for c in REFUTED if c.searchable])
def test_falls_to_the_attack_that_does_not_know_the_witness(claim):
    found = attacked(claim, seconds=10.0)
    assert found.refuted, (found.margin, found.where, found.error)


@each(SHARP)
def test_tightened_by_one_percent_it_falls(claim):
    found = attacked(claim, seconds=20.0, goal=claim.infimum + TIGHTENED)
    assert found.margin < claim.infimum + TIGHTENED, (found.margin, found.where, found.error)
    assert not found.refuted, (found.margin, found.where)


@each([c for c in HOLD if c.searchable and c.portable])
def test_runs_on_another_array_library(claim):
    with use("array_api_strict"):
        xp = current()
    found = sampled(claim, count=20, xp=xp)
    assert found.expected, (found.error, found.margin, found.where)
    assert all(to_numpy(x) is not None for x in moved(found.where, xp).values() if hasattr(x, "dtype"))


@pytest.mark.parametrize("known", KNOWN, ids=lambda k: k.id)
def test_known_answer(known):
    found = answered(known)
    assert found.expected, (found.value, known.printed)


def test_ids_are_unique():
    ids = [c.id for c in CLAIMS] + [k.id for k in KNOWN]
    assert len(ids) == len(set(ids))


def test_sources_are_to_be_found():
    listed = {f"archive {number} (section {k})" for k, (number, _) in ARTICLES.items()}
    beside = set(re.findall(r"\d{4}", " ".join(what for _, what in ARTICLES.values())))
    for of in [*CLAIMS, *KNOWN]:
        assert re.search(r"archive|survey|arXiv|\d{4}|stated here", of.source), of.id
        for cited, number in re.findall(r"(archive (\d+) \(section \d+\))", of.source):
            assert cited in listed or number in beside, of.id
