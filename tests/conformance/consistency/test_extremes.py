"""Gradients and parameters that are zero, tiny, huge or not finite."""

import dataclasses

import numpy as np
import pytest

from arrayopt import IfFinite, Lion, Tiger
from arrayopt.conformance import Candidate
from tests.conformance.consistency.common import causes, only
from tests.conformance.consistency.mistakes import Factored, NoEps, mutant
from tests.conformance.consistency.ports import RIGHT, Adam64, Descent, GlobalClip, following


def test_eps_that_ships_is_probed_beside_the_exaggerated_one():
    """With eps=0.05 nothing is 0/0."""
    declared = Candidate("Adam64", Adam64, ("lr", "eps"))
    assert causes("zero-gradient", declared) == []
    assert only("zero-gradient", dataclasses.replace(declared, defaults={"eps": 0.0})).wrong


def test_what_float64_hides_is_looked_for_in_float32():
    wide = Candidate("Factored", Factored)
    assert causes("zero-gradient", wide) == []
    assert str(only("zero-gradient", dataclasses.replace(wide, dtypes=("float32",)))).endswith("in float32")


@pytest.mark.parametrize(
    ("move", "said", "wrong"),
    [
        (lambda p: 0.1 * p, "parameters decay while gradients are zero, though it declares no weight_decay", False),
        (lambda p: np.sign(p), "parameters move, as by a projection, while gradients are zero", False),
        (lambda p: 1 + 0 * p, "sign(0) is not 0, or its state does not begin at zero", True),
        (lambda p: 1e-6 + 0 * p, "move though all gradients are zero: its state does not begin at zero", False),
        (lambda p: -0.1 * p, "parameters move, as by a projection, while gradients are zero", False),
    ],
)
def test_what_moves_without_gradients(move, said, wrong):
    class Moves(Descent):
        def direction(self, k, g):
            return g + move(self.params[k])

    found = only("zero-gradient", mutant(Moves))
    assert said in str(found)
    assert found.wrong is wrong


def test_noise_without_gradients_is_noted():
    found = only("zero-gradient", RIGHT["seeded noise"])
    assert (str(found), found.wrong) == ("it adds noise, also where gradients are zero", False)


def test_squares_that_overflow_are_noted_and_those_that_underflow_are_wrong():
    class Squares(Descent):
        def direction(self, k, g):
            return g / (1 + np.sum(g * g)) * np.sum(g * g)

    huge = only("extreme-gradient", mutant(Squares))
    assert (huge.values, huge.wrong) == ({"huge": "NaN"}, False)
    tiny = only("extreme-gradient", mutant(NoEps))
    assert (tiny.values, tiny.wrong) == ({"tiny": "NaN"}, True)


class Raises(Descent):
    def step(self, grads):
        if not all(np.isfinite(g).all() for g in grads.values()):
            raise ValueError("not finite")
        return super().step(grads)


class SignOfNaN(Descent):
    """The sign of NaN is zero, in a moment that stays NaN."""

    def __init__(self, params, lr=0.1, weight_decay=0.1):
        super().__init__(params, lr)
        self.m = {k: np.zeros_like(p) for k, p in params.items()}
        self.weight_decay = weight_decay

    def direction(self, k, g):
        self.m[k] = 0.9 * self.m[k] + g
        return np.nan_to_num(np.sign(self.m[k]), nan=0.0) + self.weight_decay * self.params[k]


class Whole(Descent):
    def direction(self, k, g):
        return g / (1 + np.linalg.norm(g))


@pytest.mark.parametrize(
    ("candidate", "nan", "infinity"),
    [
        (mutant(Adam64), "stays in its element", "stays in its element"),
        (mutant(Whole), "spreads over its leaf", "stays in its element"),
        (
            mutant(GlobalClip),
            "stays in its element, and other leaves move otherwise",
            "stays in its element, and other leaves move otherwise",
        ),
        (RIGHT["Clip"], "spreads to other leaves", "stays in its element, and other leaves move otherwise"),
        (following(IfFinite(rule=Lion())), "makes it skip the step", "makes it skip the step"),
        (following(Tiger()), "leaves nothing that is not finite", "leaves nothing that is not finite"),
        (mutant(Raises), "raises an error", "raises an error"),
        (
            Candidate("sign", SignOfNaN, ("lr", "weight_decay")),
            "stops its element for good",
            "leaves nothing that is not finite",
        ),
    ],
    ids=["element", "leaf", "others", "all", "skip", "shrink", "error", "stop"],
)
def test_what_one_number_that_is_not_finite_does_is_noted(candidate, nan, infinity):
    found = only("non-finite", candidate)
    # where a NaN spreads no infinity is tried
    expected = {"NaN": nan} if "spreads" in nan else {"NaN": nan, "infinity": infinity}
    assert (found.values, found.wrong) == (expected, False)
    assert str(found).startswith("NaN in one element of a gradient ")
