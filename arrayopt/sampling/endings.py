r"""When a search by Gaussian samples ends: what is recorded of its generations, and the conditions on it.

The names and the defaults are those of pycma. Records are kept on the host, a row for each of R independent runs: the
values come there anyway to be ranked.
"""

from typing import Any, NamedTuple

import numpy as np

from arrayopt.core.method import Status

EVERY = 5
"""Generations between two records for `tolstagnation`."""
KEPT = 20_000


class Tolerances(NamedTuple):
    """The thresholds; see `GaussianSearch` for what each says."""

    tolfun: float
    tolfunhist: float
    tolx: float
    tolstagnation: float
    tolxstagnation: float
    tolfacupx: float
    tolupsigma: float
    tolconditioncov: float
    tolflatfitness: int


class Record(NamedTuple):
    """What generations leave behind, for R runs.

    Attributes
    ----------
    ended : array of int, shape (R,)
        Which of `ENDINGS` has ended a run among others, 0 while it goes on.
    values : array, shape (R, popsize)
        The values of the last generation in ascending order, +inf in place of NaN.
    last : array, shape (R, k)
        The best values of the last generations.
    best, median : array, shape (R, k)
        Best and median values of every fifth generation.
    flat : array of int, shape (R,)
        Generations in a row in which the better three quarters had the same value.
    improved : array of int, shape (R,)
        The generation that found the best value.
    still : array, shape (R, n)
        Where the mean was when it last moved.
    still_since : array of int, shape (R,)
        The generation of that.
    std0 : array, shape (R, n)
        Standard deviations of the first generation.
    """

    ended: np.ndarray
    values: np.ndarray
    last: np.ndarray
    best: np.ndarray
    median: np.ndarray
    flat: np.ndarray
    improved: np.ndarray
    still: np.ndarray
    still_since: np.ndarray
    std0: np.ndarray


class Shape(NamedTuple):
    """The distribution as the conditions see it, on the host, for R runs.

    Attributes
    ----------
    mean, std : array, shape (R, n)
        The mean, and the standard deviation of each coordinate.
    path : array or None, shape (R, n)
        The evolution path in units of x.
    axis : array or None, shape (R, n)
        A principal axis, of the length of its standard deviation: another one each generation.
    condition : array or None, shape (R,)
        The condition number of the covariance matrix.
    sigma, sigma0 : array, shape (R,)
        The step-size over the longest axis, and that of the start.
    """

    mean: np.ndarray
    std: np.ndarray
    path: np.ndarray | None
    axis: np.ndarray | None
    condition: np.ndarray | None
    sigma: np.ndarray
    sigma0: float


ENDINGS = (
    (Status.CONVERGED, ""),
    (Status.UNBOUNDED, "The objective is -inf."),
    (Status.NOT_FINITE, "tolflatfitness: no value was finite."),
    (Status.CONVERGED, "tolfun: the values of the last generations are that close."),
    (Status.CONVERGED, "tolfunhist: the best values of the last generations are that close."),
    (Status.CONVERGED, "tolx: the standard deviations are that small."),
    (Status.NO_PROGRESS, "tolflatfitness: most points of a generation have the same value."),
    (Status.NO_PROGRESS, "noeffectcoord: a fifth of a standard deviation is lost in rounding."),
    (Status.NO_PROGRESS, "noeffectaxis: a tenth of a principal axis is lost in rounding."),
    (Status.NO_PROGRESS, "tolconditioncov: the covariance matrix is that ill-conditioned."),
    (Status.NO_PROGRESS, "tolstagnation: neither the best nor the median value has improved for long."),
    (Status.NO_PROGRESS, "tolxstagnation: the mean has not moved for long."),
    (Status.UNBOUNDED, "tolfacupx: the standard deviations grew that much; or sigma is too small at the start."),
    (Status.NO_PROGRESS, "tolupsigma: the step-size grew that much while the covariance matrix did not."),
    (Status.NOT_FINITE, "The distribution is not finite any more."),
)
"""By number: how a run ends; the first is that it does not."""


def begun(mean: np.ndarray, std: np.ndarray) -> Record:
    """Return the record of R runs before their first generation; `mean` and `std` have the shape (R, n)."""
    runs = mean.shape[0]
    none, zero = np.empty((runs, 0)), np.zeros(runs, dtype=np.int64)
    return Record(zero, none, none, none, none, zero, zero, mean, zero, std)


