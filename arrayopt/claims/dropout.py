"""Dropout as an average over models: where the average over weights equals it, in language models and attention too."""

from typing import Any

import numpy as np

from arrayopt.backend import Array, namespace
from arrayopt.claims.claim import Outside, claim
from arrayopt.claims.domain import Count, Element, Integer, Numbers, Probability, Real, Signs
from arrayopt.claims.known import Known
from arrayopt.claims.margins import agreement, slack, ulps
from arrayopt.claims.sources import article
from arrayopt.core.logsumexp import logsumexp, softmax
from arrayopt.theory.dropout import (
    all_masks,
    attention_over_kept,
    corrected_embedding,
    dropout_second_order,
    embedding_weights,
    expected_masked_attention,
    masked_attention,
    masked_language_average,
    model_average,
    squared_loss_split,
)

SOURCE = article(18)
ROUNDING = ulps(64)
KEEP = Real(0.05, 1.0)
X: dict[str, Element] = {"d": Integer(1, 4), "x": Numbers(("d",), low=-3.0, high=3.0), "p": KEEP}
QUADRATIC: dict[str, Element] = {
    **X, "H": Numbers(("d", "d"), low=-2.0, high=2.0), "c": Numbers(("d",), low=-2.0, high=2.0)
}  # fmt: skip
LOSS: dict[str, Element] = {"m": Integer(1, 6), "f": Numbers(("m",)), "q": Probability("m"), "y": Real(-5.0, 5.0)}


def _size(x: Array, p: float, power: int = 2) -> float:
    """Return how large a polynomial of x over p may be."""
    return float((1 + float(namespace(x).max(abs(x))) / p) ** power * x.shape[0] ** 2 * 2)


@claim(SOURCE, {"d": Integer(1, 4), "x": Numbers(("d",)), "p": Real(0.0, 1.0), "k": Count(1, 9)}, kind="equality",
       tolerance=ROUNDING)  # fmt: skip
def moments(x: Array, p: float, k: int) -> float:
    r"""All moments $E[e^k]$ of a mask's entries are the keep probability p, and their variance is $p(1 - p)$."""
    masks, odds = all_masks(x, p)
    expected = namespace(x).ones_like(x)
    return min(
        agreement(odds @ masks**k, p * expected, scale=1.0),
        agreement(odds @ (masks - p) ** 2, p * (1 - p) * expected, scale=1.0),
    )


@claim(SOURCE, {**LOSS, "t": Real(-1.0, 1.0)}, tolerance=ROUNDING, infimum=0.0)
def best_predictor(f: Array, q: Array, y: float, t: float) -> float:
    r"""Under squared loss the best prediction of the $f_e$ is the model average: $E(f_e - z)^2$ is least at $E f_e$.

    By $(z - E f_e)^2$ at least, which is all there is.
    """
    mean = float(q @ f)
    at_mean, _, _ = squared_loss_split(mean, f, q)
    elsewhere, _, _ = squared_loss_split(mean + t, f, q)
    return slack(float(at_mean) + t * t, float(elsewhere), 1 + float(namespace(f).max(abs(f))) ** 2)


@claim(SOURCE, LOSS, kind="equality", tolerance=ROUNDING)
def split(f: Array, q: Array, y: float) -> float:
    r"""$E_e(y - f_e)^2 = (y - E f_e)^2 + \mathrm{Var} f_e$."""
    single, average, variance = squared_loss_split(y, f, q)
    return agreement(single, average + variance, scale=(abs(y) + float(namespace(f).max(abs(f)))) ** 2)


@claim(SOURCE, LOSS, tolerance=ROUNDING, infimum=0.0)
def averaging_never_hurts(f: Array, q: Array, y: float) -> float:
    r"""No squared loss of a model average is larger than the expected one of single masks."""
    single, average, _ = squared_loss_split(y, f, q)
    return slack(average, single, (abs(y) + float(namespace(f).max(abs(f)))) ** 2 + 1e-300)


