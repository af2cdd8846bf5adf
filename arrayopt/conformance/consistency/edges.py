"""Edges: leaves of unusual shape, memory layout or precision, and gradients that are missing or shared."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from arrayopt.conformance.candidate import Arrays, CannotRunError, dtype_of, epsilon
from arrayopt.conformance.causes import REFUSED, Cause
from arrayopt.conformance.consistency.leaves import (
    Shape,
    accepted,
    finite,
    joined,
    only,
    quiet,
    refuses,
    restricted,
    several,
    unlike,
    with_leaf,
)
from arrayopt.conformance.consistency.subject import Check, NotRun, Subject, _relative

SCALARS = 16.0
"""Machine epsilons by which rounding numbers that all leaves share, such as a rate or a norm, may move a leaf."""
ODD = {"tall": (32, 2), "wide": (2, 32), "square": (5, 5), "conv": (16, 2, 3, 1), "line": (1, 7)}
"""Shapes of leaves that a network has, besides vectors."""


def _missing(subject: Subject) -> Iterator[Cause]:
    if not subject.candidate.missing:
        raise NotRun("it takes a gradient for every leaf")
    names = several(subject)
    leaf, others = names[0], names[1:]
    path = subject.path
    for step in (1, 2):
        try:
            missed = subject.walk(_changed(subject.gradients, step, {leaf: None}))
        except CannotRunError as error:
            yield Cause("missing-gradient", f"it does not run when a leaf has no gradient in step {step}: {error}")
            return
        if not finite(missed):
            yield Cause("missing-gradient", f"no gradient for a leaf in step {step} gives NaN or infinity")
            return
        rest = [only(x, others) for x in path]
        apart = unlike(subject, missed, rest)
        # where the others move otherwise without the leaf too, leaves are coupled and nothing can be said
        if apart is not None and subject.apart(restricted(subject, others).walk(), rest) is None:
            text = f"without a gradient for leaf {leaf!r} in step {step} others move otherwise ({apart})"
            yield Cause("missing-gradient", text)
            return
    try:
        empty = finite(subject.walk(_changed(subject.gradients, 2, dict.fromkeys(names))))
    except CannotRunError as error:
        yield Cause(
            "missing-gradient", f"it does not take a step in which no leaf has a gradient: {error}", wrong=False
        )
    else:
        if not empty:
            yield Cause("missing-gradient", "a step in which no leaf has a gradient gives NaN or infinity")
    again = subject.walk(_changed(subject.gradients, 2, {leaf: subject.gradients[0][leaf]}))
    before, now, repeated = (run[t][leaf] for run, t in ((missed, 0), (missed, 1), (again, 1)))
    if np.array_equal(now, before):
        return
    if np.array_equal(now, repeated):
        yield Cause("missing-gradient", "where a leaf has no gradient it uses that of the step before")
    else:
        text = "a leaf without a gradient moves all the same"
        yield Cause("missing-gradient", text, wrong=False)


def _changed(gradients: list[Arrays], step: int, new: dict[str, np.ndarray | None]) -> list[Arrays]:
    """Return gradients with others for some leaves in one step; None takes them out."""

    def changed(g: Arrays) -> Arrays:
        return {k: x for k, old in g.items() if (x := new.get(k, old)) is not None}

    return [changed(g) if t == step else g for t, g in enumerate(gradients, 1)]


def _zero_d(subject: Subject) -> Iterator[Cause]:
    one = joined(subject, {"point": (1,)})
    try:
        expected = one.path
    except CannotRunError as refusal:
        raise NotRun(f"it does not run with a leaf of shape (1,): {refusal}") from refusal
    point = with_leaf(one, "point", ())
    accepted(point)
    try:
        path = point.walk()
    except CannotRunError as error:
        yield Cause("zero-d", f"it does not run with a 0-d leaf: {error}", {REFUSED: str(error)}, not refuses(error))
        return
    if not finite(path) and finite(expected):
        yield Cause("zero-d", "a 0-d leaf gives NaN or infinity, where one of shape (1,) does not")
        return
    apart = unlike(one, [{**x, "point": x["point"].reshape(1)} for x in path], expected)
    if apart is not None:
        text = f"with a 0-d leaf it moves otherwise than with one of shape (1,) ({apart})"
        yield Cause("zero-d", text, wrong=apart.leaf != "point")


def _empty(subject: Subject) -> Iterator[Cause]:
    quiet(subject)
    vectors = any(p.ndim == 1 for p in subject.params.values())
    for shape in [(0,), (0, 3)] if vectors else [(0, 3)]:
        extended = joined(subject, {"empty": shape})
        accepted(extended)
        try:
            path = extended.walk()
        except CannotRunError as error:
            text = f"it does not run with a leaf of shape {shape}: {error}"
            yield Cause("empty-leaf", text, {REFUSED: str(error)}, not refuses(error))
            continue
        if subject.candidate.tree != "array":
            apart = unlike(subject, path, subject.path)
            if apart is not None:
                yield Cause("empty-leaf", f"a leaf of shape {shape} changes how others move ({apart})")


def _layout(subject: Subject) -> Iterator[Cause]:
    if all(p.ndim < 2 for p in subject.params.values()):
        raise NotRun("it has no leaf of two axes")

    def turned(arrays: Arrays) -> Arrays:
        return {k: np.asfortranarray(x) for k, x in arrays.items()}

    expected = subject.path
    gradients = [turned(g) for g in subject.gradients]
    for what, params, given in (
        ("gradients", subject.params, gradients),
        ("parameters", turned(subject.params), subject.gradients),
        ("parameters and gradients", turned(subject.params), gradients),
    ):
        try:
            apart = unlike(subject, subject.walk(given, params=params), expected)
        except CannotRunError as error:
            yield Cause("layout", f"it does not run with {what} in Fortran order: {error}")
            return
        if apart is not None:
            yield Cause("layout", f"with {what} in Fortran order it moves otherwise ({apart})")
            return


def _shared_gradient(subject: Subject) -> Iterator[Cause]:
    leaf = several(subject)[0]
    twins = subject.replace(params={**subject.params, "twin": 1.5 * subject.params[leaf]})
    copies = [{**g, "twin": g[leaf].copy()} for g in subject.gradients]
    same = [{**g, "twin": g[leaf]} for g in subject.gradients]
    apart = twins.apart(twins.walk(same), twins.replace(gradients=copies).path)
    if apart is not None:
        text = f"two leaves that are handed the same gradient array move otherwise than with copies of it ({apart})"
        yield Cause("shared-gradient", text)


def _mixed_dtypes(subject: Subject) -> Iterator[Cause]:
    own = subject.candidate.dtype
    others = [d for d in subject.candidate.dtypes if d != own]
    if not others:
        raise NotRun("it runs in one precision")
    several(subject)
    ships = subject.replace(hyper={**subject.hyper, **subject.candidate.defaults})
    for dtype in others:
        found: dict[str, Cause] = {}
        for at in (subject, ships) if ships.hyper != subject.hyper else (subject,):
            try:
                found = {c.text: c for c in _mixed(at, dtype)} | found
            except CannotRunError as error:
                yield Cause("mixed-dtypes", f"it does not run with leaves of {own} and {dtype}: {error}")
                return
        # what is wrong says more than what is noted
        wrong = [c for c in found.values() if c.wrong]
        yield from (wrong or list(found.values()))[:1]


def _mixed(subject: Subject, dtype: str) -> Iterator[Cause]:
    """Yield how leaves of the candidate's own precision and of another move otherwise together than alone."""
    other = subject.replace(candidate=dataclasses.replace(subject.candidate, dtype=dtype))
    names, dtypes = list(subject.params), (subject.candidate.dtype, dtype)
    path = subject.walk(dtypes=dict.fromkeys(names[::2], dtype))
    coarse = max(dtypes, key=epsilon)
    for part, held in ((other, names[::2]), (subject, names[1::2])):
        expected = [only(x, held) for x in part.path]
        apart = part.apart(path, expected)
        if apart is None:
            continue
        moved = f"among leaves of {' and '.join(dtypes)} those of {part.candidate.dtype} move otherwise than alone"
        if _stored(path, held, coarse) and not _stored(expected, held, coarse):
            yield Cause("mixed-dtypes", f"{moved} ({apart}): they are kept in {coarse}")
        elif _farthest(path, expected, part.params) <= SCALARS * epsilon(coarse):
            yield Cause("mixed-dtypes", f"{moved}, by what rounding numbers to {coarse} does ({apart})", wrong=False)
        else:
            yield Cause("mixed-dtypes", f"{moved} ({apart})")


