"""Extremes: gradients and parameters that are zero, tiny, huge or not finite."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from arrayopt.conformance.candidate import Arrays, CannotRunError, epsilon
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency.leaves import at_rest, finite, noisy
from arrayopt.conformance.consistency.subject import Check, Subject

DRIFT = 64.0
"""Machine epsilons of a parameter that writing it as a mean of itself, a few times, may cost."""
DRIFTS = 0.05
"""Part of the usual way that a momentum which begins at some small number, by intention, may go by itself."""
EXTREME: Mapping[str, tuple[float, float]] = {
    "float16": (1e-7, 1e4), "bfloat16": (1e-30, 1e30), "float32": (1e-30, 1e30), "float64": (1e-200, 1e200),
}  # fmt: skip
"""Precision -> numbers that it holds and whose squares it does not."""


def _settings(subject: Subject) -> list[Subject]:
    """Return the subject as it is and as it ships, where eps is another; and so in float32, where eps is not enough."""
    shipped = subject.replace(hyper={**subject.hyper, **subject.candidate.defaults})
    found = [subject] + ([shipped] if shipped.hyper != subject.hyper else [])
    if subject.candidate.dtype != "float32" and "float32" in subject.candidate.dtypes:
        found.append(shipped.replace(candidate=dataclasses.replace(subject.candidate, dtype="float32")))
    return found


def _zero_gradient(subject: Subject) -> Iterator[Cause]:
    zero = [{k: np.zeros_like(x) for k, x in g.items()} for g in subject.gradients]
    lines = _with_zero_lines(subject.gradients)
    undecayed = _undecayed(subject)  # which may hide a division by zero too
    for at in _settings(subject):
        for what, gradients in (("of zero", zero), ("with a row and a column of zeros", lines)):
            if not finite(at.walk(gradients, hyper=undecayed)):
                yield Cause("zero-gradient", f"gradients {what} give NaN or infinity in {at.candidate.dtype}")
                return
    path = subject.walk(zero, hyper=undecayed)
    if _still(subject, path):
        return
    rest = at_rest(subject)
    if noisy(rest):
        yield Cause("zero-gradient", "it adds noise, also where gradients are zero", wrong=False)
    elif any(x.any() for x in rest.values()):
        usual = max(np.max(np.abs(x - subject.params[k])) for k, x in subject.path[-1].items())
        much = bool(max(np.max(np.abs(x)) for x in rest.values()) > DRIFTS * usual)
        text = "parameters of zero move though all gradients are zero: "
        text += "sign(0) is not 0, or its state does not begin at zero" if much else "its state does not begin at zero"
        yield Cause("zero-gradient", text, wrong=much)
    else:
        how = "decay" if _decays(subject, path) else "move, as by a projection,"
        of = "weight_decay is zero" if undecayed else "it declares no weight_decay"
        yield Cause("zero-gradient", f"parameters {how} while gradients are zero, though {of}", wrong=False)


def _still(subject: Subject, path: list[Arrays]) -> bool:
    rtol = DRIFT * epsilon(subject.candidate.dtype)
    return all(np.allclose(x[k], p, rtol=rtol, atol=0) for x in path for k, p in subject.params.items())


def _decays(subject: Subject, path: list[Arrays]) -> bool:
    """Tell whether every leaf shrinks as one."""
    rtol = DRIFT * epsilon(subject.candidate.dtype)
    for x in path:
        for k, p in subject.params.items():
            factor = float(np.vdot(x[k], p) / np.vdot(p, p))
            if not (0 <= factor <= 1 + rtol and np.allclose(x[k], factor * p, rtol=rtol, atol=0)):
                return False
    return True


def _with_zero_lines(gradients: list[Arrays]) -> list[Arrays]:
    """Return gradients whose first row and column are zero in every matrix."""

    def cleared(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        if x.ndim > 1:
            x[0], x[:, 0] = 0.0, 0.0
        return x

    return [{k: cleared(x) for k, x in g.items()} for g in gradients]


def _zero_params(subject: Subject) -> Iterator[Cause]:
    zero = {k: np.zeros_like(p) for k, p in subject.params.items()}
    for at in _settings(subject):
        if not finite(at.walk(params=zero)):
            yield Cause("zero-params", f"from parameters of zero it gets to NaN or infinity in {at.candidate.dtype}")
            return


def _extreme(subject: Subject) -> Iterator[Cause]:
    for which, what in enumerate(("tiny", "huge")):
        for at in _settings(subject):
            size = EXTREME[at.candidate.dtype][which]
            found = _outcome(at, [{k: size * np.sign(x) for k, x in g.items()} for g in subject.gradients])
            if found:
                text = f"gradients of {size:.0e}, whose squares {at.candidate.dtype} does not hold, give {found}"
                yield Cause("extreme-gradient", text, {what: found}, wrong=what == "tiny")
                break


def _outcome(subject: Subject, gradients: list[Arrays]) -> str:
    """Say what else than finite parameters a run ends with."""
    try:
        path = subject.walk(gradients)
    except CannotRunError as error:
        return f"an error: {error}"
    if any(np.isnan(x).any() for params in path for x in params.values()):
        return "NaN"
    return "" if finite(path) else "infinity"


def _non_finite(subject: Subject) -> Iterator[Cause]:
    leaf = next(iter(subject.params))
    expected = subject.path
    said = {}
    for what, value in (("NaN", np.nan), ("infinity", np.inf)):
        poisoned = [dict(g) for g in subject.gradients]
        poisoned[1][leaf] = poisoned[1][leaf].copy()
        poisoned[1][leaf].flat[0] = value
        try:
            path = subject.walk(poisoned)
            quiet = subject.walk(poisoned, hyper=_undecayed(subject))
        except CannotRunError:
            said[what] = "raises an error"
            continue
        said[what] = _effect(path, quiet, leaf)
        spread = "spreads" in said[what]
        rest = [{k: y for k, y in x.items() if k != leaf} for x in expected]
        if "other leaves" not in said[what] and "skip" not in said[what] and subject.apart(path, rest) is not None:
            said[what] += ", and other leaves move otherwise"
        if _skips(path) and not _skips(expected) and (_dead(path, expected) or not finite(path)):
            text = f"it skips the step of a gradient with {what}, and yet it does not go on after: "
            yield Cause("non-finite", text + "it guards the parameters but not its state")
        if spread:  # a matrix function, perhaps: on an infinity NumPy's singular value decomposition may hang
            break
    text = "; ".join(f"{what} in one element of a gradient {then}" for what, then in said.items())
    yield Cause("non-finite", text, said, wrong=False)


def _skips(path: list[Arrays]) -> bool:
    return all(np.array_equal(path[1][k], x) for k, x in path[0].items())


def _dead(path: list[Arrays], expected: list[Arrays]) -> bool:
    """Tell whether nothing moves any more after the first step, though without that gradient it would."""
    first, usual = [all(np.array_equal(p[-1][k], p[1][k]) for k in p[1]) for p in (path, expected)]
    return first and not usual


def _undecayed(subject: Subject) -> dict[str, float]:
    return {"weight_decay": 0.0} if "weight_decay" in subject.candidate.hyper else {}


def _effect(path: list[Arrays], quiet: list[Arrays], leaf: str) -> str:
    """Say what became of a run whose second gradient was not finite in the first element of a leaf.

    By decay alone a dead element still moves, so that one is looked for in the run without.
    """
    bad = {k: ~np.isfinite(x) for k, x in path[-1].items()}
    if any(bad[k].any() for k in bad if k != leaf):
        return "spreads to other leaves"
    if bad[leaf].sum() > 1:
        return "spreads over its leaf"
    if bad[leaf].any():
        return "stays in its element"
    if _skips(path):
        return "makes it skip the step"
    if all(x[leaf].flat[0] == quiet[0][leaf].flat[0] for x in quiet[1:]):
        return "stops its element for good"
    return "leaves nothing that is not finite"


CHECKS = (
    Check(
        "zero-gradient",
        "gradients of zero, or with a row and a column of zeros, give NaN as 0/0, at exaggerated settings, at those "
        "that ship, or in float32; or parameters of zero move. That others move without weight decay is noted, as by a "
        "decay of another name or a projection, and noise is",
        "zeros after other gradients; a division by zero that another shape of zeros would show",
        _zero_gradient,
    ),
    Check(
        "zero-params",
        "parameters of zero give NaN: a division by their norm",
        "that they stay zero for ever, which a rule may mean",
        _zero_params,
    ),
    Check(
        "extreme-gradient",
        "gradients whose squares underflow give NaN or infinity: a division by a norm without eps. That those whose "
        "squares overflow do is noted, as rules as published square",
        "a step that is finite and of the wrong size",
        _extreme,
    ),
    Check(
        "non-finite",
        "what one NaN or infinity in a gradient does: stays in its element, spreads, stops the element for good, is "
        "skipped. It is noted; to fail is to skip the step and not to go on after, as the NaN is in the state",
        "what two of them do, or one in the first step",
        _non_finite,
    ),
)