@claim(SOURCE, {**X, "c": Numbers(("d",), low=-2.0, high=2.0), "b": Real(-2.0, 2.0)}, kind="equality",
       tolerance=ROUNDING)  # fmt: skip
def affine(x: Array, p: float, c: Array, b: float) -> float:
    r"""$E f(x e / p) = f(x)$ for affine f: the average over weights, with dropout off, is the model average."""
    mean, _ = model_average(lambda z: z @ c + b, x, p)
    return agreement(mean, x @ c + b, scale=_size(x, p, 1))


def _form(z: Array, H: Array, c: Array) -> Array:
    xp = namespace(z)
    return xp.sum((z @ H) * z, axis=-1) / 2 + z @ c


@claim(
    SOURCE, QUADRATIC, kind="equality", tolerance=1e-9, expect="refuted", instead="dropout.affine",
    witness={"d": 1, "x": np.ones(1), "p": 0.5, "H": np.ones((1, 1)), "c": np.zeros(1)},
)  # fmt: skip
def weights_for_models(x: Array, p: float, H: Array, c: Array) -> float:
    r"""$E f(x e / p) = f(x)$ for quadratic f too: dropout may be turned off at no loss."""
    mean, _ = model_average(lambda z: _form(z, H, c), x, p)
    return agreement(mean, _form(x, H, c), scale=_size(x, p))


@claim(SOURCE, QUADRATIC, kind="equality", tolerance=ROUNDING)
def second_order(x: Array, p: float, H: Array, c: Array) -> float:
    r"""$E f(x e / p) = f(x) + \frac{1-p}{2p} \sum_i f_{ii} x_i^2$ for quadratic f, exactly."""
    mean, _ = model_average(lambda z: _form(z, H, c), x, p)
    diagonal = namespace(x).linalg.diagonal(H)
    return agreement(mean, dropout_second_order(_form(x, H, c), diagonal, x, p), scale=_size(x, p))


CUBIC: dict[str, Element] = {"x": Numbers((1,), low=-2.0, high=2.0), "p": KEEP}


@claim(
    SOURCE, CUBIC, kind="equality", tolerance=1e-9, expect="refuted", instead="dropout.third_order",
    witness={"x": np.ones(1), "p": 0.8},
)  # fmt: skip
def second_order_for_cubics(x: Array, p: float) -> float:
    r"""$E f(x e / p) = f(x) + \frac{1-p}{2p} f''(x) x^2$ for a cubic f too; at $p = 1/2$ it is true."""
    mean, _ = model_average(lambda z: z[:, 0] ** 3, x, p)
    return agreement(mean, dropout_second_order(x[0] ** 3, 6 * x, x, p), scale=_size(x, p, 3))


@claim(SOURCE, CUBIC, kind="equality", tolerance=ROUNDING)
def third_order(x: Array, p: float) -> float:
    r"""Cubics add $\frac{(1-p)(1-2p)}{6 p^2} f''' x^3$, of first order in $1 - p$: the expansion is one in x."""
    mean, _ = model_average(lambda z: z[:, 0] ** 3, x, p)
    more = (1 - p) * (1 - 2 * p) / (p * p) * x[0] ** 3
    return agreement(mean, dropout_second_order(x[0] ** 3, 6 * x, x, p) + more, scale=_size(x, p, 3))


@claim(SOURCE, {**X, "W": Numbers((3, "d"), low=-2.0, high=2.0)}, tolerance=ROUNDING, infimum=0.0)
def convex(x: Array, p: float, W: Array) -> float:
    r"""$E f(x e / p) \ge f(x)$ for convex f, here $\operatorname{LSE}(W x)$: it adds to a loss, as a penalty does."""
    mean, _ = model_average(lambda z: logsumexp(z @ W.T), x, p)
    return slack(logsumexp(W @ x), mean, _size(x, p, 1))