def recorded(
    record: Record, ordered: np.ndarray, better: np.ndarray | None, mean: np.ndarray, t: int, window: int, delta: float
) -> Record:
    """Return the record after generation `t`.

    Parameters
    ----------
    record : Record
    ordered : array, shape (R, popsize)
        The values of the generation in ascending order, +inf in place of NaN.
    better : array of bool or None, shape (R,)
        Whether the best value so far is of this generation; None says of no run.
    mean : array, shape (R, n)
        The new mean.
    t : int
        1 for the first generation.
    window : int
        Generations whose best values are kept.
    delta : float
        How little the mean may move to count as still.
    """
    size = ordered.shape[1]
    least, best, median = ordered[:, :1], record.best, record.median
    if t % EVERY == 0:
        middle = (ordered[:, (size - 1) // 2, None] + ordered[:, size // 2, None]) / 2
        best = np.concatenate([best[:, -KEPT:], least], axis=1)
        median = np.concatenate([median[:, -KEPT:], middle], axis=1)
    moved = mean - record.still
    grown = np.maximum((t - record.still_since) / patience(t), 1.0)
    far = (moved[:, None, :] @ moved[:, :, None])[:, 0, 0] > delta * delta * grown
    if far.all():
        still, since = mean, np.full_like(far, t, dtype=np.int64)
    else:
        still, since = np.where(far[:, None], mean, record.still), np.where(far, t, record.still_since)
    last = record.last[:, -window:][:, 1:] if record.last.shape[1] >= window else record.last
    return Record(
        record.ended,
        ordered,
        np.concatenate([last, least], axis=1),
        best,
        median,
        (record.flat + 1) * (least[:, 0] >= ordered[:, int(0.75 * size)]),
        record.improved if better is None else np.where(better, t, record.improved),
        still,
        since,
        record.std0,
    )


def patience(t: int) -> float:
    """Return for how many generations the mean may stay where it is."""
    return 20.0 + 0.1 * t


def ended(record: Record, shape: Shape, tol: Tolerances, t: int, popsize: int) -> np.ndarray:
    """Return which of `ENDINGS` ends each of R runs after generation `t`, 0 for a run that goes on."""
    runs, n = shape.mean.shape
    mean, std, least = shape.mean, shape.std, record.values[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):  # of inf - inf, which says nothing
        extent = record.values[:, -1] - least
        history = record.last.max(axis=1) - record.last.min(axis=1)
        found: dict[int, Any] = {
            1: least == -np.inf,
            2: (record.flat > tol.tolflatfitness) & ~np.isfinite(least),
            3: (extent < tol.tolfun) & (history < tol.tolfun),
            4: (history < tol.tolfunhist) & (record.last.shape[1] > 9),
            5: (std < tol.tolx).all(axis=1),
            6: record.flat > tol.tolflatfitness,
            7: (mean == mean + 0.2 * std).any(axis=1),
            10: _stagnates(record, tol.tolstagnation, t, popsize, n),
            11: t - record.still_since > patience(t),
            12: (std > record.std0 * tol.tolfacupx).any(axis=1),
            13: shape.sigma > shape.sigma0 * tol.tolupsigma,
            14: ~np.isfinite(mean).all(axis=1) | ~np.isfinite(std).all(axis=1),
        }
        if shape.path is not None:
            found[5] = found[5] & (shape.path < tol.tolx).all(axis=1)
        if shape.axis is not None:
            found[8] = (mean == mean + 0.1 * shape.axis).all(axis=1)
        if shape.condition is not None:
            found[9] = ~(shape.condition <= tol.tolconditioncov)
    codes = np.zeros(runs, dtype=np.int64)
    for code, holds in sorted(found.items(), reverse=True):
        codes = np.where(holds, code, codes)
    return codes


def _stagnates(record: Record, tolerance: float, t: int, popsize: int, n: int) -> Any:
    """Tell whether the medians of best and median values have not fallen, over tolerance / 10 records and as many."""
    count = record.best.shape[1]
    half = int(max(tolerance / EVERY / 2, count / 10))
    if tolerance <= 0 or t <= n * (5 + 100 / popsize) or count <= 100 or 2 * half >= count:
        return False
    waited = t - record.improved > tolerance / 2
    if not waited.any():
        return waited
    for values in (record.best, record.median):
        new, old = values[:, -half:], values[:, -2 * half : -half]
        waited = waited & (np.median(new, axis=1) >= np.median(old, axis=1))
    return waited
