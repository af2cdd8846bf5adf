"""Restore: a run that is saved and loaded goes on as if it had not been, and a changed rate takes effect."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Arrays, CannotRunError, Running, epsilon
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.leaves import finite
from arrayopt.conformance.consistency.subject import REGROUPED, Check, NotRun, Subject

SPLIT = 3
"""The steps before a run is saved or its rate is changed."""


def _start(subject: Subject, steps: int = 0, params: Arrays | None = None) -> Running:
    """Return a run that has taken some steps."""
    running = subject.candidate.start(params or subject.params, subject.hyper)
    for g in subject.gradients[:steps]:
        running.step(g)
    return running


def _saved(subject: Subject, steps: int) -> tuple[Running, Any]:
    running = _start(subject, steps)
    if not (running.can("save") and running.can("load")):
        raise NotRun("it offers no save() and load(state)")
    return running, running.save()


def _apart_after(subject: Subject, running: Running, state: Any, steps: int) -> str:
    """Load a state and go on with the gradients after `steps`; say how it differs from the unsplit run."""
    expected = subject.path[steps:]
    try:
        running.load(state)
        apart = subject.apart([running.step(g)[0] for g in subject.gradients[steps:]], expected)
    except CannotRunError as error:
        return f"it does not run: {error}"
    if apart is None:
        return ""
    return f"it moves otherwise ({dataclasses.replace(apart, step=apart.step + steps)})"


def _elsewhere(subject: Subject) -> Arrays:
    return {k: -0.5 * p for k, p in subject.params.items()}


def _restore(subject: Subject) -> Iterator[Cause]:
    for steps in (SPLIT, 0):
        for used in (0, SPLIT - 1):
            _, state = _saved(subject, steps)
            apart = _apart_after(subject, _start(subject, used, _elsewhere(subject)), state, steps)
            if apart:
                what = f"that has taken {used} steps" if used else "newly made"
                text = f"saved after {steps} steps and loaded into a run {what}, {apart}"
                yield Cause("restore", text + ": it saves less than it needs, or in less precision")
                return


def _restore_saved(subject: Subject) -> Iterator[Cause]:
    running, state = _saved(subject, SPLIT)
    if _apart_after(subject, _start(subject), state, SPLIT):
        raise NotRun("it does not go on from what it saved")
    running, state = _saved(subject, SPLIT)
    for g in subject.gradients[SPLIT:]:
        running.step(g)
    apart = _apart_after(subject, _start(subject), state, SPLIT)
    if apart:
        yield Cause("restore-saved", f"loaded after the run that saved went on, {apart}: saving makes no copy")
        return
    _, state = _saved(subject, SPLIT)
    _apart_after(subject, _start(subject), state, SPLIT)
    apart = _apart_after(subject, _start(subject), state, SPLIT)
    if apart:
        yield Cause("restore-saved", f"loaded a second time, {apart}: loading makes no copy", wrong=False)


def _set_lr(subject: Subject) -> Iterator[Cause]:
    expected = subject.path
    if "lr" not in subject.hyper:
        raise NotRun("it declares no lr, or none that is known")
    lr = subject.hyper["lr"]
    if not _start(subject).can("set"):
        raise NotRun("it offers no set(lr=...)")
    if lr == 0 or subject.apart(subject.walk(hyper={"lr": 0.5 * lr}), expected) is None:
        raise NotRun("its lr changes nothing")
    same = _with_rates(subject, {SPLIT: [lr]})
    own = subject.apart(same, expected)
    if own is not None:
        anew = subject.walk(subject.gradients[SPLIT:], params=expected[SPLIT - 1])
        restarts = subject.apart(same[SPLIT:], anew, expected[SPLIT - 1]) is None
        if restarts and not _proportional(subject, expected[SPLIT], same[SPLIT], expected[SPLIT - 1]):
            yield Cause("set-lr", f"to set lr makes it start anew: its state is lost ({own})")
            return
        text = f"to set lr to what it was made with changes how it moves ({own}): it keeps another rate"
        yield Cause("set-lr", text, wrong=False)
    if subject.apart(_with_rates(subject, {SPLIT: [0.5 * lr]}), same) is None:
        early = subject.apart(_with_rates(subject, {0: [0.5 * lr]}), expected) is not None
        text = f"it reads lr {'in the first step' if early else 'when it is made'} alone: to set another has no effect"
        yield Cause("set-lr", text, wrong=False)
        return
    apart = subject.apart(_with_rates(subject, {SPLIT: [0.5 * lr, lr]}), same)
    if apart is not None:
        yield Cause("set-lr", f"to set another lr and then the old one again changes how it moves ({apart})")
        return
    undecayed = {"weight_decay": 0.0} if "weight_decay" in subject.candidate.hyper else {}
    still = subject.replace(hyper={**subject.hyper, **undecayed})
    try:
        path = _with_rates(still, {SPLIT: [0.0], SPLIT + 1: [lr]})
    except CannotRunError as error:
        yield Cause("set-lr", f"with lr=0 it does not run: {error}", wrong=False)
        return
    if not finite(path):
        yield Cause("set-lr", "a step with lr=0 gives NaN or infinity, then or once lr is set back", wrong=False)
    elif not all(np.array_equal(path[SPLIT][k], path[SPLIT - 1][k]) for k in subject.params):
        text = "with lr=0 it moves: lr is in the velocity, or does not scale the decay, or it averages"
        yield Cause("set-lr", text, wrong=False)


def _proportional(subject: Subject, one: Arrays, other: Arrays, start: Arrays) -> bool:
    """Tell whether two steps from the same place differ by a factor, as by another rate."""
    a, b = (np.concatenate([(x[k] - start[k]).ravel() for k in start]) for x in (one, other))
    factor = np.vdot(a, b) / max(np.vdot(b, b), np.finfo(np.float64).tiny)
    return bool(np.allclose(a, factor * b, rtol=0, atol=REGROUPED * epsilon(subject.candidate.dtype) * np.abs(a).max()))


def _with_rates(subject: Subject, rates: dict[int, list[float]]) -> list[Arrays]:
    """Run with rates that are set, one after the other, after some steps."""
    running, path = _start(subject), []
    for t, g in enumerate(subject.gradients):
        for lr in rates.get(t, []):
            running.set(lr=lr)
        path.append(running.step(g)[0])
    return path


CHECKS = (
    Check(
        "restore",
        "a run that is saved after 3 steps, or before the first, and loaded into one that began elsewhere, new or "
        "already on its way, does not go on as the one that was not split: a count, a buffer or the parameters are "
        "missing from the state, or something of the old run stays",
        "what changes later than three steps after, such as every tenth step",
        _restore,
    ),
    Check(
        "restore-saved",
        "what was saved changes when the run that saved it goes on: no copy was made. That it changes when a run that "
        "loaded it goes on is only noted, as whoever loads may hand it over for good",
        "a session that copies where the optimizer itself does not",
        _restore_saved,
    ),
    Check(
        "set-lr",
        "to set lr loses the state, or to set another and then the old one again changes something. Noted is that "
        "another lr has no effect, as it may be that of the first step by intention; that it keeps another rate than "
        "the one that it was made with; that a step at lr=0 fails or gives NaN, as where a rule divides by it, or "
        "moves something, as where lr is inside the velocity",
        "an lr that takes effect one step late",
        _set_lr,
    ),
)