TOKEN: dict[str, Element] = {
    "d": Integer(1, 4), "x": Numbers(("d",)), "m": Numbers(("d",)), "p": Real(0.0, 1.0)
}  # fmt: skip


@claim(SOURCE, TOKEN, kind="equality", tolerance=ROUNDING)
def masked_language_model(x: Array, m: Array, p: float) -> float:
    r"""In a masked language model tokens are $x_i e + m(1 - e)$, of which the mean is $p x_i + (1 - p) m$."""
    xp = namespace(x)
    masks, odds = all_masks(x, p)
    scale = 1 + float(xp.max(abs(x))) + float(xp.max(abs(m)))
    return agreement(odds @ (x * masks + m * (1 - masks)), masked_language_average(x, m, p), scale=scale)


@claim(
    SOURCE, TOKEN, kind="equality", tolerance=1e-9, expect="refuted", instead="dropout.masked_language_model",
    witness={"d": 1, "x": np.ones(1), "m": np.zeros(1), "p": 0.85},
)  # fmt: skip
def fine_tuning_is_consistent(x: Array, m: Array, p: float) -> float:
    """Fine-tuning, which feeds the token itself, feeds the mean of what the model was trained on."""
    return agreement(masked_language_average(x, m, p), x)


@claim(
    SOURCE,
    {"n": Integer(1, 4), "E": Numbers(("n", 2)), "row": Real(0.0, 1.0), "s": Real(0.0, 1.0), "parts": Probability(3)},
    kind="equality", tolerance=ROUNDING,
)  # fmt: skip
def corrected(n: int, E: Array, row: float, s: float, parts: Array) -> float:
    r"""$E \leftarrow (1 - s) E + s (a E_{mask} + b E + c \bar E)$ is the mean of what BERT is trained on.

    With a part s selected, of which the parts a, b, c are masked, kept, replaced by any token.
    """
    xp, mask = namespace(E), min(int(row * n), n - 1)
    a, b, c = (float(part) for part in parts)
    every = xp.mean(E, axis=0)
    expected = xp.stack([(1 - s) * E[i, :] + s * (a * E[mask, :] + b * E[i, :] + c * every) for i in range(n)])
    return agreement(corrected_embedding(E, mask, s, a, b, c), expected, scale=1 + float(xp.max(abs(E))))


ATTENTION: dict[str, Element] = {
    "n": Integer(2, 4), "L": Numbers((2, "n"), spread=2.0), "kept": Signs(("n",))
}  # fmt: skip


@claim(SOURCE, ATTENTION, kind="equality", tolerance=ROUNDING)
def dropping_tokens(n: int, L: Array, kept: Array) -> float:
    """To drop tokens is to zero columns of the softmax attention and to renormalise rows: softmax over what is kept."""
    xp, mask = namespace(L), (kept + 1) / 2
    here = [i for i in range(n) if float(mask[i]) == 1]
    if not here:
        raise Outside
    some = xp.asarray(here)
    dropped = masked_attention(softmax(L), mask)
    alone = softmax(xp.take(L, some, axis=1))
    return min(
        agreement(xp.take(dropped, some, axis=1), alone), agreement(xp.sum(dropped, axis=1), xp.ones_like(L[:, 0])),
        agreement(attention_over_kept(L, mask), dropped),
    )  # fmt: skip


@claim(SOURCE, {"n": Integer(1, 4), "x": Numbers(("n",)), "p": Real(0.0, 1.0)}, kind="equality", tolerance=ROUNDING)
def product_of_masks(n: int, x: Array, p: float) -> float:
    r"""$E[\tilde M_1 \circ \dots \circ \tilde M_n] = p$ everywhere.

    Where all entries of $\tilde M_i$ are 1, except that with probability $1 - p$ column i is 0.
    """
    xp = namespace(x)
    masks, odds = all_masks(x, p)
    total = xp.zeros_like(x[:, None] * x)
    for k in range(masks.shape[0]):
        product = xp.ones_like(total)
        for i in range(n):
            only = xp.where(xp.arange(n) == i, masks[k, i], xp.asarray(1.0, dtype=x.dtype))
            product = product * only
        total = total + odds[k] * product
    return agreement(total, p * xp.ones_like(total), scale=1.0)


