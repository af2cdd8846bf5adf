"""Leaves of unusual shape, layout or precision; gradients that are missing or shared."""

import dataclasses

import numpy as np
import pytest

from arrayopt import Shampoo
from arrayopt.conformance import Candidate
from arrayopt.conformance.candidate import CannotRunError
from arrayopt.conformance.consistency import CHECKS, NotRun, Subject
from arrayopt.conformance.consistency.leaves import joined, refuses
from tests.conformance.consistency.common import MATRICES, causes, only
from tests.conformance.consistency.mistakes import FirstCorrection, FirstDtype, NeedsAll, mutant
from tests.conformance.consistency.ports import RIGHT, Adam64, Descent, GlobalClip, Matrices, Skips, following


class MovesOn(Skips):
    """A leaf without a gradient moves as if that were zero."""

    def step(self, grads):
        return super().step({k: grads.get(k, np.zeros_like(p)) for k, p in self.params.items()})


class NeedsOne(Skips):
    def step(self, grads):
        if not grads:
            raise RuntimeError("no gradients")
        return super().step(grads)


@pytest.mark.parametrize(
    ("cls", "said"),
    [(MovesOn, "a leaf without a gradient moves"), (NeedsOne, "a step in which no leaf has a gradient: step raised")],
)
def test_what_may_be_meant_where_gradients_are_missing_is_noted(cls, said):
    found = only("missing-gradient", mutant(cls))
    assert not found.wrong
    assert said in str(found)


def test_missing_gradients_are_probed_where_they_are_declared():
    with pytest.raises(NotRun, match="it takes a gradient for every leaf"):
        causes("missing-gradient", Candidate("NeedsAll", NeedsAll))


def test_a_norm_over_the_gradients_that_are_there_couples_and_is_no_fault():
    assert causes("missing-gradient", mutant(GlobalClip)) == []


def test_a_rule_may_go_by_the_number_of_axes():
    found = only("zero-d", following(Shampoo(), "lr"))
    assert not found.wrong
    assert "in leaf 'point'" in str(found)


def test_who_refuses_vectors_is_not_asked_about_scalars():
    with pytest.raises(NotRun, match=r"it does not run with a leaf of shape \(1,\).*leaf point is no matrix"):
        causes("zero-d", Candidate("Matrices", Matrices), shapes=MATRICES)


@pytest.mark.parametrize("check", ["zero-d", "empty-leaf", "mixed-shapes"])
def test_to_refuse_is_noted_and_to_break_is_wrong(check):
    class Says(Descent):
        def direction(self, k, g):
            if g.ndim == 0 or g.ndim > 2 or g.size == 0:
                raise NotImplementedError(f"leaf {k}: not for leaves of shape {g.shape}")
            return g

    class Breaks(Descent):
        def direction(self, k, g):
            rows, *columns = g.shape if g.size else ()
            return g.reshape(rows, *columns) if len(columns) < 2 else np.dot(g, np.ones(3))

    assert {(c.kind, c.wrong) for c in causes(check, mutant(Says))} == {(check, False)}
    assert {(c.kind, c.wrong) for c in causes(check, mutant(Breaks))} == {(check, True)}


def test_a_refusal_is_an_error_that_is_raised_and_not_one_that_happens():
    def told(act):
        try:
            act()
        except Exception as error:
            refusal = CannotRunError("step raised")
            refusal.__cause__ = error
            return refuses(refusal)
        return None

    def raised():
        raise ValueError("one for matrices alone")

    assert told(raised)
    assert not told(lambda: np.ones(3) + np.ones(4))
    assert not told(lambda: [].index(1))
    assert not refuses(CannotRunError("step returned no leaf"))


def test_a_refusal_when_it_is_made_is_no_finding():
    class Particular(Descent):
        def __init__(self, params, lr=0.1):
            if any(p.ndim not in (1, 2) or p.size == 0 for p in params.values()):
                raise TypeError("vectors and matrices alone")
            super().__init__(params, lr)

    for check in ("zero-d", "empty-leaf"):
        with pytest.raises(NotRun, match="it refuses such leaves: making it raised TypeError: vectors and matrices"):
            causes(check, mutant(Particular))
    assert causes("mixed-shapes", mutant(Particular)) == []