def _stored(path: list[Arrays], names: list[str], dtype: str) -> bool:
    """Tell whether a precision holds all parameters as they are."""
    with np.errstate(over="ignore"):
        return all(np.array_equal(x[k], x[k].astype(dtype_of(dtype))) for x in path for k in names)


def _farthest(path: list[Arrays], expected: list[Arrays], start: Arrays) -> float:
    """Return the largest departure over all steps and leaves, relative to the displacement."""
    return max(
        _relative(got[k], x, start[k]) for got, want in zip(path, expected, strict=True) for k, x in want.items()
    )


def _mixed_shapes(subject: Subject) -> Iterator[Cause]:
    subject = subject.replace(gradients=subject.gradients[:3])
    taken = {}
    for name, shape in ODD.items():
        try:
            accepted(joined(subject, {name: shape}))
        except NotRun:
            continue  # such as one for matrices, of 4-D leaves
        taken[name] = shape
    if subject.candidate.tree != "array" and not list(_broken(subject, taken)):
        return
    for name, shape in taken.items():
        yield from _broken(subject, {name: shape})


def _broken(subject: Subject, shapes: Mapping[str, Shape]) -> Iterator[Cause]:
    told = " and ".join(map(str, shapes.values()))
    # one gradient may happen to cancel, and be divided by itself: that is no matter of the shape
    louder = subject.replace(gradients=[{k: x + x / 2 for k, x in by.items()} for by in subject.gradients])
    try:
        broken = all(not finite(joined(s, shapes).walk()) for s in (subject, louder))
    except CannotRunError as error:
        text = f"it does not run with a leaf of shape {told}: {error}"
        yield Cause("mixed-shapes", text, {REFUSED: str(error)}, not refuses(error))
    else:
        if broken:
            yield Cause("mixed-shapes", f"a leaf of shape {told} gives NaN or infinity")


