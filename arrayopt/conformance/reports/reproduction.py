"""Reproductions: a short script that shows a departure in the candidate's own API, without arrayopt."""

from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.compare import SLACK, Ran, bounds
from arrayopt.conformance.models import Model, numbers, rule_in, set_up, value
from arrayopt.conformance.report import name_of
from arrayopt.conformance.reports.scripts import Literals, UnwritableError, script_of
from arrayopt.conformance.reports.shrinking import Small, factors_of, shrink
from arrayopt.core.trees import Leaf
from arrayopt.firstorder import Clip
from arrayopt.readers.formula import formula


def reproduction(candidate: Candidate, model: Model, ran: Ran) -> str:
    """Return a script that shows where a candidate departs from a rule in a probe.

    The experiment is made as small as it can be first. The script makes the optimizer in its own API, steps it, and
    prints what it gives beside what the rule expects, which is a literal. It exits with 1 if they differ by more than
    rounding.

    Parameters
    ----------
    candidate : Candidate
        What departs.
    model : Rule or Clip
        What it departs from, at the hyper-parameters of the reference.
    ran : Ran
        The probe in which it does.

    Returns
    -------
    str
        The script; a comment that says why there is none where it cannot be written; empty without a departure.
    """
    try:
        write = script_of(candidate)
        small = shrink(candidate, model, ran)
        if small is None:
            return ""
        lines = write(_literals(candidate, model, small))
    except UnwritableError as why:
        return f"# No script for {candidate.name}: {why}\n"
    imports, rest = lines[: lines.index("")], lines[lines.index("") + 1 :]
    return "\n".join([*_heading(candidate, model, small), *imports, "", *rest, *_ending(candidate, model, small), ""])


def _literals(candidate: Candidate, model: Model, small: Small) -> Literals:
    probe, d = small.probe, small.divergence
    _, hyper = set_up(model, probe, candidate.hyper)
    rates = tuple(hyper["lr"] * x for x in factors_of(probe)) if probe.rates else ()
    given = {k: hyper[k] for k in candidate.hyper if k in hyper}
    return Literals(probe.params, probe.gradients, given, rates, candidate.dtype, d.path, d.index)


def _heading(candidate: Candidate, model: Model, small: Small) -> list[str]:
    """Say what it shows, and how the expected number comes about."""
    placed, _ = set_up(model, small.probe, candidate.hyper)
    d = small.divergence
    leaf = Leaf(d.path, small.probe.params[d.path].shape, candidate.dtype)
    source = f" ({candidate.source})" if candidate.source not in ("", candidate.name) else ""
    shown = {k: value(placed, k) for k in numbers(placed)}
    at = ", ".join(f"{k}={x!r}" for k, x in shown.items() if not callable(x) and x)
    clipped = [f"    g_t = g_t, clipped by {placed.by} (form {placed.form!r})"] if isinstance(placed, Clip) else []
    lines = [
        f"{candidate.name}{source} departs from {name_of(model)} in step {d.step}.",
        f"The rule at {at}:",
        *clipped,
        *(f"    {e.plain()}" for e in formula(rule_in(placed), leaf, d.step)),
    ]
    return [f"# {line}" for text in lines for line in text.splitlines()]


def _ending(candidate: Candidate, model: Model, small: Small) -> list[str]:
    """Hold the number against the literal that the rule expects."""
    d = small.divergence
    placed, _ = set_up(model, small.probe, candidate.hyper)
    bound = bounds(placed, small.probe, candidate.dtype, small.scalar_unit)[d.step - 1][d.path][d.index]
    expected = repr(d.expected) if abs(d.expected) < float("inf") else f"float({str(d.expected)!r})"
    tolerance = f"{SLACK * bound:.1e}" if 0 < bound < float("inf") else "0"
    return [
        f"expected = {expected}",
        'print(f"got {got!r}, expected {expected!r}")',
        f"raise SystemExit(0 if abs(got - expected) <= {tolerance} else 1)",
    ]
