"""Programs that speak the line protocol, with faults to order."""

import os
import sys
import time
from pathlib import Path

from arrayopt import SGD
from arrayopt.conformance import check

PROGRAM = """
import json, os, signal, subprocess, sys, time
with open({log!r}, "a") as log:
    print(os.getpid(), file=log)
{at_start}
for line in sys.stdin:
    request = json.loads(line)
    op = request["op"]
    after = ""
    if op == "hello":
        answer = dict(protocol=1, hyper=["lr"], can=["set"])
    elif op == "make":
        params, lr, steps = [leaf["data"] for leaf in request["params"]], request["hyper"].get("lr", 0.1), 0
        answer = dict()
    elif op == "set":
        lr, answer = request["hyper"]["lr"], dict()
    else:
        steps += 1
        params = [[float(x) - lr * float(y) for x, y in zip(p, g)] for p, g in zip(params, request["grads"])]
        answer = dict(params=params)
{instead}
    print(answer if isinstance(answer, str) else json.dumps(answer), end="\\n" + after, flush=True)
"""
"""Gradient descent, with room for faults at the start and before each answer; it notes its process id in a file."""
IN_STEP = 'if op == "step" and steps == 2: '
"""A fault that is only there in the second step."""


class Programs:
    """Writes programs into a folder, and knows which processes ran them."""

    def __init__(self, folder):
        self.folder, self.log, self.count = folder, folder / "log", 0

    def __call__(self, instead="", at_start=""):
        """Write a program with faults; return the command that runs it, quickly."""
        self.count += 1
        file = self.folder / f"program{self.count}.py"
        instead = "    " + instead.replace("\n", "\n    ")
        file.write_text(PROGRAM.format(log=str(self.log), at_start=at_start, instead=instead))
        return [sys.executable, "-I", "-S", str(file)]

    def pids(self):
        return [int(x) for x in self.log.read_text().split()]


def gone(pid):
    """Tell whether a process has ended; one that its parent never asks about stays as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and ") Z " in status.read_text()


def within(seconds, happens):
    end = time.monotonic() + seconds
    while not happens() and time.monotonic() < end:
        time.sleep(0.01)
    return happens()


def reason(candidate):
    report = check(candidate, SGD())
    assert report.verdict == "cannot-run", report
    (cause,) = report.causes
    return str(cause)
