"""Precision: a run in float32, bfloat16 or float16 must stay near that in the highest precision that there is."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from arrayopt.conformance.candidate import Arrays, CannotRunError, epsilon
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.conditioning import by_place, coarse, perturbed, response
from arrayopt.conformance.consistency.contexts import SLOW, on_leaves, patience, quickest, scaled, shipped
from arrayopt.conformance.consistency.subject import Check, NotRun, Subject

STORED = 4.0
"""Roundings of a parameter to its precision in one step, such as after the decay and after the update."""
ROUNDED = 16.0
"""Measured responses to one rounding of the gradients that a run may lie apart; with `STORED`, 0.43 of it was met."""
GROSS = 0.1
"""Part of the displacement from which on a departure is wrong and not only worth a note."""
EXTREME = (0.9995, 0.99999)
"""Decay rates that are used in practice, of which bfloat16 takes both for 1."""
DRIFTED = {"float32": (0.1, 0.1), "bfloat16": (0.25, 0.9)}
"""Part of the last steps by which a long run may be off until it is noted, and until it is wrong: a step count that
ends at 256 costs Adam 0.4 of them, and so does a state in bfloat16 where a rule feeds on itself, as Adadelta does."""
GROWTH, STEPS, LATE = 1.006, 1000, 20
"""By how much gradients grow in each step of a long run, its length, and how many steps at its end are looked at."""


@dataclass(frozen=True)
class Lost:
    """How far a run in low precision is from one in high precision.

    Attributes
    ----------
    excess : float
        The distance over what rounding explains; infinite where the run is not finite.
    relative : float
        The distance over the displacement.
    """

    excess: float
    relative: float

    def __str__(self) -> str:
        return f"off by {self.relative:.2g} of the displacement" if np.isfinite(self.relative) else "not finite"


def designed(subject: Subject) -> Subject:
    """Return the subject in its highest precision, at numbers of eight bits for which nothing hangs on rounding.

    Gradients lie between 1 and 2 in size and keep their sign, so that no mean of them crosses zero or underflows.
    Parameters are small, so that rounding them is small against their moves.
    """
    candidate = subject.candidate
    high = min((candidate.dtype, *candidate.dtypes), key=epsilon)
    rng = np.random.default_rng(11)
    signs = {k: rng.choice([-1.0, 1.0], size=p.shape) for k, p in subject.params.items()}
    params = {k: rng.integers(-32, 33, size=p.shape) / 128 for k, p in subject.params.items()}
    gradients = [{k: s * rng.integers(64, 128, size=s.shape) / 64 for k, s in signs.items()} for _ in subject.gradients]
    candidate = dataclasses.replace(candidate, dtype=high, dtypes=(candidate.dtype, *candidate.dtypes))
    return subject.replace(candidate=candidate, params=params, gradients=gradients)


def lower(subject: Subject) -> list[str]:
    """Return the precisions below that of a designed subject.

    Raises
    ------
    NotRun
        If there is none, or it draws random numbers, which are others in each precision.
    """
    own = subject.candidate.dtype
    found = [d for d in dict.fromkeys(subject.candidate.dtypes) if epsilon(d) > epsilon(own)]
    if not found:
        raise NotRun("it runs in one precision")
    if by_place(subject):
        raise NotRun("equal elements move apart: it draws random numbers, which are others in each precision")
    return found


def lost(subject: Subject, dtype: str) -> Lost:
    """Hold a run in `dtype` against one in the subject's precision.

    What rounding explains is the storage of the parameters in each step, and some measured responses to gradients
    rounded once.
    """
    low = subject.walk(dtypes=dict.fromkeys(subject.params, dtype))
    unit = epsilon(dtype) / 2
    answer = max(response(subject, unit), unit)
    excess, relative = 0.0, 0.0
    moved = dict.fromkeys(subject.params, 0.0)
    for t, (got, want) in enumerate(zip(low, subject.path, strict=True), 1):
        for k, start in subject.params.items():
            if np.array_equal(got[k], want[k], equal_nan=True):
                continue
            if not np.isfinite(got[k]).all():
                return Lost(np.inf, np.inf)
            moved[k] = max(moved[k], float(np.max(np.abs(want[k] - start))), float(np.max(np.abs(got[k] - start))))
            explained = STORED * t * unit * float(np.max(np.abs(want[k]))) + ROUNDED * answer * moved[k]
            off = float(np.max(np.abs(got[k] - want[k])))
            excess, relative = max(excess, off / explained), max(relative, off / moved[k])
    return Lost(excess, relative)


def _dtypes(subject: Subject) -> Iterator[Cause]:
    at = designed(subject)
    zero = at.replace(hyper=shipped(at), params=scaled(at.params, 0.0))  # where small steps are not rounded away
    for dtype in lower(at):
        for where, s in (("exaggerated", at), ("as it ships, from zero", zero)):
            try:
                found = lost(s, dtype)
            except CannotRunError as error:
                yield Cause("dtypes", f"it does not run in {dtype}: {error}", wrong=False)
                break
            if found.excess > 1:
                yield _judged("dtypes", f"in {dtype} ({where}) it is {found}", s, dtype, found)
                break


def _extreme_betas(subject: Subject) -> Iterator[Cause]:
    at = designed(subject)
    at = at.replace(params=scaled(at.params, 0.0))
    known = shipped(at)
    rates = [k for k in at.candidate.hyper if 0.5 < known.get(k, 0.0) < 1]
    if not rates:
        raise NotRun("it declares no decay rate")
    for name in rates:
        told: set[str] = set()
        for value in EXTREME:
            s = at.replace(hyper={**at.hyper, name: value})
            try:
                finite = all(np.isfinite(x).all() for p in s.path for x in p.values())
            except CannotRunError:  # it may refuse the number
                continue
            if not finite:
                yield Cause("extreme-betas", f"at {name}={value:g} it is not finite", {name: value})
                break
            for dtype in _wide(at):
                if dtype in told:
                    continue
                try:
                    found = lost(s, dtype)
                except CannotRunError:  # which is told by "dtypes"
                    continue
                if found.excess > 1:
                    told.add(dtype)
                    said = f"in {dtype} at {name}={value:g} it is {found}"
                    yield _judged("extreme-betas", said, s, dtype, found, {name: value})


def _wide(subject: Subject) -> list[str]:
    """Return the lower precisions with the range of float32; none where they cannot be compared."""
    try:
        return [d for d in lower(subject) if d != "float16"]
    except NotRun:
        return []


def _judged(
    kind: str, said: str, subject: Subject, dtype: str, found: Lost, values: dict[str, float] | None = None
) -> Cause:
    """Say how grave it is: beyond what rounding explains, and grossly so in a precision with the range of float32."""
    given = {"dtype": dtype, **(values or {})}
    if dtype == "float16":
        return Cause(kind, f"{said}; numbers below 6e-8 are zero in it", given, wrong=False)
    if found.relative <= GROSS:
        return Cause(kind, f"{said}, as with scalars in {dtype}", given, wrong=False)
    if coarse(subject):
        return Cause(kind, f"{said}; part of the step is coarse or ill-conditioned", given, wrong=False)
    return Cause(kind, f"{said}, far more than rounding explains", given)


def _long_run(subject: Subject) -> Iterator[Cause]:
    at = designed(on_leaves(quickest(subject), {next(iter(subject.params)): (4, 3)}))
    g = at.gradients[0]
    growing = [scaled(g, 0.25 * (-1.0) ** t * GROWTH**t) for t in range(STEPS)]
    at = at.replace(gradients=growing, hyper=shipped(subject))
    zero = at.replace(params=scaled(at.params, 0.0))
    after = patience(STEPS * SLOW)
    paths = {"float32": at.walk(after=after), "bfloat16": zero.walk()}
    if not all(np.isfinite(x).all() for path in paths.values() for p in path for x in p.values()):
        yield Cause("long-run", f"in {STEPS} steps as it ships it does not stay finite")
        return
    for dtype in _wide(at):
        s, path = zero if dtype == "bfloat16" else at, paths[dtype]  # bfloat16 would round small steps away
        try:
            low = s.walk(dtypes=dict.fromkeys(s.params, dtype))
        except CannotRunError:  # which is told by "dtypes"
            continue
        if not all(np.isfinite(x).all() for p in low for x in p.values()):
            yield Cause("long-run", f"in {dtype} as it ships it is not finite after {STEPS} steps", {"dtype": dtype})
            continue
        off = _drift(path, low, dtype)
        noted, wrong = DRIFTED[dtype]
        if off > noted and _drift(path, perturbed(s, epsilon(dtype) / 2).walk(), dtype) < off / 4:
            text = (
                f"in {dtype} as it ships the last of {STEPS} steps are off by {off:.2g}: a step count, or another "
                "number, is kept in too little precision"
            )
            yield Cause("long-run", text, {"dtype": dtype}, wrong=off > wrong)


def _drift(path: list[Arrays], other: list[Arrays], dtype: str) -> float:
    """Return by what part the last moves of two runs differ, beyond the storage of the two ends of a move."""
    size = max(float(np.max(np.abs(x))) for p in path[-LATE:] for x in p.values())
    off = float(np.max(np.abs(_late(other) - _late(path)))) - epsilon(dtype) * size
    moved = float(np.max(np.abs(_late(path))))
    return off / moved if moved > 0 else 0.0


def _late(path: list[Arrays]) -> np.ndarray:
    """Return the moves in the last steps."""
    return np.array([np.concatenate([(b[k] - a[k]).ravel() for k in b]) for a, b in pairwise(path[-LATE - 1 :])])


def _params_dtype(subject: Subject) -> Iterator[Cause]:
    for dtype in dict.fromkeys((subject.candidate.dtype, *subject.candidate.dtypes)):
        try:
            path = subject.walk(dtypes=dict.fromkeys(subject.params, dtype))
        except CannotRunError as error:
            yield Cause("params-dtype", f"it does not run in {dtype}: {error}", {"dtype": dtype}, wrong=False)
            continue
        every = np.concatenate([x.ravel() for p in path for x in p.values()])
        if not np.isfinite(every).all():
            continue  # which is told by "dtypes"
        if not _holds(dtype, every):
            yield Cause("params-dtype", f"parameters of {dtype} come back in more precision", {"dtype": dtype})
        below = [d for d in ("bfloat16", "float16", "float32") if epsilon(d) > epsilon(dtype)]
        narrowed = next((d for d in below if _holds(d, every)), None)
        moved = any(not np.array_equal(path[-1][k], p) for k, p in subject.params.items())
        if moved and narrowed is not None:
            yield Cause("params-dtype", f"parameters of {dtype} come back rounded to {narrowed}", {"dtype": dtype})


def _holds(dtype: str, x: np.ndarray) -> bool:
    """Tell whether a precision holds all these numbers exactly."""
    if dtype == "bfloat16":  # the upper half of a float32
        single = x.astype(np.float32)
        return bool((single == x).all() and (single.view(np.uint32) & 0xFFFF == 0).all())
    with np.errstate(over="ignore"):
        return bool((x.astype(dtype).astype(np.float64) == x).all())


def _coarse(subject: Subject) -> Iterator[Cause]:
    _ = subject.path
    if coarse(subject):
        text = "part of its step is computed in little precision, such as bfloat16, or is ill-conditioned"
        yield Cause("coarse-step", text, wrong=False)


CHECKS = (
    Check(
        "params-dtype",
        "parameters of one precision come back in another: none may hold more than its precision does, nor all less",
        "a precision that is lost and given back within a step",
        _params_dtype,
    ),
    Check(
        "dtypes",
        "in float32, bfloat16 or float16 it leaves the run in the highest precision by more than the storage of the "
        "parameters and 16 times the measured response to rounded gradients explain; a note below a tenth of the "
        "displacement, and in float16, which has little range",
        "a state or scalars in the precision of the leaf, where six steps do not show it; gradients that change sign",
        _dtypes,
    ),
    Check(
        "extreme-betas",
        "decay rates of 0.9995 and 0.99999, one at a time: not finite, or in low precision grossly off, as where 1 - "
        "beta is computed in bfloat16; a note where float32 scalars explain it",
        "decay rates that are not declared, or not between 0.5 and 1 by default",
        _extreme_betas,
    ),
    Check(
        "long-run",
        "1,000 steps as it ships with gradients that alternate and grow, so that every running mean is of the last "
        "few hundred: not finite, or the last steps are grossly off in lower precision, as with a step count in "
        "bfloat16, which ends at 256",
        "an error that the growth of the gradients lets it forget; where there is one precision, all but NaN",
        _long_run,
    ),
    Check(
        "coarse-step",
        "a note: it answers changes of the gradients of 2^-17 and 2^-11 out of proportion, as where an iteration "
        "within the step rounds to bfloat16",
        "a part in float32",
        _coarse,
    ),
)
