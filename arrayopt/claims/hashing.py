"""Signs of random projections: how often they agree, and what their cosine estimates."""

import math

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Element, Integer, Numbers, Real
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack
from arrayopt.claims.sources import article
from arrayopt.claims.walks import away
from arrayopt.sketch import (
    SIGN_COSINE_GAP,
    SIGN_COSINE_WORST,
    cosine_estimate,
    hash_agreement,
    sign_collision,
    sign_cosine,
    sign_hash,
    stable_collision,
)

SOURCE = article(23)
COSINE: dict[str, Element] = {"c": Real(-1.0, 1.0)}


@claim(SOURCE, COSINE, kind="equality", tolerance=1e-14)
def collision(c: float) -> float:
    r"""Signs agree with the probability $1 - \theta/\pi$, and their cosine is $\frac{2}{\pi} \arcsin \cos \theta$."""
    theta = math.acos(c)
    return min(agreement(float(sign_collision(c)), 1 - theta / math.pi, 1.0),
               agreement(float(sign_cosine(c)), 2 / math.pi * math.asin(c), 1.0))  # fmt: skip


@claim(
    SOURCE, COSINE, kind="equality", tolerance=1e-3, expect="refuted", witness={"c": 0.77},
    instead="hashing.corrected",
)  # fmt: skip
def unbiased(c: float) -> float:
    r"""The cosine of the signs estimates the cosine: $E \cos(\mathrm{sgn}, \mathrm{sgn}) = \cos\theta$."""
    return agreement(float(sign_cosine(c)), c, 1.0)


@claim(SOURCE, COSINE, infimum=0.0, tolerance=1e-12)
def largest_gap(c: float) -> float:
    r"""The cosine of the signs is off by at most 0.2105137, attained at $\cos\theta = \pm 0.771178$."""
    return slack(abs(float(sign_cosine(c)) - c), SIGN_COSINE_GAP, SIGN_COSINE_GAP)


@claim(SOURCE, COSINE, kind="equality", tolerance=1e-12)
def corrected(c: float) -> float:
    r"""$\cos(\pi (1 - s))$ of the share s of signs that agree is the cosine, in the limit."""
    return agreement(float(cosine_estimate(float(sign_collision(c)), corrected=True)), c, 1.0)


@claim(SOURCE, {"n": Integer(2, 5), "x": Numbers(("n",)), "a": Numbers((16, "n"))}, kind="equality", tolerance=0.0)
def scale_free(x: Array, a: Array) -> float:
    """Hashes do not change with the lengths of vectors, and opposite vectors agree nowhere."""
    xp, a = namespace(x), away(a)
    if not bool(xp.all(abs(a @ x) > 1e-9)):
        raise Outside
    here = sign_hash(x, a)
    return -float(hash_agreement(here, sign_hash(-x, a))) - 1 + float(hash_agreement(here, sign_hash(4 * x, a)))


@claim(SOURCE, {"p": Integer(1, 2), "near": Real(0.01, 10.0, log=True), "more": Real(1.0, 5.0)}, infimum=0.0)
def stable_falls(p: int, near: float, more: float) -> float:
    """Buckets of p-stable projections hold near pairs together more often than far ones."""
    return slack(float(stable_collision(near * more, 1.0, p)), float(stable_collision(near, 1.0, p)))


@claim(SOURCE, kind="probability")
def frequency() -> float:
    """Of 4,000 signs (seed 0) those of two vectors at 60 degrees agree in 2/3, within 4 standard deviations."""
    directions = np.random.default_rng(0).standard_normal((4000, 2))
    x, y = np.asarray([1.0, 0.0]), np.asarray([0.5, math.sqrt(0.75)])
    share = float(hash_agreement(sign_hash(x, directions), sign_hash(y, directions)))
    return 4 * math.sqrt(2 / 9 / 4000) - abs(share - 2 / 3)


KNOWN = (
    Known("hashing.worst_angle", "the angle where it is", SOURCE, "0.6901", lambda: math.acos(SIGN_COSINE_WORST)),
    Known("hashing.gap", "the largest bias of the cosine of signs", SOURCE, "0.2105137", lambda: SIGN_COSINE_GAP),
    Known("hashing.worst", "the cosine where it is", SOURCE, "0.771178", lambda: SIGN_COSINE_WORST),
)
