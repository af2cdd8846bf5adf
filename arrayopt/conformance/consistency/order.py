"""Order: runs, instances and leaves do not influence one another, and the order of leaves does not matter."""

from collections.abc import Iterator

import numpy as np

from arrayopt.conformance.candidate import Arrays, CannotRunError
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.leaves import only, quiet, restricted, several, unlike
from arrayopt.conformance.consistency.subject import Check, Subject


def _repeatable(subject: Subject) -> Iterator[Cause]:
    apart = subject.apart(subject.walk(), subject.walk())
    if apart is not None and subject.candidate.random:
        yield Cause("repeatable", f"it is random by design: it draws {subject.candidate.random}", wrong=False)
    elif apart is not None:
        text = (
            f"two runs from the same start part {apart}: it draws random numbers, keeps something from an earlier "
            "run, or reads memory that it never wrote"
        )
        yield Cause("repeatable", text)


def _two_instances(subject: Subject) -> Iterator[Cause]:
    candidate, alone = subject.candidate, subject.path
    slower = {**subject.hyper, **({"lr": 0.5 * subject.hyper["lr"]} if "lr" in subject.hyper else {})}
    one = candidate.start(subject.params, subject.hyper)
    other = candidate.start(_turned(subject.params), slower)
    path = []
    for g in subject.gradients:
        other.step(_turned(g))
        path.append(one.step(g)[0])
        other.step(g)
    apart = subject.apart(path, alone)
    if apart is not None:
        text = (
            f"two runs that take turns disturb each other ({apart}): instances share state, in an attribute of the "
            "class, a default argument or the module"
        )
        yield Cause("two-instances", text)


def _order_dependent(subject: Subject) -> Iterator[Cause]:
    names = several(quiet(subject))
    for way, order in (("reversed", names[::-1]), ("rotated", [*names[1:], names[0]])):
        moved = restricted(subject, order)
        apart = _apart_or_error(subject, moved.gradients, moved.params)
        if apart:
            yield Cause("order-dependent", f"with the leaves {way} it {apart}: its result depends on their order")
            return
    if subject.candidate.tree == "dict":
        apart = _apart_or_error(subject, restricted(subject, names[::-1]).gradients, subject.params)
        if apart:
            text = f"with the leaves of the gradients alone reversed it {apart}: it pairs them by place, not by name"
            yield Cause("order-dependent", text)


def _apart_or_error(subject: Subject, gradients: list[Arrays], params: Arrays) -> str:
    """Say how a run differs from the plain one, which is known to run; nothing if it does not."""
    expected = subject.path
    try:
        apart = unlike(subject, subject.walk(gradients, params=params), expected)
    except CannotRunError as error:
        return f"does not run: {error}"
    return "" if apart is None else f"moves otherwise ({apart})"


def _shared_state(subject: Subject) -> Iterator[Cause]:
    names, _ = several(quiet(subject)), subject.path  # which tells whether runs can be held against each other
    crowd = _with_twins(subject)
    among = crowd.walk()
    for leaf in names:
        try:
            alone = restricted(subject, [leaf]).walk()
        except CannotRunError as error:
            yield Cause("shared-state", f"leaf {leaf!r} does not run alone, though it does among others: {error}")
            return
        apart = unlike(subject, among, alone)
        if apart is None:
            continue
        # Zeros add nothing to a norm over all leaves; a count and a buffer do not care what the numbers are.
        zeroed = _zeroed(crowd, leaf)
        path = zeroed.walk()
        still = unlike(subject, path, alone)
        if still is None:
            text = f"a leaf alone moves otherwise than among others ({apart}), but not than among zeros: "
            yield Cause("coupled-leaves", text + "it uses a quantity of all leaves, such as a norm", wrong=False)
        elif subject.apart(_doubled(zeroed, leaf).walk(), only_leaf(path, leaf)) is not None:
            text = f"a leaf alone moves otherwise than among others ({apart}), by how many elements those have: "
            yield Cause("coupled-leaves", text + "it uses a quantity of all leaves, such as a mean", wrong=False)
        else:
            text = f"a leaf alone moves otherwise than among others, even if those are zeros ({still}): "
            yield Cause("shared-state", text + "leaves share state or a step counter")
        return


def only_leaf(path: list[Arrays], leaf: str) -> list[Arrays]:
    """Return what one leaf does in a run."""
    return [only(params, [leaf]) for params in path]


def _with_twins(subject: Subject) -> Subject:
    """Give every leaf a twin of the same shape, with which it may share what is kept by shape."""

    def twins(arrays: Arrays) -> Arrays:
        return {**arrays, **{f"{k}_twin": 1.5 * _turned(arrays)[k] for k in arrays}}

    return subject.replace(params=twins(subject.params), gradients=[twins(g) for g in subject.gradients])


def _zeroed(subject: Subject, leaf: str) -> Subject:
    def zeroed(arrays: Arrays) -> Arrays:
        return {k: x if k == leaf else np.zeros_like(x) for k, x in arrays.items()}

    return subject.replace(params=zeroed(subject.params), gradients=[zeroed(g) for g in subject.gradients])


def _doubled(subject: Subject, leaf: str) -> Subject:
    """Let the other leaves have twice as many elements, but for those that have its shape and may share by it."""
    shape = subject.params[leaf].shape

    def doubled(arrays: Arrays) -> Arrays:
        return {k: x if x.shape == shape else np.concatenate([x, x]) for k, x in arrays.items()}

    return subject.replace(params=doubled(subject.params), gradients=[doubled(g) for g in subject.gradients])


def _turned(arrays: Arrays) -> Arrays:
    """Return other numbers of the same sizes."""
    return {k: np.flip(x) for k, x in arrays.items()}


CHECKS = (
    Check(
        "repeatable",
        "two runs from copies of the same start differ: random numbers, state that outlives its run, memory that was "
        "never written. Where a candidate says that it is random by design, that is noted; every check that holds two "
        "runs against each other is then not run",
        "one whose random numbers are small against rounding, or have a fixed seed; unwritten memory that happens to "
        "hold the same numbers",
        _repeatable,
    ),
    Check(
        "two-instances",
        "two runs of one process that take turns disturb each other: state or options live in the class, in a "
        "default argument or in the module",
        "options other than lr that instances share, since both have the same",
        _two_instances,
    ),
    Check(
        "order-dependent",
        "the result depends on the order in which leaves are handed over, reversed and rotated: a count that goes on "
        "from leaf to leaf, a variable of the loop that is read after it, gradients paired by place and not by name",
        "one that breaks in other permutations alone, or treats a leaf by its name",
        _order_dependent,
    ),
    Check(
        "shared-state",
        "a leaf alone moves otherwise than among others of which some have its shape: a step counter goes up once a "
        "leaf, a buffer is kept by shape or once for all. A quantity of all leaves, such as a norm or a mean over "
        "elements, is told apart by leaves of zeros and by their size, and only noted as coupled-leaves",
        "what is shared beside a mean over all leaves; one that averages over leaves, not elements, is taken for it",
        _shared_state,
    ),
)
