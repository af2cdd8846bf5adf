"""A child process that is asked one line and answers one line, within limits.

It is started without a shell, in a process group of its own, which is killed as a whole. All three pipes are read and
written in one loop, so that neither side can wait for the other for ever.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO

from arrayopt.conformance.candidate import CannotRunError
from arrayopt.conformance.processes.wire import QUOTED, quoted

LONGEST = 2**24
"""Bytes that an answer may have."""
CHUNK = 2**16
"""Bytes that are read at a time: what a pipe holds on Linux."""
GRACE = 1.0
"""Seconds to exit in once there is nothing more to read, before it is killed."""
TAIL_BYTES, TAIL_LINES = 4096, 5
"""How much of the end of standard error is kept, and how many lines of it are told."""

STRICT = "standard output is for answers, one line each; print logs on standard error"


class BrokenProcessError(CannotRunError):
    """A process could not be started, hung, ended, or wrote something that is no answer; it has been killed."""


class Child:
    """A running program.

    Parameters
    ----------
    words : sequence of str
        The program and its arguments.
    folder : str
        Where it runs.

    Raises
    ------
    BrokenProcessError
        If it cannot be started.
    """

    def __init__(self, words: Sequence[str], folder: str) -> None:
        if os.name != "posix":
            raise BrokenProcessError("candidates that are processes need Linux or macOS; on Windows use WSL")
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                words, bufsize=0, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, start_new_session=True
            )
        except FileNotFoundError as error:
            raise BrokenProcessError(
                f"there is no command {words[0]!r} (looked in {folder} and on PATH), or the interpreter that its first "
                "line names is missing"
            ) from error
        except PermissionError as error:
            raise BrokenProcessError(
                f"{words[0]!r} is not executable; chmod +x it, or name its interpreter: 'python3 {words[0]}'"
            ) from error
        except OSError as error:
            raise BrokenProcessError(
                f"{words[0]!r} cannot be started: {error.strerror}; a script needs a first line such as "
                "#!/usr/bin/env python3, or its interpreter before its name"
            ) from error
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        if stdin is None or stdout is None or stderr is None:
            raise AssertionError("all three are pipes")
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._heard, self._complaints = bytearray(), b""
        self._selector = selectors.DefaultSelector()
        for stream in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(stream.fileno(), False)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self._selector.register(self._stderr, selectors.EVENT_READ)
        self.alive = True

    def ask(self, line: str, what: str, seconds: float) -> str:
        """Write a line and return the one that comes back.

        Parameters
        ----------
        line : str
            What to write, without the end of the line.
        what : str
            What errors call it.
        seconds : float
            How long to wait for the answer.

        Raises
        ------
        BrokenProcessError
            If no answer comes in time, or too long a one, or more than one line, or if the process ends.
        """
        try:
            return self._ask(line, what, seconds)
        except BaseException:  # also when the user interrupts: half a line has been written
            self.kill()
            raise

    def broken(self, why: str) -> BrokenProcessError:
        """Kill it, and return the error which says why, with the end of what it wrote to standard error."""
        self.kill()
        lines = self._complaints.decode(errors="replace").strip().splitlines()[-TAIL_LINES:]
        told = " | ".join(quoted(x) for x in lines)
        return BrokenProcessError(f"{why}; its standard error ends: {told}" if told else why)

    def hang_up(self) -> None:
        """Close its standard input, which tells it to exit."""
        with contextlib.suppress(OSError):
            self._stdin.close()

    def close(self) -> None:
        """End it: let it exit, and kill what is left of it."""
        if self.alive:
            self.hang_up()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE)
        self.kill()

    def kill(self) -> None:
        """Kill its process group at once."""
        if not self.alive:
            return
        self.alive = False
        # macOS answers EPERM for a group of which only the dead are left
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        # what a pipe still holds; bounded, as a descendant that left the group may write on
        for _ in range(16):
            if not self._listen():
                break
        self._selector.close()
        self.hang_up()
        self._stdout.close()
        self._stderr.close()

    # How it is asked ----------------------------------------------------------------------------

    def _ask(self, line: str, what: str, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        if self._hear():
            raise self._polluted(f"a line before it was asked for {what}")
        rest = memoryview(line.encode() + b"\n")
        self._selector.register(self._stdin, selectors.EVENT_WRITE)
        while b"\n" not in self._heard:
            if len(self._heard) > LONGEST:
                raise self.broken(f"it wrote more than {LONGEST} bytes without an end of line as its answer to {what}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise self.broken(
                    f"it gave no answer to {what} within {seconds:g} s and was killed; it must flush its output after "
                    "every line, and if it needs longer, raise timeout (--timeout on the command line)"
                )
            for key, _ in self._selector.select(left):
                if key.fileobj is self._stdin:
                    rest = self._write(rest)
                    if not rest:
                        self._selector.unregister(self._stdin)
                elif key.fileobj is self._stderr:
                    if self._listen() == b"":
                        self._selector.unregister(self._stderr)
                elif self._hear() == b"":
                    raise self._ended(what)
        answer, _, more = self._heard.partition(b"\n")
        if rest:
            raise self._polluted(f"a line before it had read all of {what}")
        if more:
            raise self._polluted(f"more than one line in answer to {what}")
        self._heard = bytearray()
        return answer.decode(errors="replace")

    def _ended(self, what: str) -> BrokenProcessError:
        """Say how it ended, once its standard output has."""
        try:
            code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return self.broken(f"it closed its standard output instead of answering to {what}")
        if code >= 0:
            return self.broken(f"it exited with code {code} instead of answering to {what}")
        return self.broken(f"it was killed by {_signal(-code)} instead of answering to {what}")

    def _write(self, rest: memoryview) -> memoryview:
        try:
            return rest[os.write(self._stdin.fileno(), rest) :]
        except BlockingIOError:
            return rest
        except BrokenPipeError:  # it reads no more: wait for what it has to say
            return rest[:0]

    def _hear(self) -> bytes | None:
        """Read and return what has come on standard output."""
        chunk = _read(self._stdout)
        self._heard += chunk or b""
        return chunk

    def _listen(self) -> bytes | None:
        """Read and return what has come on standard error; keep the end of it."""
        chunk = _read(self._stderr)
        self._complaints = (self._complaints + (chunk or b""))[-TAIL_BYTES:]
        return chunk

    def _polluted(self, when: str) -> BrokenProcessError:
        """Say what it wrote that nobody asked for."""
        wrote = quoted(self._heard[: 4 * QUOTED].decode(errors="replace"))
        return self.broken(f"it wrote {when}: {wrote}; {STRICT}")


def _read(stream: IO[bytes]) -> bytes | None:
    """Read what is there: None if nothing is yet, no bytes if nothing will come."""
    try:
        return os.read(stream.fileno(), CHUNK)
    except BlockingIOError:
        return None


def _signal(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
