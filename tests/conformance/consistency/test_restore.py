"""Save, load and a changed rate."""

import numpy as np
import pytest

from arrayopt import Momentum
from arrayopt.conformance import Candidate
from arrayopt.conformance.consistency import NotRun
from tests.conformance.consistency.common import causes, only
from tests.conformance.consistency.mistakes import ForgetsCount, KeepsOld, SavesNothing, mutant
from tests.conformance.consistency.ports import RIGHT, Adam64, Descent, InsideVelocity, following


@pytest.mark.parametrize("check", ["restore", "restore-saved"])
def test_who_offers_no_save_is_not_asked(check):
    with pytest.raises(NotRun, match=r"it offers no save\(\) and load\(state\)"):
        causes(check, RIGHT["warm-up"])


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (ForgetsCount, "saved after 3 steps and loaded into a run newly made, it moves otherwise (from step 4 on"),
        (SavesNothing, "saved after 0 steps and loaded into a run newly made, it does not run: load(state) raised"),
        (KeepsOld, "saved after 0 steps and loaded into a run that has taken 2 steps"),
    ],
)
def test_where_it_does_not_go_on_is_told(cls, said):
    assert said in str(only("restore", mutant(cls)))


def test_to_load_without_a_copy_is_noted():
    class Takes(Adam64):
        def load(self, state):
            self.params, self.m, self.v, self.t = state

        def move(self, k, g):
            self.m[k] *= self.beta1
            self.m[k] += (1 - self.beta1) * g
            self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * g * g
            self.descend(k, self.direction(k))

    found = only("restore-saved", mutant(Takes))
    assert "loading makes no copy" in str(found)
    assert not found.wrong


def test_what_cannot_be_loaded_is_told_once():
    with pytest.raises(NotRun, match="it does not go on from what it saved"):
        causes("restore-saved", mutant(ForgetsCount))


class Deaf(Adam64):
    def __init__(self, params, lr=0.1):
        super().__init__(params, lr)
        self.rate = lr

    def descend(self, k, update):
        self.params[k] = self.params[k] - self.rate * update


class Adapts(Descent):
    """It makes its own rate smaller, where others look for it."""

    def step(self, grads):
        self.lr *= 0.9
        return super().step(grads)

    def set(self, lr):
        self.lr = lr


class DividesByRate(InsideVelocity):
    def step(self, grads):
        return super().step({k: g * (1 + 0.1 / np.float64(self.lr)) for k, g in grads.items()})


class NeedsRate(Adapts):
    def step(self, grads):
        return super().step({k: g * (1 + 0.1 / self.lr) for k, g in grads.items()})


class AtOnce(Descent):
    """The rate is squared, so that it shows."""

    def direction(self, k, g):
        return g * self.lr

    def set(self, lr):
        self.lr = lr


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (Deaf, ["it reads lr when it is made alone: to set another has no effect"]),
        (Adapts, ["it keeps another rate"]),
        (InsideVelocity, ["with lr=0 it moves: lr is in the velocity, or does not scale the decay, or it averages"]),
        (DividesByRate, ["a step with lr=0 gives NaN or infinity, then or once lr is set back"]),
        (NeedsRate, ["it keeps another rate", "with lr=0 it does not run: step raised ZeroDivisionError"]),
        (AtOnce, []),
    ],
)
def test_what_a_rate_may_mean_is_noted(cls, said):
    found = causes("set-lr", Candidate(cls.__name__, cls))
    assert len(found) == len(said)
    assert all(not c.wrong and text in str(c) for c, text in zip(found, said, strict=True))


def test_a_rate_that_does_nothing_or_cannot_be_set_is_not_asked_for():
    class Without(Descent):
        def set(self, lr):
            pass

        def direction(self, k, g):
            return g / self.lr

    for candidate, said in (
        (Candidate("Without", Without), "its lr changes nothing"),
        (RIGHT["warm-up"], r"it offers no set\(lr=...\)"),
        (following(Momentum(), "momentum"), "it declares no lr"),
    ):
        with pytest.raises(NotRun, match=said):
            causes("set-lr", candidate)
