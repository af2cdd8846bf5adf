"""Gradients belong to the caller."""

from tests.conformance.consistency.common import causes, only
from tests.conformance.consistency.mistakes import KeepsGradients, mutant
from tests.conformance.consistency.ports import Descent


def test_the_leaves_that_are_overwritten_are_named():
    class Second(Descent):
        def direction(self, k, g):
            if k == "b":
                g *= 2
            return g

    found = only("gradient-overwritten", mutant(Second))
    assert str(found) == "it overwrites the gradients it is given (leaf b)"


def test_to_overwrite_is_not_to_keep():
    class Overwrites(Descent):
        def direction(self, k, g):
            g *= 2
            return g

    assert causes("gradient-kept", mutant(Overwrites)) == []
    assert causes("gradient-overwritten", mutant(KeepsGradients)) == []


def test_a_gradient_that_is_kept_and_not_read_again_is_nobodys_business():
    class Remembers(Descent):
        def step(self, grads):
            self.last = grads
            return super().step(grads)

    assert causes("gradient-kept", mutant(Remembers)) == []
