"""Slips: what the catalogue can make, the diagnosis finds again, and its match does what the slip does."""

import dataclasses

import numpy as np
import pytest

from arrayopt import LAMB, SGD, Adafactor, Adam, Clip, Momentum, Muon
from arrayopt.conformance import check
from arrayopt.conformance.compare import distance, follow, run, tells, trajectory
from arrayopt.conformance.models import as_candidate, rule_in, set_up
from arrayopt.conformance.mutants.judge import fresh
from arrayopt.conformance.mutants.mutant import Mutant
from arrayopt.conformance.probes import probes_for
from arrayopt.conformance.slips.catalogue import JOINED, catalogue, one_operation
from arrayopt.conformance.slips.clipping import ALWAYS, MEASURES, clip_slip_in, clip_slips
from arrayopt.conformance.slips.slip import joined, parted, plain, slip_in, slipped

ORDINARY = {
    "lr": 0.01,
    "momentum": 0.9,
    "beta1": 0.9,
    "beta2": 0.99,
    "eps": 1e-3,
    "weight_decay": 0.01,
    "max_norm": 1.0,
}
FAMILY = {"adam": Adam(), "momentum": Momentum(), "lamb": LAMB(), "adafactor": Adafactor()}


def declared(model):
    return tuple(k for k in ORDINARY if hasattr(model, k) or hasattr(rule_in(model), k))


def heard(wrong, reference):
    """Return the report of a model as a candidate, and how far its match is from it at ordinary numbers."""
    candidate = as_candidate(wrong, declared(wrong))
    report = check(candidate, reference, consistency=False)
    ordinary = {k: x for k, x in ORDINARY.items() if k in candidate.hyper}
    mutant = Mutant("", "", "slip", reference, candidate.make, ordinary)
    off = []
    for probe in fresh(mutant, report.match or reference):
        ran = run(candidate, probe, reference)
        placed, _ = set_up(report.match or reference, ran.probe, candidate.hyper)
        off.append(distance(ran.probe, ran.path, trajectory(placed, ran.probe)))
    return report, max(off)


@pytest.mark.parametrize("text", [*MEASURES, ALWAYS])
def test_a_wrong_norm_in_clipping_is_named(text):
    clip = Clip(rule=SGD(), by="global" if "all leaves" in text else "leaf")
    wrong = next(c for c in clip_slips(clip) if clip_slip_in(c) == text)
    report, off = heard(wrong, clip)
    assert report.verdict == "differs"
    assert report.causes[0].kind == "clipping"
    assert off < 1e-9


def test_by_value_there_is_no_norm_to_mistake():
    assert clip_slips(Clip(rule=SGD(), by="value")) == []
    assert clip_slip_in(Clip(rule=SGD())) == clip_slip_in(SGD()) == ""


SOME = {
    ("adam", "`m`, as it is used and not as it is kept, is divided by a bias correction of beta2"),
    ("momentum", "the decay enters in `v`, as it is kept and not as it is used,"),
    ("lamb", "`rate` is measured of `m`"),
    ("adafactor", "`root` lacks a division"),
    ("adafactor", "`u` is measured of `g`"),
}


@pytest.mark.parametrize(("name", "text"), sorted(SOME))
def test_what_is_wrong_in_one_operation_is_named(name, text):
    rule = FAMILY[name]
    slip = next(s for s in one_operation(rule, tuple(ORDINARY)) if s.text == text)
    report, off = heard(slipped(rule, slip), rule)
    assert report.verdict == "differs"
    assert off < 1e-9


@pytest.mark.parametrize("name", FAMILY)
def test_every_slip_of_one_operation_says_another_thing(name):
    slips = list(one_operation(FAMILY[name], tuple(ORDINARY)))
    assert len({(s.kind, s.text, s.number) for s in slips}) == len(slips) > 40


def test_an_edit_leaves_leaves_alone_that_have_no_such_place():
    rule = Adafactor()
    slip = next(s for s in one_operation(rule, tuple(ORDINARY)) if s.text == "`root` lacks a division")
    probe = probes_for(rule)[0]
    vectors = dataclasses.replace(
        probe,
        params={k: np.ravel(p)[:2] for k, p in probe.params.items()},
        gradients=[{k: np.ravel(g)[:2] for k, g in by.items()} for by in probe.gradients],
    )
    assert distance(vectors, trajectory(slipped(rule, slip), vectors), trajectory(rule, vectors)) == 0


def test_leaves_that_are_joined_have_one_norm():
    report, off = heard(slipped(LAMB(), JOINED), LAMB())
    assert [c.kind for c in report.causes] == ["shared-state"]
    assert off < 1e-9
    leaves = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(6.0), "c": np.zeros((0, 2))}
    again = parted(joined(leaves), leaves)
    assert all(np.array_equal(again[k], x) and again[k].shape == x.shape for k, x in leaves.items())
    assert plain(slipped(LAMB(lr=0.5), JOINED)) == LAMB(lr=0.5)


def test_the_catalogue_is_of_slips_that_differ():
    for rule in FAMILY.values():
        texts = [s.text for s in catalogue(rule, tuple(ORDINARY))]
        assert len(set(texts)) == len(texts)
        assert slip_in(rule) is None


def test_agreement_within_bounds_that_leave_all_open_tells_nothing():
    """Five steps in bfloat16 may end anywhere, by their bounds."""
    for rule, expect in ((Muon(), True), (Muon(ns_dtype="bfloat16"), False)):
        candidate = as_candidate(rule, ("lr", "momentum"))
        runs = follow(candidate, probes_for(rule), rule)
        assert tells(runs, rule, candidate) is expect
