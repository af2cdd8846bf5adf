"""The tape: what a rule leaves when it is traced, and what it may not do."""

from dataclasses import dataclass
from typing import Any

import pytest

from arrayopt import TraceError
from arrayopt.core.options import NonNegative, Rate
from arrayopt.core.rule import Rule
from arrayopt.core.tape import host_value, opaque
from arrayopt.core.tracing import trace
from arrayopt.core.trees import Leaf

LEAF = Leaf("w", (4, 3), "float64")


@dataclass(frozen=True, kw_only=True)
class Text(Rule):
    """A rule whose step is given as a function."""

    lr: Rate = 0.1
    a: NonNegative = 0.5
    b: NonNegative = 0.0
    text: Any = None

    def step(self, xp, h, g, p):
        return self.text(self, xp, h, g, p), {}


def traced(text, **numbers):
    rule = Text(text=text, **numbers)
    return trace(rule, LEAF, rule.numbers_at(1, LEAF), {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lambda self, xp, h, g, p: p if g else g, r"Text.step branches on an array; write xp.where"),
        (lambda self, xp, h, g, p: p if g > 0 else g, r"branches on an array"),
        (lambda self, xp, h, g, p: p if h.a > 0 else g, r"compares a number of h; decide it in `scalars`"),
        (lambda self, xp, h, g, p: p if h.a else g, r"branches on a number of h"),
        (lambda self, xp, h, g, p: p - self.lr * g, r"Text.step reads self.lr; read h.lr"),
        (lambda self, xp, h, g, p: p - h.rate * g, r"Text.step reads h.rate, but `scalars` does not return it"),
        (lambda self, xp, h, g, p: xp.cumsum(g), r"uses xp.cumsum, which no tape can hold; use abs, add"),
        (lambda self, xp, h, g, p: p * float(g), r"takes float\(\) of an array"),
        (lambda self, xp, h, g, p: p * float(h.a), r"takes float\(\) of a number of h"),
        (lambda self, xp, h, g, p: p * int(h.a), r"takes int\(\) of a number of h"),
        (lambda self, xp, h, g, p: p * h.a**2, r"takes a power of a number of h"),
        (lambda self, xp, h, g, p: p**2, r"takes a power of an array"),
        (lambda self, xp, h, g, p: p[0], r"indexes an array"),
        (lambda self, xp, h, g, p: [x for x in p], r"loops over an array"),
        (lambda self, xp, h, g, p: p * g.shape[0], r"reads an array's shape; `scalars` sees it as leaf.shape"),
        (lambda self, xp, h, g, p: p.dtype, r"reads an array's dtype"),
        (lambda self, xp, h, g, p: p + "1", r"hands a str to an operation"),
        (lambda self, xp, h, g, p: 1.0, r"returns 1.0 for p; expected an array"),
    ],
)
def test_what_a_tape_could_not_replay_is_refused(text, said):
    with pytest.raises(TraceError, match=said):
        traced(text)


@pytest.mark.parametrize("sign", ["+", "-", "*", "/"])
def test_writing_in_place_is_refused(sign):
    def text(self, xp, h, g, p):
        match sign:
            case "+":
                p += g
            case "-":
                p -= g
            case "*":
                p *= g
            case "/":
                p /= g
        return p

    with pytest.raises(TraceError, match=rf"writes `\{sign}=`, which would change the caller's array"):
        traced(text)


def test_writing_into_an_array_is_refused():
    def text(self, xp, h, g, p):
        p[0] = g
        return p

    with pytest.raises(TraceError, match="writes into an array"):
        traced(text)


def test_numbers_are_computed_on_the_host_and_arrays_are_not():
    tape = traced(lambda self, xp, h, g, p: p - (1 - h.a) * h.lr * g)
    assert [(op.name, op.on_host) for op in tape.ops] == [
        ("subtract", True), ("multiply", True), ("multiply", False), ("subtract", False),
    ]  # fmt: skip


def test_shapes_are_followed_through_reductions_and_products():
    def text(self, xp, h, g, p):
        rows = xp.sum(g, axis=1, keepdims=True)
        return p - rows * xp.mean(g) * (p @ p.mT @ g)

    shapes = [op.out.shape for op in traced(text).ops]
    assert shapes == [(4, 1), (), (4, 1), (3, 4), (4, 4), (4, 3), (4, 3), (4, 3)]


def test_a_helper_marked_opaque_is_one_operation():
    @opaque(shape=lambda x: x)
    def halved(xp, x, by, *, times):
        return x / by**times

    tape = traced(lambda self, xp, h, g, p: p - halved(xp, g, h.a, times=3))
    (op,) = [op for op in tape.ops if op.helper is not None]
    assert (op.name, op.attrs) == ("halved", (("times", 3),))


def test_local_variables_name_the_values():
    def step(self, xp, h, g, p):
        u = g * h.a
        return p - u, {}

    class Named(Text):
        pass

    Named.step = step
    rule = Named()
    tape = trace(rule, LEAF, rule.numbers_at(1, LEAF), {}, named=True)
    assert tape.names[tape.ops[0].out.index] == "u"


def test_host_values():
    assert [host_value(n, 3.0, 2.0) for n in ("add", "subtract", "multiply", "divide")] == [5.0, 1.0, 6.0, 1.5]
    assert (host_value("negative", 3.0), host_value("sqrt", 9.0)) == (-3.0, 3.0)
    with pytest.raises(TraceError, match="tanh of numbers; compute it in `scalars`"):
        host_value("tanh", 1.0)