def test_every_shape_that_breaks_is_told():
    class Thin(Descent):
        def direction(self, k, g):
            if g.ndim == 2 and max(g.shape) > 6:
                raise IndexError("out of range")
            return g

    found = causes("mixed-shapes", mutant(Thin))
    assert [str(c)[:42] for c in found] == [
        f"it does not run with a leaf of shape {shape}"[:42] for shape in ((32, 2), (2, 32), (1, 7))
    ]


def test_layouts_reach_the_candidate():
    seen = set()

    class Looks(Descent):
        def direction(self, k, g):
            if g.ndim == 2:
                seen.add((self.params[k].flags.c_contiguous, g.flags.c_contiguous))
            return g

        def step(self, grads):
            for k, g in grads.items():
                self.params[k] -= self.lr * self.direction(k, g)

    assert causes("layout", mutant(Looks)) == []
    assert seen == {(True, True), (True, False), (False, True), (False, False)}
    with pytest.raises(NotRun, match="no leaf of two axes"):
        causes("layout", mutant(Looks), shapes={"c": (6,)})


def test_one_gradient_array_reaches_two_leaves():
    seen = set()

    class Looks(Descent):
        def step(self, grads):
            seen.add(len({id(g) for g in grads.values()}) < len(grads))
            return super().step(grads)

    assert causes("shared-gradient", mutant(Looks)) == []
    assert seen == {True, False}


def test_precisions_are_mixed_where_there_are_several():
    with pytest.raises(NotRun, match="it runs in one precision"):
        causes("mixed-dtypes", Candidate("Adam64", Adam64))
    seen = []

    class Looks(Descent):
        def step(self, grads):
            seen.append("".join(g.dtype.char for g in grads.values()))
            return super().step(grads)

    assert causes("mixed-dtypes", mutant(Looks)) == []
    assert set(seen) == {"dddd", "ffff", "fdfd"}


def test_numbers_that_all_leaves_share_may_be_as_coarse_as_the_coarsest():
    class Rate(Descent):
        def step(self, grads):
            rate = float(min(g.dtype for g in grads.values()).type(self.lr))
            return super().step({k: g * g.dtype.type(rate / self.lr) for k, g in grads.items()})

    found = only("mixed-dtypes", mutant(Rate))
    assert "those of float64 move otherwise than alone, by what rounding numbers to float32 does" in str(found)
    assert not found.wrong


def test_leaves_that_are_kept_in_the_precision_of_another_are_told():
    assert "they are kept in float32" in str(only("mixed-dtypes", mutant(FirstDtype)))


def test_settings_that_ship_are_tried_too():
    """With beta2=0.8 bfloat16 holds the correction well enough."""
    candidate = dataclasses.replace(mutant(FirstCorrection), hyper=("lr", "beta2"))
    assert [c.wrong for c in causes("mixed-dtypes", candidate)] == [False]
    assert only("mixed-dtypes", dataclasses.replace(candidate, defaults={"beta2": 0.999})).wrong


def test_further_leaves_stand_beside_those_of_the_subject():
    subject = Subject.of(RIGHT["adam"])
    more = joined(subject, {"x": (2, 2)})
    assert list(more.params) == [*subject.params, "x"]
    assert all(g["x"].shape == (2, 2) for g in more.gradients)
    assert list(joined(Subject.of(RIGHT["one array"]), {"x": ()}).params) == ["x"]


@pytest.mark.parametrize("check", ["zero-d", "empty-leaf", "mixed-shapes"])
def test_one_array_takes_the_place_of_the_leaf(check):
    seen = set()

    def make(x, lr=0.1):
        seen.add(x.shape)
        return RIGHT["one array"].make(x, lr=lr)

    list(CHECKS[check].run(Subject.of(dataclasses.replace(RIGHT["one array"], make=make))))
    assert (
        seen
        >= {
            "zero-d": {(1,), ()},
            "empty-leaf": {(0, 3)},
            "mixed-shapes": {(32, 2), (2, 32), (5, 5), (16, 2, 3, 1), (1, 7)},
        }[check]
    )
