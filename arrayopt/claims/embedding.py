"""The dimension of embeddings from the entropy of angles."""

import math

import numpy as np

from arrayopt.claims.claim import claim
from arrayopt.claims.domain import Count, Element
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack
from arrayopt.theory import EMBEDDING_CONSTANT, EMBEDDING_RATE, angle_density, embedding_entropy, embedding_rule

SOURCE = "archives 7695 and 8711 (section 23)"
LIMIT = -0.5 * math.log((1 + math.sqrt(5)) / 2)
N: dict[str, Element] = {"n": Count(2, 10**5, log=True)}


@claim(SOURCE, N, infimum=0.0, tolerance=1e-9)
def rate(n: int) -> float:
    r"""$h_n / n \to -\frac12 \log\frac{1 + \sqrt5}{2}$, from below."""
    return slack(float(embedding_entropy(n)) / n, LIMIT, 1.0)


@claim(SOURCE, {"n": Count(50, 10**5, log=True)}, kind="limit", tolerance=0.02)
def rate_reached(n: int) -> float:
    r"""$h_n / n$ is within 1/n of its limit."""
    return 1.0 - n * abs(float(embedding_entropy(n)) / n - LIMIT)


@claim(SOURCE, {"n": Count(3, 500, log=True)}, kind="equality", tolerance=1e-10)
def by_quadrature(n: int) -> float:
    r"""$h_n = \log E e^{n \cos \theta} - E[n \cos \theta e^{n \cos \theta}] / E e^{n \cos \theta}$ of random angles."""
    t, w = np.polynomial.legendre.leggauss(200)
    theta = math.pi / 2 * (1 + t)
    e = math.pi / 2 * w * np.asarray(angle_density(theta, n)) * np.exp(n * (np.cos(theta) - 1))
    mean = float(np.sum(e * np.cos(theta)) / np.sum(e))
    return agreement(float(embedding_entropy(n)), n + math.log(float(np.sum(e))) - n * mean)


KNOWN = (
    *(
        Known(f"embedding.entropy_{n}", f"$h_{{{n}}}$", SOURCE, printed,
              lambda n=n: float(embedding_entropy(n)))  # type: ignore[misc]
        for n, printed in ((32, "-7.77471"), (64, "-15.4734"), (128, "-30.8718"), (512, "-123.264"))
    ),
    Known("embedding.limit", "the limit of $h_n / n$", SOURCE, "-0.2406059", lambda: float(EMBEDDING_RATE)),
    Known("embedding.constant", "the constant of the rule", SOURCE, "8.31235", lambda: float(EMBEDDING_CONSTANT)),
    *(
        Known(f"embedding.rule_{items}", f"the article's rule for {items} items", SOURCE, printed,
              lambda items=items: float(embedding_rule(items, 8.33)))  # type: ignore[misc]
        for items, printed in ((100_000, "95.9"), (5_000_000, "128.5"), (512, "51.97"))
    ),
)  # fmt: skip
