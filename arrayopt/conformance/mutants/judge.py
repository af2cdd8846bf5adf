"""The judge: whether a mutant was caught, and whether what was named does what the mutant does.

It looks at behaviour, not at words. The rule in `Report.match` is run beside the mutant on gradients that no probe has,
at the ordinary numbers of the mutant, through its public `init` and `update`. It must stay within the rounding bound.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.conformance.compare import SLACK, Ran, bounds, relative, run
from arrayopt.conformance.consistency import CHECKS
from arrayopt.conformance.models import Model, rule_in, set_up
from arrayopt.conformance.mutants.mutant import Mutant
from arrayopt.conformance.probes import Probe, accepts
from arrayopt.conformance.report import Report
from arrayopt.readers.bounded import DOUBLE, SINGLE

SHAPES = {"filter": (3, 2, 2, 2), "inner": (3, 6), "inner_too": (3, 6), "offset": (7,), "outer": (5, 2)}
"""Leaves, of other names and shapes than those of the probes, in the order in which `update` goes through them."""
STEPS = 10
RATES = {4: 0.3, 7: 0.05}
"""Factors of the rate from given steps on, in the second of two runs."""
SHARP = 0.01
"""The part of a leaf's displacement that the tolerance of an element must be under for it to tell anything."""
TELLING = 0.25
"""The least share of elements that must tell something: rounding is amplified where a matrix is nearly singular."""
PRECISION = ("float32", "float32-scalars")


@dataclass(frozen=True)
class Judgement:
    """What became of a mutant.

    Attributes
    ----------
    caught : bool
        Whether the report says that it does not follow its reference; of a correct one, that it does.
    named : bool
        Whether what was named does what it does.
    error : float or None
        The largest relative error of the displacement of a leaf on fresh gradients; None where nothing was named.
    tolerance : float or None
        The relative error that rounding allows where it is largest.
    why : str
        What is missing where it is not caught or not named.
    """

    caught: bool
    named: bool
    error: float | None = None
    tolerance: float | None = None
    why: str = ""


def judge(mutant: Mutant, report: Report) -> Judgement:
    """Judge what a report says of a mutant."""
    why = _missed(mutant, report)
    caught = not why
    if report.match is None:
        named = caught and mutant.kind == "other"
        return Judgement(caught, named, why="" if named else why or "nothing was named")
    error, tolerance, apart = reproduces(mutant, report.match, report)
    why = why or apart or _unsaid(mutant, report)
    return Judgement(caught, not why, error, tolerance, why)


def _missed(mutant: Mutant, report: Report) -> str:
    """Say why a report does not catch a mutant; nothing if it does."""
    if mutant.kind == "correct":
        return "" if report.verdict == "conforms" else f"a false alarm: {report.summary()}"
    if mutant.kind == "precision":
        return "" if report.verdict != "conforms" or _kinds(report) & {*PRECISION} else "it conforms, with no remark"
    return "" if report.verdict in ("dialect", "differs") else f"the verdict is {report.verdict!r}"


def _unsaid(mutant: Mutant, report: Report) -> str:
    """Say what a report leaves out where the numbers alone are not what is wrong."""
    impure = any(c.wrong and c.kind in CHECKS for c in report.causes)
    if mutant.kind == "impure" and not impure:
        return "no cause tells what it does to the caller's gradients"
    if mutant.kind == "precision" and report.match == report.reference and not _kinds(report) & {*PRECISION}:
        return "no cause tells the precision"
    return ""