CHECKS = (
    Check(
        "missing-gradient",
        "a leaf without a gradient, in step 1 or 2: a crash, NaN, other leaves that move otherwise, the last gradient "
        "used again. That it moves all the same is only noted, and that a step without any is refused",
        "others moved otherwise where leaves are coupled, since the norm of what is there changes too",
        _missing,
    ),
    Check(
        "zero-d",
        "a 0-d leaf crashes, comes back in another shape, gives NaN, or moves otherwise than one of shape (1,), which "
        "is only noted, as a rule may go by the number of axes",
        "one that refuses 0-d leaves when it is made; to refuse them in a step, by a raise of its own, is noted",
        _zero_d,
    ),
    Check(
        "empty-leaf",
        "a leaf without elements crashes it or changes how others move, as a mean over it is 0/0",
        "one that refuses such leaves when it is made; to refuse them in a step, by a raise of its own, is noted",
        _empty,
    ),
    Check(
        "layout",
        "gradients or parameters in Fortran order crash it or change the result: memory read flat in its own order",
        "strides that are neither order, such as of every second column",
        _layout,
    ),
    Check(
        "shared-gradient",
        "one gradient array handed for two leaves gives something else than two copies: it computes in place on it, "
        "or keeps it as the state of both",
        "one that overwrites gradients only once all leaves have moved",
        _shared_gradient,
    ),
    Check(
        "mixed-dtypes",
        "a leaf of one precision moves otherwise among leaves of another, at exaggerated settings or as it ships: all "
        "are cast to the first one's, or the correction for beta2 is 1 - 1 in the lowest. That a norm or a rate is "
        "rounded to the lowest, which moves leaves as little, is noted",
        "a leaf cast to a higher precision for the step and back",
        _mixed_dtypes,
    ),
    Check(
        "mixed-shapes",
        "a tall, wide, square or 4-D leaf, or one of one row, crashes it or gives NaN",
        "a wrong result that is finite, which needs a rule to compare with, and shapes that it refuses when it is "
        "made; to refuse them in a step, by a raise of its own, is noted",
        _mixed_shapes,
    ),
)
"""Each with leaves beside those of the subject, or others of its own."""
