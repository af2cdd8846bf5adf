"""The majority vote of workers that send one bit a coordinate, and get one bit back."""

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Element, Integer, Numbers, Signs
from arrayopt.claims.margins import agreement
from arrayopt.claims.walks import away, updates
from arrayopt.firstorder import SignSGD

SURVEY = "survey, section 6"
HONEST: dict[str, Element] = {
    "n": Integer(1, 3), "good": Integer(1, 4), "bad": Integer(0, 4), "g": Signs(("n",)), "lies": Signs((4, "n")),
}  # fmt: skip


def _step(signs: Array) -> Array:
    """Return the step on the sum of signs: what the server sends back."""
    return updates(SignSGD(lr=1.0), [namespace(signs).sum(signs, axis=0)])[0]


def _voted(g: Array, good: int, lies: Array) -> Array:
    xp = namespace(g)
    return _step(xp.concat([xp.stack([g] * good), lies], axis=0))


@claim("arXiv 1810.05291; survey, section 6", HONEST, kind="equality", tolerance=0.0)
def is_robust(g: Array, good: int, bad: int, lies: Array) -> float:
    """Majority vote: signs of the honest workers win while fewer than half lie in a coordinate."""
    return agreement(_voted(g, good, lies[: min(bad, good - 1), :]), g)


@claim(
    SURVEY, HONEST, kind="equality", tolerance=0.0, expect="refuted", instead="votes.is_robust",
    witness={"n": 1, "good": 1, "bad": 1, "g": np.ones(1), "lies": -np.ones((4, 1))},
)  # fmt: skip
def is_robust_to_half(g: Array, good: int, bad: int, lies: Array) -> float:
    """Majority vote: signs of the honest workers win while at most half lie; but a tie is 0."""
    return agreement(_voted(g, good, lies[: min(bad, good), :]), g)


VOTERS: dict[str, Element] = {"workers": Integer(1, 5), "n": Integer(1, 3), "g": Numbers(("workers", "n"))}


@claim(SURVEY, VOTERS, kind="equality", tolerance=0.0)
def is_one_bit(g: Array, workers: int) -> float:
    """Odd numbers of workers that send one bit each get one bit back: never 0."""
    signs = namespace(g).sign(away(g))[: workers - 1 + workers % 2, :]
    return -float(namespace(g).max(abs(abs(_step(signs)) - 1)))


@claim(
    SURVEY, VOTERS, kind="equality", tolerance=0.0, expect="refuted", instead="votes.is_one_bit",
    witness={"workers": 2, "n": 1, "g": np.asarray([[1.0], [-1.0]])},
)  # fmt: skip
def is_always_one_bit(g: Array) -> float:
    """Any number of workers that send one bit each get one bit back."""
    return -float(namespace(g).max(abs(abs(_step(namespace(g).sign(away(g)))) - 1)))


@claim(SURVEY, {"size": Integer(1, 9), **VOTERS}, kind="equality", tolerance=0.0)
def of_equals(size: int, g: Array) -> float:
    """Majority vote is the sign of the mean gradient where all gradients of a coordinate are of one size."""
    xp = namespace(g)
    equals = float(size) * xp.sign(away(g))
    return agreement(_step(xp.sign(equals)), xp.sign(xp.sum(equals, axis=0)))


@claim(
    SURVEY, VOTERS, kind="equality", tolerance=0.0, expect="refuted", instead="votes.of_equals",
    witness={"workers": 3, "n": 1, "g": np.asarray([[3.0], [-1.0], [-1.0]])},
)  # fmt: skip
def is_sign_of_mean(g: Array) -> float:
    """Majority vote is the sign of the mean gradient."""
    xp = namespace(g)
    return agreement(_step(xp.sign(away(g))), xp.sign(xp.sum(away(g), axis=0)))