SQUARE: dict[str, Element] = {"n": Integer(2, 4), "L": Numbers(("n", "n"), spread=2.0), "p": KEEP}
WITNESS = {"n": 2, "L": np.log(np.array([[0.75, 0.25], [0.5, 0.5]])), "p": 0.5}


@claim(SOURCE, SQUARE, kind="equality", tolerance=ROUNDING)
def attention_of_the_mean_mask(n: int, L: Array, p: float) -> float:
    r"""$\mathrm{Norm}(A \circ E[M]) = A$: in the sense of the average over weights training and prediction agree."""
    A = softmax(L)
    return agreement(masked_attention(A, p * namespace(L).ones_like(L)), A)


@claim(
    SOURCE, SQUARE, kind="equality", tolerance=1e-9, expect="refuted", witness=WITNESS,
    instead="dropout.attention_of_the_mean_mask",
)  # fmt: skip
def mean_attention(L: Array, p: float) -> float:
    r"""$E[\mathrm{Norm}(A \circ M)] = A$: so they agree in the sense of the average over models."""
    return agreement(expected_masked_attention(softmax(L), p), softmax(L))


@claim(
    SOURCE, SQUARE, kind="equality", tolerance=1e-9, expect="refuted", witness=WITNESS,
    instead="dropout.mass_of_attention",
)  # fmt: skip
def mean_attention_where_kept(n: int, L: Array, p: float) -> float:
    r"""$E[\mathrm{Norm}(A \circ M) \mid M \ne 0] = A$: but for the masks that keep nothing they do."""
    return agreement(expected_masked_attention(softmax(L), p) / (1 - (1 - p) ** n), softmax(L))


@claim(SOURCE, SQUARE, kind="equality", tolerance=ROUNDING)
def mass_of_attention(n: int, L: Array, p: float) -> float:
    r"""Rows of $E[\mathrm{Norm}(A \circ M)]$ add up to $1 - (1 - p)^n$, those of which nothing is kept being 0."""
    xp = namespace(L)
    found = xp.sum(expected_masked_attention(softmax(L), p), axis=-1)
    return agreement(found, (1 - (1 - p) ** n) * xp.ones_like(found), scale=1.0)


@claim(SOURCE, {"n": Integer(1, 4), "c": Numbers((2,)), "p": KEEP}, kind="equality", tolerance=ROUNDING)
def even_attention(n: int, c: Array, p: float) -> float:
    r"""For $A = 1/n$, even attention, $E[\mathrm{Norm}(A \circ M)] = (1 - (1 - p)^n) A$: there is only that factor."""
    A = softmax(c[:, None] * namespace(c).ones((1, n), dtype=c.dtype))
    return agreement(expected_masked_attention(A, p), (1 - (1 - p) ** n) * A, scale=1.0)


@claim(SOURCE, kind="behaviour")
def nothing_kept() -> float:
    """Rows of which nothing is kept are 0/0, NaN as the formula stands; here they are 0."""
    A, nothing = np.array([[0.75, 0.25]]), np.zeros(2)
    with np.errstate(invalid="ignore"):
        naive = A * nothing / np.sum(A * nothing, axis=-1, keepdims=True)
    return 1.0 if np.all(np.isnan(naive)) and not np.any(masked_attention(A, nothing)) else -1.0


def _weight(k: int) -> Any:
    return lambda: embedding_weights()[k]


KNOWN = tuple(
    Known(f"dropout.{name}", f"The weight of {what} in BERT's corrected embedding", SOURCE, printed, _weight(k))
    for k, (name, what, printed) in enumerate((
        ("of_the_token", "the token", "0.865"), ("of_the_mask", "the mask", "0.12"), ("of_all", "the mean", "0.015"),
    ))
)  # fmt: skip
