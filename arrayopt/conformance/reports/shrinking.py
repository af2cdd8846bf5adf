"""Shrinking: the smallest experiment in which a candidate still departs from a rule."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Container, Iterator, Mapping

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.compare import Divergence, Ran, compare, run
from arrayopt.conformance.diagnosis.dialects import units
from arrayopt.conformance.models import Model
from arrayopt.conformance.probes import Probe
from arrayopt.errors import LeafError

CLEAR = 0.1
"""Relative error that is as good as any larger one; below, a smaller case must keep half of it."""


@dataclasses.dataclass(frozen=True)
class Small:
    """A small experiment and what it shows.

    Attributes
    ----------
    probe : Probe
        The experiment; its gradients end with the step that departs.
    divergence : Divergence
        The departure.
    scalar_unit : float
        The unit roundoff of scalars with which it is one.
    """

    probe: Probe
    divergence: Divergence
    scalar_unit: float


def shrink(candidate: Candidate, model: Model, ran: Ran) -> Small | None:
    """Return the smallest experiment found in which a candidate departs from a model; None if it does not in `ran`.

    Steps, leaves, rows and columns are left out, hyper-parameters put back to those of the model, and numbers replaced
    by rounder ones, as long as the departure stays about as large.

    Parameters
    ----------
    candidate : Candidate
        What departs.
    model : Rule or Clip
        What it departs from.
    ran : Ran
        The probe in which it does.
    """
    for unit in reversed(units(candidate)):  # who departs however its scalars are computed is not shown for those
        first = compare(ran, model, candidate, unit).divergence
        if first is not None:
            small = Small(_until(ran.probe, first.step), first, unit)
            least = min(first.relative_error / 2, CLEAR)
            departs = functools.partial(_departs, candidate, model, unit, least)
            for reduction in REDUCTIONS:
                small = _reduced(small, reduction, departs)
            return small
    return None


Departs = Callable[[Probe], Divergence | None]


def _departs(candidate: Candidate, model: Model, unit: float, least: float, probe: Probe) -> Divergence | None:
    """Return the departure in a smaller experiment, if there still is a clear one."""
    try:
        ran = run(candidate, probe, model)
        found = None if ran.not_run else compare(ran, model, candidate, unit).divergence
    except (CannotRunError, LeafError):  # one of the two takes no leaves of this shape
        return None
    return found if found is not None and found.relative_error >= least else None


def _reduced(small: Small, reduction: Callable[[Small], Iterator[Probe]], departs: Departs) -> Small:
    """Take the first smaller experiment of a reduction that still departs, over and over until none does."""
    while True:
        for probe in reduction(small):
            found = departs(probe)
            if found is not None:
                small = dataclasses.replace(small, probe=_until(probe, found.step), divergence=found)
                break
        else:
            return small


# What is tried, largest reduction first ---------------------------------------------------------


def _leaves(small: Small) -> Iterator[Probe]:
    """Keep only the leaf that departs, or it and another one."""
    own = small.divergence.path
    others = [k for k in small.probe.params if k != own]
    pairs = [{own, k} for k in others] if len(others) > 1 else []
    for kept in [{own}, *pairs] if others else []:
        yield _mapped(small.probe, functools.partial(_only, kept))


def _elements(small: Small) -> Iterator[Probe]:
    """Keep one element of each leaf as a vector or in its own number of dimensions, or fewer along one axis."""
    shapes = {k: x.shape for k, x in small.probe.params.items()}
    at = {k: tuple(min(i, n - 1) for i, n in zip(_index(small, s), s, strict=True)) for k, s in shapes.items()}
    if any(len(s) > 1 or np.prod(s) > 1 for s in shapes.values()):
        yield _mapped(small.probe, functools.partial(_one, at, 1))
    if any(np.prod(s) > 1 for s in shapes.values()):
        yield _mapped(small.probe, functools.partial(_one, at, None))
    for k, axis in ((k, a) for k, s in shapes.items() for a in range(len(s))):
        for n in range(1, shapes[k][axis]):
            first = min(at[k][axis], shapes[k][axis] - n)
            yield _mapped(small.probe, functools.partial(_window, k, axis, range(first, first + n)))


def _steps(small: Small) -> Iterator[Probe]:
    """Leave out a step, the earliest first, with its rate; the first rate stays, which an optimizer is made with."""
    gradients, factors = small.probe.gradients, factors_of(small.probe)
    for t in range(len(gradients) if len(gradients) > 1 else 0):
        kept = factors[:t] + factors[t + 1 :]
        if kept[0] == factors[0]:
            rates = {i: x for i, (x, before) in enumerate(zip(kept[1:], kept, strict=False), 2) if x != before}
            fewer = [*gradients[:t], *gradients[t + 1 :]]
            yield dataclasses.replace(small.probe, gradients=fewer, rates=rates)


def _rates(small: Small) -> Iterator[Probe]:
    """Keep the rate as it is at the start, or fewer changes of it."""
    rates = small.probe.rates
    for n in range(len(rates)):
        for kept in itertools.combinations(rates, n):
            yield dataclasses.replace(small.probe, rates={t: rates[t] for t in kept})


def _hyper(small: Small) -> Iterator[Probe]:
    """Leave hyper-parameters as the model has them: all of them, or one more."""
    hyper = dict(small.probe.hyper)
    if hyper:
        yield dataclasses.replace(small.probe, hyper={})
    if len(hyper) > 1:
        for name in reversed(hyper):  # from what most rules do without, such as a weight decay
            yield dataclasses.replace(small.probe, hyper={k: x for k, x in hyper.items() if k != name})


def _round_params(small: Small) -> Iterator[Probe]:
    """Start from rounder numbers."""
    for change in ROUNDER:
        params = {k: change(x) for k, x in small.probe.params.items()}
        if not _equal(params, small.probe.params):
            yield dataclasses.replace(small.probe, params=params)
        else:  # what follows is less round
            return


def _round_gradients(small: Small) -> Iterator[Probe]:
    """Take rounder gradients in all steps."""
    for change in ROUNDER[1:]:
        gradients = [{k: change(x) for k, x in g.items()} for g in small.probe.gradients]
        if all(_equal(a, b) for a, b in zip(gradients, small.probe.gradients, strict=True)):
            return
        yield dataclasses.replace(small.probe, gradients=gradients)


REDUCTIONS = (_leaves, _elements, _rates, _steps, _hyper, _round_params, _round_gradients, _steps)
"""Ways to make an experiment smaller, in order."""


def _binary(x: np.ndarray, digits: int) -> np.ndarray:
    """Round to so many binary digits, which every precision holds exactly."""
    mantissa, exponent = np.frexp(x)
    return np.asarray(np.ldexp(np.round(mantissa * 2.0**digits) / 2.0**digits, exponent))


ROUNDER: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    np.zeros_like,
    np.ones_like,
    np.sign,
    lambda x: _binary(x, 2),
    lambda x: _binary(x, 4),
    lambda x: _binary(x, 8),
)
"""What a leaf may be replaced by, the roundest first."""


def factors_of(probe: Probe) -> list[float]:
    """Return the factor of the learning rate in each step."""
    factors = [1.0]
    for t in range(1, len(probe.gradients) + 1):
        factors.append(probe.rates.get(t, factors[-1]))
    return factors[1:]


# Cutting ----------------------------------------------------------------------------------------


def _until(probe: Probe, step: int) -> Probe:
    """End after a step."""
    rates = {t: x for t, x in probe.rates.items() if t <= step}
    return dataclasses.replace(probe, gradients=probe.gradients[:step], rates=rates)


def _mapped(probe: Probe, cut: Callable[[Arrays], Arrays]) -> Probe:
    """Cut the start and every gradient alike."""
    return dataclasses.replace(probe, params=cut(probe.params), gradients=[cut(g) for g in probe.gradients])


def _only(kept: Container[str], tree: Arrays) -> Arrays:
    return {k: x for k, x in tree.items() if k in kept}


def _one(at: Mapping[str, tuple[int, ...]], dimensions: int | None, tree: Arrays) -> Arrays:
    """Keep one element of each leaf, with so many dimensions; None for as many as it has."""
    return {k: x[at[k]].reshape((1,) * (x.ndim if dimensions is None else dimensions)) for k, x in tree.items()}


def _window(leaf: str, axis: int, window: range, tree: Arrays) -> Arrays:
    return {**tree, leaf: np.take(tree[leaf], window, axis=axis)}


def _index(small: Small, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index that departs, as long as a shape."""
    return (*small.divergence.index, *(0 for _ in shape))[: len(shape)]


def _equal(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> bool:
    return all(np.array_equal(a[k], b[k], equal_nan=True) for k in b)
