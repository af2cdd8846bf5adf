"""Candidates that are processes: an optimizer in any language, spoken to in lines of JSON.

The protocol is described for people who write one in docs/protocol.md: a program reads a line from standard input,
answers it with one line on standard output, and ends when its input ends. One process serves many runs, one after
another; each "make" starts afresh.
"""

import math
import os
import shlex
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.processes.child import STRICT, BrokenProcessError, Child
from arrayopt.conformance.processes.wire import array, numbers, parsed, quoted, values, written
from arrayopt.errors import OptionError

PROTOCOL = 1
"""Version of the protocol."""
CAN = ("set", "save")
"""What a program may offer besides "make" and "step"."""
DTYPES = ("float64", "float32")
"""The precisions that a program may compute in."""
PATIENCE = 3
"""Slow answers, of over a tenth of the limit, may together take this many limits; then the candidate is given up."""


def process_candidate(
    command: str | Sequence[str],
    *,
    name: str | None = None,
    timeout: float = 10.0,
    hyper: Sequence[str] | None = None,
    dtype: str | None = None,
) -> Candidate:
    """Return a candidate that is a program, in whatever language, which speaks the line protocol.

    The program is started here, to be asked what it is called and what it takes. If it cannot be, the candidate says
    why when it is made, so that a check gives "cannot-run". It is ended when the candidate is no longer used and when
    the interpreter exits.

    Parameters
    ----------
    command : str or sequence of str
        The program and its arguments. A string is split as a shell would, but no shell is run.
    name : str, optional
        What reports call it; by default what the program calls itself, else the command.
    timeout : float
        Seconds that each answer may take. A process that takes longer is killed.
    hyper : sequence of str, optional
        The hyper-parameters to give to it, as the reference's fields; by default those that it names.
    dtype : {"float64", "float32"}, optional
        The precision that it computes in; by default what it says, else "float64".

    Returns
    -------
    Candidate
        Its runs share one process; a run that begins while another is going on gets a process of its own.

    Raises
    ------
    OptionError
        If the command is empty or cannot be split, or another argument is of the wrong kind.

    Examples
    --------
    >>> from arrayopt import Adam
    >>> from arrayopt.conformance import check
    >>> print(check(process_candidate("./my_adam --fast"), Adam()).verdict)
    cannot-run
    """
    words = _words(command)
    if not 0 < timeout < math.inf:
        raise OptionError(f"process_candidate: timeout must be a positive number of seconds, got {timeout!r}")
    if dtype not in (None, *DTYPES):
        raise OptionError(f"process_candidate: dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    processes = Processes(words, timeout)
    shown = shlex.join(words)
    try:
        hello = processes.hello(named=hyper is not None)
    except CannotRunError as refusal:
        return Candidate(
            name or shown, _Refusal(str(refusal)), tuple(hyper or ("lr",)), dtype or "float64", source=shown
        )
    processes.offers, processes.dtype = hello.can, dtype or hello.dtype
    taken = tuple(hello.hyper if hyper is None else hyper)
    return Candidate(name or hello.name or shown, processes, taken, processes.dtype, source=shown)


def _words(command: str | Sequence[str]) -> list[str]:
    """Split a command into words."""
    try:
        words = shlex.split(command) if isinstance(command, str) else [os.fspath(word) for word in command]
    except (TypeError, ValueError) as error:
        raise OptionError(f"process_candidate: command {command!r} cannot be split into words: {error}") from error
    if not words or not all(words):
        raise OptionError(f"process_candidate: command must name a program, got {command!r}")
    return words


# The processes of a command -------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """What a program says of itself."""

    name: str
    hyper: tuple[str, ...]
    dtype: str
    can: tuple[str, ...]


@dataclass(frozen=True)
class _Refusal:
    """What is called instead of a program that cannot be started."""

    why: str

    def __call__(self, params: Arrays, /, **hyper: float) -> "Session":
        raise BrokenProcessError(self.why)


class Processes:
    """The processes of one command: called with parameters it begins a run, in one whose last run is over."""

    def __init__(self, words: Sequence[str], timeout: float) -> None:
        self.words, self.timeout, self.folder = words, timeout, str(Path.cwd())
        self.offers: tuple[str, ...] = ()
        self.dtype = "float64"
        self.patience = PATIENCE * timeout
        # a process is free once nobody holds its session
        self._runs: dict[Child, weakref.ref[Session] | None] = {}
        weakref.finalize(self, _close, self._runs)

    def __call__(self, params: Mapping[str, np.ndarray], /, **hyper: float) -> "Session":
        """Begin a run."""
        child = next((c for c, run in self._runs.items() if c.alive and (run is None or run() is None)), None)
        if child is None:
            child = self._start()[0]
        leaves = [{"name": k, "shape": list(p.shape), "data": numbers(p)} for k, p in params.items()]
        self.ask(child, {"op": "make", "params": leaves, "hyper": values(hyper)}, "make")
        session = Session(self, child, {k: p.shape for k, p in params.items()})
        self._runs[child] = weakref.ref(session)
        return session

    def hello(self, named: bool) -> Hello:
        """Start a process and return what it says; it must name its hyper-parameters unless they are `named`."""
        child, said = self._start()
        name, dtype = said.get("name", ""), said.get("dtype", "float64")
        hyper, can = said.get("hyper", [] if named else None), said.get("can", [])
        if not isinstance(name, str):
            raise child.broken(f'its answer to hello has "name":{written(name)}, expected a string')
        if not (isinstance(hyper, list) and all(isinstance(x, str) for x in hyper)):
            raise child.broken(
                f'its answer to hello has "hyper":{written(hyper)}, expected the names of the hyper-parameters that it '
                'takes, such as ["lr","beta1"]'
            )
        if dtype not in DTYPES:
            raise child.broken(f'its answer to hello has "dtype":{written(dtype)}, expected one of {", ".join(DTYPES)}')
        if not (isinstance(can, list) and all(x in CAN for x in can)):
            raise child.broken(f'its answer to hello has "can":{written(can)}, expected a list of {", ".join(CAN)}')
        return Hello(name, tuple(hyper), dtype, tuple(can))

    def ask(self, child: Child, request: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Send a request, and return the object that is the answer."""
        if self.patience <= 0:
            raise child.broken(
                f"its slow answers (over {self.timeout / 10:g} s each) took more than {PATIENCE * self.timeout:g} s "
                "together; if it needs longer, raise timeout (--timeout on the command line)"
            )
        began = time.monotonic()
        try:
            line = child.ask(written(request), what, self.timeout)
        finally:
            waited = time.monotonic() - began
            self.patience -= waited if waited > self.timeout / 10 else 0.0
        answer = parsed(line)
        if not isinstance(answer, dict):
            raise child.broken(f"its answer to {what} is no JSON object: {quoted(line)}; {STRICT}")
        if "error" in answer:
            raise CannotRunError(f"it refuses {what}: {answer['error']}")
        return answer

    def _start(self) -> tuple[Child, dict[str, Any]]:
        """Start a process and return it with its answer to hello."""
        for dead in [c for c in self._runs if not c.alive]:
            del self._runs[dead]
        child = Child(self.words, self.folder)
        try:
            said = self.ask(child, {"op": "hello", "protocol": PROTOCOL}, "hello")
        except CannotRunError:
            child.kill()  # if it refuses, it still runs
            raise
        if said.get("protocol") != PROTOCOL:
            raise child.broken(
                f'its answer to hello has "protocol":{written(said.get("protocol"))}, expected {PROTOCOL}; '
                "see docs/protocol.md"
            )
        self._runs[child] = None
        return child, said


class Session:
    """One run in a process."""

    def __init__(self, processes: Processes, child: Child, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._processes, self._child, self._shapes, self._t = processes, child, shapes, 0

    def step(self, grads: Mapping[str, np.ndarray]) -> Arrays:
        """Take a step and return the parameters."""
        self._t += 1
        what = f"step {self._t}"
        answer = self._ask({"op": "step", "grads": [numbers(grads[k]) for k in self._shapes]}, what)
        lists = answer.get("params")
        if not isinstance(lists, list):
            raise self._child.broken(f'its answer to {what} has no list "params": {quoted(written(answer))}')
        if len(lists) != len(self._shapes):
            raise self._child.broken(
                f"its answer to {what} has {len(lists)} leaves, expected {len(self._shapes)}: {', '.join(self._shapes)}"
            )
        params: Arrays = {}
        for (leaf, shape), data in zip(self._shapes.items(), lists, strict=True):
            try:
                params[leaf] = array(data, shape, self._processes.dtype)
            except ValueError as error:
                raise self._child.broken(f"its answer to {what} has in leaf {leaf!r} {error}") from error
        return params

    # Properties, as a session has only the methods that the program offers: one that is not there raises
    # AttributeError, as it should. They are no attributes of the instance, which would hold itself alive.

    @property
    def set(self) -> Any:
        """``set(**hyper)``: change hyper-parameters from the next step on."""
        return self._offered("set", self._set)

    @property
    def save(self) -> Any:
        """``save()``: return the whole state, parameters and all, as the program's own string."""
        return self._offered("save", self._save)

    @property
    def load(self) -> Any:
        """``load(state)``: go on from what ``save`` of another run returned."""
        return self._offered("save", self._load)

    def _offered(self, what: str, method: Any) -> Any:
        if what not in self._processes.offers:
            raise AttributeError(f"the program does not offer {what}")
        return method

    def _set(self, **hyper: float) -> None:
        self._ask({"op": "set", "hyper": values(hyper)}, "set")

    def _save(self) -> str:
        state = self._ask({"op": "save"}, "save").get("state")
        if not isinstance(state, str):
            raise self._child.broken('its answer to save has no string "state"')
        return state

    def _load(self, state: str) -> None:
        self._ask({"op": "load", "state": state}, "load")

    def _ask(self, request: Mapping[str, Any], what: str) -> dict[str, Any]:
        if not self._child.alive:
            raise BrokenProcessError(f"the process of this run is gone, so that {what} cannot be asked")
        return self._processes.ask(self._child, request, what)


def _close(children: Mapping[Child, Any]) -> None:
    for child in children:
        if child.alive:
            child.hang_up()
    for child in children:
        child.close()
