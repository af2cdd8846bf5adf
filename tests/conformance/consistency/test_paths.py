"""What is documented to compute the same must."""

import dataclasses

import pytest

from arrayopt import Adam
from arrayopt.conformance.consistency import NotRun, paths
from arrayopt.conformance.consistency.subject import Subject
from tests.conformance.consistency import ports_meta
from tests.conformance.consistency.mistakes import Random
from tests.conformance.consistency.ports import Adam64, Descent, Skips, following
from tests.conformance.consistency.ports_meta import NOTED, WRONG, Refuses, port

(CHECK,) = paths.CHECKS


def causes(candidate):
    return list(CHECK.run(Subject.of(candidate)))


@pytest.mark.parametrize("candidate", WRONG["code-paths"])
def test_a_mistake_is_caught(candidate):
    (found,) = causes(candidate)
    assert found.wrong
    assert str(found).startswith("the code path fast ")


@pytest.mark.parametrize("candidate", NOTED["code-paths"])
def test_what_is_no_mistake_is_noted(candidate):
    (found,) = causes(candidate)
    assert not found.wrong


def test_it_says_where_the_paths_part():
    said = [str(causes(c)[0]) for c in WRONG["code-paths"]]
    assert "(exaggerated: from step 1 on in leaf 'a', by " in said[0]
    assert "(a 0-d leaf): step raised IndexError" in said[1]
    assert "(lr changed on the way: from step 3 on" in said[2]
    said = [str(causes(c)[0]) for c in NOTED["code-paths"]]
    assert "as rounding some numbers to float32 does" in said[0]
    assert "NotImplementedError: there is no such device" in said[1]
    assert "as if some leaves had an optimizer of their own" in said[2]


class Reordered(Adam64):
    """The same in another order of operations."""

    def move(self, k, g):
        self.m[k] += (1 - self.beta1) * (g - self.m[k])
        self.v[k] += (1 - self.beta2) * (g * g - self.v[k])
        self.descend(k, self.direction(k) + self.weight_decay * self.params[k])

    def direction(self, k):
        root = (1 - self.beta2**self.t) ** 0.5
        return self.m[k] * (root / (1 - self.beta1**self.t)) / (self.v[k] ** 0.5 + self.eps * root)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_another_order_of_operations_is_the_same_path(dtype):
    other = dataclasses.replace(port(Reordered), dtype=dtype)
    assert causes(dataclasses.replace(port(Adam64, variants={"fast": other}), dtype=dtype)) == []


def test_a_rule_agrees_with_a_port_of_it():
    names = ("lr", "beta1", "beta2", "eps")
    adam = dataclasses.replace(
        following(Adam(), *names), defaults={"lr": 1e-3}, variants={"port": lambda: port(Adam64)}
    )
    assert causes(adam) == []


def test_the_paths_of_a_switched_candidate_are_compared_with_it():
    right = port(Adam64, variants={"fast": port(Reordered)})
    turned = port(Adam64, variants={"fast": port(ports_meta.ForgetsDecay)})
    (found,) = causes(dataclasses.replace(right, switches={"amsgrad=True": lambda: turned}))
    assert str(found).startswith("with amsgrad=True the code path fast gives another result")


class Flat(Descent):
    """Reads a gradient in the order of its memory."""

    def direction(self, k, g):
        return g.ravel(order="K").reshape(g.shape)


class Late(Skips):
    """Has buffers for the leaves of the first step."""

    def step(self, grads):
        if self.t == 0:
            self.there = set(grads)
        for k in grads:
            assert k in self.there, "no buffer"
        return super().step(grads)


def test_memory_in_another_order_and_a_late_gradient_are_each_told():
    (found,) = causes(port(Descent, variants={"fast": port(Flat)}))
    assert "fast gives another result (gradients in Fortran order: from step 1 on" in str(found)
    skips = dataclasses.replace(port(Skips), missing=True)
    (found,) = causes(dataclasses.replace(skips, variants={"fast": lambda: port(Late)}))
    assert "fast does not run where the plain one does (a leaf whose first gradient comes late)" in str(found)
    (one, other) = causes(dataclasses.replace(skips, variants={"fast": lambda: port(FlatAndLate)}))
    assert "in Fortran order" in str(one)
    assert "comes late" in str(other)


class Summed(Skips):
    """Where a leaf has no gradient the others move otherwise, as by a norm over all leaves."""

    def step(self, grads):
        return super().step({k: g * (1 + len(grads)) for k, g in grads.items()})


def test_a_path_that_departs_where_a_gradient_comes_late_is_compared_with_parts():
    right = dataclasses.replace(port(Skips), missing=True, variants={"fast": lambda: port(Summed)})
    assert "fast gives another result" in str(causes(right)[0])


class FlatAndLate(Late):
    def step(self, grads):
        return super().step({k: g.ravel(order="K").reshape(g.shape) for k, g in grads.items()})


@pytest.mark.parametrize(
    ("candidate", "why"),
    [
        (port(Descent), "it has but one"),
        (port(Adam64, variants={"fused": port(Refuses)}), "the code path fused does not run: .*no such device"),
        (port(Random, variants={"fast": port(Random)}), "differ"),
    ],
)
def test_what_does_not_apply_is_not_run(candidate, why):
    with pytest.raises(NotRun, match=why):
        causes(candidate)