def reproduces(mutant: Mutant, match: Model, report: Report) -> tuple[float, float, str]:
    """Run a match beside a mutant; return the relative error where it is largest, the tolerance, and what is wrong."""
    single = mutant.kind == "precision" and "float32" in _kinds(report)
    unit = SINGLE if single or "float32-scalars" in _kinds(report) else DOUBLE
    dtype = "float32" if single else mutant.dtype
    candidate, why = mutant.candidate(), ""
    errors: list[tuple[float, float]] = []
    for probe in fresh(mutant, match):
        ran = run(candidate, probe, mutant.reference)
        if ran.not_run:
            continue
        placed, _ = set_up(match, probe, candidate.hyper)
        try:
            expected = _path(placed, ran.probe)
        except Exception as error:  # whatever it raises, it does not do what the mutant does
            return np.inf, 0.0, f"the match does not run: {type(error).__name__}: {error}"
        within = [{k: SLACK * b for k, b in by.items()} for by in bounds(placed, ran.probe, dtype, unit)]
        errors += _errors(ran, expected, within)
        why = why or _apart(ran, expected, within)
    return *max(errors, key=lambda pair: (pair[0], -pair[1])), why


def fresh(mutant: Mutant, match: Model) -> Iterator[Probe]:
    """Yield two runs at ordinary numbers: gradients of sizes from 0.01 to 10, some zero; in one the rate changes."""
    rules = rule_in(mutant.reference), rule_in(match)
    shapes = {k: s for k, s in SHAPES.items() if all(accepts(rule, s) for rule in rules)}
    for seed, rates in ((1001, {}), (1002, RATES if "lr" in mutant.ordinary else {})):
        rng = np.random.default_rng(seed)
        params = {k: _exact(rng.normal(size=s)) for k, s in shapes.items()}
        gradients = [
            {k: _exact(rng.normal(size=s) * 10 ** rng.uniform(-2, 1)) for k, s in shapes.items()} for _ in range(STEPS)
        ]
        for g in gradients[2].values():
            g[0] = 0.0
        yield Probe("fresh", "", "", params, gradients, mutant.ordinary, rates)


def _exact(x: np.ndarray) -> np.ndarray:
    """Round to numbers that float32 holds."""
    return x.astype(np.float32).astype(np.float64)


def _path(model: Model, probe: Probe) -> list[Arrays]:
    """Return what a rule does with the gradients of a probe."""
    params, state, path = probe.params, model.init(probe.params), []
    with np.errstate(all="ignore"):
        for g in probe.gradients:
            params, state = model.update(g, state, params)
            path.append(dict(params))
    return path


def _errors(ran: Ran, expected: list[Arrays], within: list[Arrays]) -> Iterator[tuple[float, float]]:
    """Yield the relative error of every leaf after every step, and what its tolerance is."""
    for got, want, by in zip(ran.path, expected, within, strict=True):
        for k, p0 in ran.probe.params.items():
            known = np.isfinite(by[k])
            if known.any():
                off = relative(got[k][known], want[k][known], p0[known])
                moved = max(np.linalg.norm((x[k] - p0)[known]) for x in (got, want))
                yield off, float(np.linalg.norm(by[k][known]) / moved) if moved else np.inf


def _apart(ran: Ran, expected: list[Arrays], within: list[Arrays]) -> str:
    """Say where a run leaves the tolerance, or that too little of it is known so well; nothing if neither."""
    telling = every = 0
    for t, (got, want, by) in enumerate(zip(ran.path, expected, within, strict=True), 1):
        for k, x in want.items():
            both_nan = np.isnan(got[k]) & np.isnan(x)
            with np.errstate(invalid="ignore"):
                wrong = np.isfinite(by[k]) & ~both_nan & ~(np.abs(got[k] - x) <= by[k])
            if wrong.any():
                return f"the match leaves it at step {t} in leaf {k!r}"
            moved = np.sqrt(np.nanmean((x - ran.probe.params[k]) ** 2)) if not np.isnan(x).all() else 0.0
            telling, every = telling + int(np.sum(both_nan | (by[k] <= SHARP * moved))), every + x.size
    return "" if telling >= TELLING * every else f"rounding leaves {every - telling} of {every} elements open"


def _kinds(report: Report) -> set[str]:
    return {c.kind for c in report.causes}
