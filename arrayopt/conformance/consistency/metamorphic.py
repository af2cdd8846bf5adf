"""Metamorphic relations: how the result must change where the input is changed in a known way."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from arrayopt.conformance.candidate import Arrays, epsilon
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.conditioning import by_place, rounding
from arrayopt.conformance.consistency.contexts import on_leaves, scaled, shipped, switched
from arrayopt.conformance.consistency.subject import Apart, Check, NotRun, Subject

CURVATURE, DESCENT = 0.1, 30
"""Of the bowl, and the steps taken in it: no rate that ships is too large for it, nor too small to be seen."""


def _sign_flip(subject: Subject) -> Iterator[Cause]:
    _ = subject.path  # which tells whether runs can be held against each other
    if by_place(subject):
        yield Cause("sign-flip", "it draws random numbers, or goes by place, so that signs tell nothing", wrong=False)
        return
    one_sign = [{k: np.abs(x) for k, x in g.items()} for g in subject.gradients]
    for label, turned in switched(subject):
        zero = turned.replace(params=scaled(turned.params, 0.0))
        for s, how in (
            (zero, "from zero"),
            (zero.replace(gradients=one_sign), "from zero with gradients of one sign"),
            (turned, "from random numbers"),
        ):
            negative = s.replace(params=scaled(s.params, -1.0), gradients=[scaled(g, -1.0) for g in s.gradients])
            apart = negative.apart(negative.walk(), [scaled(x, -1.0) for x in s.walk()])
            if apart is not None:
                said = f"{label}{how}, with every sign turned, it does not move the other way ({apart})"
                yield from _unless_rounding("sign-flip", said, s, apart)
                return  # it is mostly the same with every switch


def _permutation(subject: Subject) -> Iterator[Cause]:
    _ = subject.path
    ranks = {p.ndim for p in subject.params.values()}
    # square, since the null space of a rectangular matrix has no basis of its own
    shapes = {k: s for k, s in {"a": (5, 5), "b": (7,)}.items() if len(s) in ranks}
    if not shapes:
        raise NotRun("it was given no matrix and no vector")
    rng = np.random.default_rng(3)
    orders = {k: [rng.permutation(n) for n in shape] for k, shape in shapes.items()}
    back = {k: [np.argsort(o) for o in order] for k, order in orders.items()}

    def permuted(arrays: Arrays, by: dict[str, list[np.ndarray]]) -> Arrays:
        return {k: x[np.ix_(*by[k])] for k, x in arrays.items()}

    for label, s in switched(on_leaves(subject, shapes)):
        if by_place(s):
            text = f"{label}equal elements of a line move apart: it draws random numbers, or goes by place"
            yield Cause("permutation", text, wrong=False)
            return  # it is mostly the same with every switch
        path = s.walk([permuted(g, orders) for g in s.gradients], params=permuted(s.params, orders))
        apart = s.apart([permuted(p, back) for p in path], s.path)
        if apart is not None:
            said = f"{label}with rows, columns and elements permuted its result is not permuted likewise ({apart})"
            yield from _unless_rounding("permutation", said, s, apart)
            return


def _unless_rounding(kind: str, said: str, subject: Subject, apart: Apart) -> Iterator[Cause]:
    """Yield a departure; a note, if rounding in a lower precision inside explains it, nothing if in its own."""
    inside = rounding(subject, apart)
    if not inside:
        yield Cause(kind, said)
    elif inside != subject.candidate.dtype:
        said = f"{said}; rounding to {inside} in part of the step explains as much"
        yield Cause(kind, said, {"inside": inside}, wrong=False)


def _translation(subject: Subject) -> Iterator[Cause]:
    _ = subject.path  # which tells whether runs can be held against each other
    plain = subject.replace(hyper={**subject.hyper, "weight_decay": 0.0})
    shifted = {k: p + 1.0 for k, p in subject.params.items()}
    if _largest_gap(_moves(plain.walk(params=shifted), shifted), _moves(plain.path, plain.params)) > _loose(subject):
        yield Cause("translation", "its step depends on the parameters, and not by weight decay alone", wrong=False)


def _scale(subject: Subject) -> Iterator[Cause]:
    _ = subject.path  # which tells whether runs can be held against each other
    tiny = {k: 1e-30 for k in subject.candidate.hyper if k.startswith("eps")}
    plain = subject.replace(hyper={**subject.hyper, **tiny, "weight_decay": 0.0})
    larger = plain.walk([scaled(g, 1024.0) for g in plain.gradients])
    before, after = _moves(plain.path, plain.params), _moves(larger, plain.params)
    for factor, text in ((1.0, "does not change"), (1024.0, "grows as much")):
        if _largest_gap(after, [scaled(m, factor) for m in before]) < 1e-3:
            degree = {1.0: 0, 1024.0: 1}[factor]
            yield Cause("scale", f"where all gradients grow, its step {text}", {"degree": degree}, wrong=False)


def _rate(subject: Subject) -> Iterator[Cause]:
    if not subject.hyper.get("lr"):
        raise NotRun("it declares no lr")
    _ = subject.path  # which tells whether runs can be held against each other
    one = subject.gradients[:1]
    plain = subject.replace(hyper={**subject.hyper, "weight_decay": 0.0}, gradients=one)
    doubled = plain.walk(hyper={"lr": 2 * plain.hyper["lr"]})
    before, after = _moves(plain.path, plain.params), _moves(doubled, plain.params)
    if _largest_gap(after, [scaled(m, 2.0) for m in before]) > _loose(subject):
        yield Cause("lr-scale", "its first step is not proportional to lr", wrong=False)


def _descends(subject: Subject) -> Iterator[Cause]:
    target = subject.gradients[0]

    def towards(p: Arrays) -> Arrays:
        return {k: CURVATURE * (x - target[k]) for k, x in p.items()}

    def loss(p: Arrays) -> float:
        return sum(float(np.sum((x - target[k]) ** 2)) for k, x in p.items())

    before, after = loss(subject.params), loss(_descend(subject, towards))
    if after == before:
        yield Cause("descends", f"in {DESCENT} steps as it ships it does not move", wrong=False)
    elif not after < before:
        text = f"in {DESCENT} steps as it ships it goes up a bowl: from a loss of {before:.6g} to {after:.6g}"
        yield Cause("descends", text)
    if "weight_decay" in subject.candidate.hyper and _decay_pull(subject) > 0:
        yield Cause("descends", "with weight decay the parameters are larger after three steps than without")


def _decay_pull(subject: Subject) -> float:
    """Return by how much weight decay moves parameters away from zero, as it ships; negative where it shrinks them."""
    ships = subject.replace(hyper=shipped(subject), gradients=subject.gradients[:3])
    plain, decayed = (ships.walk(hyper={"weight_decay": x})[-1] for x in (0.0, 0.1))
    return float(sum(np.sum((decayed[k] - plain[k]) * p) for k, p in subject.params.items()))


def _descend(subject: Subject, gradient: Callable[[Arrays], Arrays]) -> Arrays:
    running = subject.candidate.start(subject.params, shipped(subject))
    p = subject.params
    for _ in range(DESCENT):
        p, _ = running.step(gradient(p))
    return p


def _moves(path: list[Arrays], start: Arrays) -> list[Arrays]:
    """Return the displacement of each step."""
    return [{k: x - before[k] for k, x in p.items()} for before, p in pairwise([start, *path])]


def _largest_gap(moves: list[Arrays], expected: list[Arrays]) -> float:
    """Return the largest difference relative to the larger displacement of the leaf; infinite where not finite."""
    worst = 0.0
    for got, want in zip(moves, expected, strict=True):
        for k, x in want.items():
            size = max(np.max(np.abs(x)), np.max(np.abs(got[k])))
            off = np.max(np.abs(got[k] - x))
            worst = max(worst, float(off / size) if size > 0 else 0.0) if np.isfinite(off) else np.inf
    return worst


def _loose(subject: Subject) -> float:
    """Return the departure that decides on a trait: far above rounding, far below what a dependence makes."""
    return float(epsilon(subject.candidate.dtype) ** 0.5)


CHECKS = (
    Check(
        "sign-flip",
        "a missing absolute value, a clip of one side, a number added where the sign counts: with parameters and "
        "gradients of the other sign it must move the other way",
        "a mistake that turns its sign too, as a wrong factor does. A rule that keeps parameters positive fails it",
        _sign_flip,
    ),
    Check(
        "permutation",
        "a row statistic put on columns, elements that are mixed up by a reshape, blocks: permuted rows, columns and "
        "elements must give the permuted result, for rules of whole matrices too",
        "the wrong axis where rows or columns are only summed; what rounding inside may explain, and what goes by the "
        "place of an element on purpose, as random numbers do, is only noted",
        _permutation,
    ),
    Check(
        "descends",
        "a flipped sign of the step or of the weight decay: the loss of a wide bowl must fall, and three steps with "
        "weight decay must not end farther out than without",
        "every wrong size of a step in the right direction, and a flipped sign that another one hides",
        _descends,
    ),
    Check(
        "translation",
        "a note: whether the step depends on where the parameters are",
        "a dependence that shows only far from the start or late",
        _translation,
    ),
    Check(
        "scale",
        "a note: whether the step keeps its size or grows in proportion where all gradients grow",
        "an eps that is not declared hides the first for gradients of its size",
        _scale,
    ),
    Check(
        "lr-scale",
        "a note: whether the first step is proportional to the learning rate",
        "a learning rate that enters otherwise in later steps",
        _rate,
    ),
)
