"""Runs, instances and leaves do not influence one another."""

import dataclasses

import numpy as np
import pytest

from arrayopt.conformance import Candidate
from arrayopt.conformance.consistency import CHECKS, NotRun, Subject, examine
from arrayopt.conformance.consistency.leaves import restricted
from tests.conformance.consistency.common import causes, only
from tests.conformance.consistency.mistakes import CountsLeaves, CountsLeavesAtOnce, OnlyTogether, Random, mutant
from tests.conformance.consistency.ports import RIGHT, Descent, GlobalClip, GlobalMean


def test_what_does_not_repeat_is_held_against_nothing():
    subject = Subject.of(mutant(Random))
    assert "draws random numbers" in str(only("repeatable", mutant(Random)))
    for name in ("two-instances", "gradient-kept", "layout", "non-finite", "shared-gradient"):
        with pytest.raises(NotRun, match="two of its runs from the same start differ"):
            list(CHECKS[name].run(subject))


def test_what_is_random_by_design_and_says_so_is_no_alarm():
    found = only("repeatable", dataclasses.replace(mutant(Random), random="its steps"))
    assert (found.wrong, str(found)) == (False, "it is random by design: it draws its steps")


def test_checks_are_left_out_when_their_time_is_over():
    causes, said = examine(Subject.of(RIGHT["adam"]), ("repeatable", "layout"), seconds=-1.0)
    assert causes == []
    assert said == dict.fromkeys(("repeatable", "layout"), "not run: the checks before it took more than -1 seconds")
    assert examine(Subject.of(RIGHT["adam"]), ("repeatable",))[1] == {"repeatable": "passes"}


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (GlobalClip, "but not than among zeros: it uses a quantity of all leaves, such as a norm"),
        (GlobalMean, "by how many elements those have: it uses a quantity of all leaves, such as a mean"),
    ],
)
def test_a_quantity_of_all_leaves_is_noted_and_not_taken_for_shared_state(cls, said):
    found = only("shared-state", Candidate.from_step(cls, tree="dict"))
    assert (found.kind, found.wrong) == ("coupled-leaves", False)
    assert said in str(found)


def test_a_count_of_leaves_is_shared_though_their_order_does_not_matter():
    assert causes("order-dependent", mutant(CountsLeavesAtOnce)) == []
    assert "even if those are zeros" in str(only("shared-state", mutant(CountsLeavesAtOnce)))
    assert "reversed" in str(only("order-dependent", mutant(CountsLeaves)))


def test_not_to_run_alone_or_in_another_order_is_a_cause():
    assert "leaf 'a' does not run alone, though it does among others" in str(only("shared-state", mutant(OnlyTogether)))


@pytest.mark.parametrize("check", ["order-dependent", "shared-state", "empty-leaf"])
def test_noise_of_a_fixed_seed_is_not_taken_for_shared_state(check):
    with pytest.raises(NotRun, match="it adds noise"):
        causes(check, RIGHT["seeded noise"])
    assert causes("repeatable", RIGHT["seeded noise"]) == []


@pytest.mark.parametrize("check", ["order-dependent", "shared-state", "missing-gradient", "shared-gradient"])
def test_one_array_has_no_other_leaves(check):
    with pytest.raises(NotRun, match="one array, not several leaves"):
        causes(check, dataclasses.replace(RIGHT["one array"], missing=True))


def test_rounding_of_parameters_that_hardly_move_is_no_dependence():
    """Another order of a sum moves a small step a little, and that turns the last bit of a parameter now and then."""
    subject = Subject.of(Candidate("none", Descent, dtype="float32"))
    small = [{k: np.float32(p + 1e-3) for k, p in subject.params.items()}]
    turned = [{k: np.nextafter(p, np.float32(9)) for k, p in small[0].items()}]
    moved = [{k: p + np.float32(1e-5) for k, p in small[0].items()}]
    assert subject.apart(turned, small) is None
    assert subject.apart(moved, small) is not None


def test_a_norm_that_is_added_up_in_float32_is_no_dependence():
    class Coarse(Descent):
        def step(self, grads):
            norm = np.float32(0)
            for g in grads.values():
                norm = norm + np.sum((g * g).astype(np.float32))
            return super().step({k: g / np.sqrt(float(norm)) for k, g in grads.items()})

    subject = Subject.of(Candidate("Coarse", Coarse))
    backwards = restricted(subject, list(subject.params)[::-1]).walk()
    assert subject.apart(backwards, subject.path) is not None
    assert causes("order-dependent", subject.candidate) == []
