"""Whatever a process does wrong is told, within the limit."""

import os
import re
import time

import numpy as np
import pytest

from arrayopt import SGD
from arrayopt.conformance import check
from arrayopt.conformance.candidate import CannotRunError
from arrayopt.conformance.processes.process import process_candidate
from tests.conformance.programs import IN_STEP, Programs, gone, reason, within

pytestmark = pytest.mark.skipif(os.name != "posix", reason="candidates that are processes need POSIX")


@pytest.fixture
def program(tmp_path):
    return Programs(tmp_path)


# what it says hangs on whether the answer is there when the line before it is read
LOGGED = "(answer to step 2 is no JSON object|more than one line in answer to step 2): 'step 2.*logs on standard error"
FAULTS = {
    "crash at start": ("", "sys.exit('no device')", "it exited with code 1 instead of answering to hello; .*no device"),
    "crash in a step": (
        IN_STEP + "print('lost', file=sys.stderr); os._exit(7)",
        "",
        "it exited with code 7 instead of answering to step 2; its standard error ends: 'lost'",
    ),
    "killed": (IN_STEP + "os.kill(os.getpid(), signal.SIGSEGV)", "", r"it was killed by signal 11 \(SIGSEGV\)"),
    "an exception": (IN_STEP + "1 / 0", "", r"code 1 .*Traceback.*ZeroDivisionError"),
    "closed": (IN_STEP + "os.close(1); time.sleep(60)", "", "it closed its standard output instead of answering"),
    "shape": (IN_STEP + "params[0].pop()", "", r"in leaf 'a' 11 numbers, expected 12, row by row, for shape \(4, 3\)"),
    "nested": (IN_STEP + "answer['params'][0] = 2.0", "", "in leaf 'a' '2.0', expected a flat list of numbers"),
    "null": (IN_STEP + "params[0][3] = None", "", "in leaf 'a' 'null', expected a number; JSON.stringify writes null"),
    "text": (IN_STEP + "params[0][3] = '1.5'", "", "in leaf 'a' '\"1.5\"', expected a number$"),
    "missing leaf": (IN_STEP + "params.pop()", "", r"has \d leaves, expected \d: a, b, c"),
    "no leaves": (IN_STEP + "answer = {'p': 1}", "", 'has no list "params": .{"p":1'),
    "log at start": ("", "print('starting up', flush=True)", "'starting up.*logs on standard error"),
    "log before": (IN_STEP + "print('step 2', flush=True)", "", LOGGED),
    "log after": (IN_STEP + "after = 'done\\n'", "", r"more than one line in answer to step 2: '\{.*; standard output"),
    "no object": (IN_STEP + "answer = [1]", "", r"its answer to step 2 is no JSON object: '\[1\]'; standard output is"),
    "deep": (IN_STEP + "answer = '[' * 10**5", "", r"is no JSON object: '\[\[\[.*\.\.\.'"),
    "other protocol": ("if op == 'hello': answer['protocol'] = 2", "", 'has "protocol":2.0, expected 1; see docs/pro'),
    "no hyper": ("if op == 'hello': del answer['hyper']", "", 'has "hyper":null, expected the names .*"beta1"'),
    "no names": ("if op == 'hello': answer['hyper'] = ['lr', 1]", "", r'has "hyper":\["lr",1.0\], expected the names'),
    "half": ("if op == 'hello': answer['dtype'] = 'float16'", "", 'has "dtype":"float16", expected one of float64, f'),
    "unknown": ("if op == 'hello': answer['can'] = ['fly']", "", r'has "can":\["fly"\], expected a list of set, save'),
    "odd name": ("if op == 'hello': answer['name'] = 3", "", 'has "name":3.0, expected a string'),
    "endless line": (
        IN_STEP + "\n    while True: sys.stdout.write('x' * 10**6)",
        "",
        "than 16777216 bytes without",
    ),
    "endless lines": (IN_STEP + "\n    while True: print('y')", "", "more than one line in answer to step 2: 'y"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_at_once(program, fault):
    instead, at_start, said = FAULTS[fault]
    began = time.monotonic()
    told = reason(process_candidate(program(instead, at_start)))
    assert re.search(said, told), told
    assert time.monotonic() - began < 8  # far below the 10 s of a hung process
    assert all(within(5, lambda pid=pid: gone(pid)) for pid in program.pids())


HANGS = {
    "at start": ("", "time.sleep(60)", "hello"),
    "in a step": (IN_STEP + "time.sleep(60)", "", "step 2"),
    "ignoring SIGTERM": (IN_STEP + "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", "", "step 2"),
    "complaining for ever": (IN_STEP + "\n    while True: print('wait', file=sys.stderr)", "", "step 2"),
    "with children": (
        IN_STEP + "print(subprocess.Popen(['sleep', '60']).pid, file=open(log.name, 'a'), flush=True); time.sleep(60)",
        "",
        "step 2",
    ),
}


@pytest.mark.parametrize("fault", HANGS)
def test_a_process_that_hangs_is_killed_with_its_children(program, fault):
    instead, at_start, what = HANGS[fault]
    began = time.monotonic()
    told = reason(process_candidate(program(instead, at_start), timeout=1))
    assert f"it gave no answer to {what} within 1 s and was killed" in told
    assert "flush" in told
    assert "raise timeout" in told
    assert ("'wait' | 'wait'" in told) == (fault == "complaining for ever")
    assert 1 < time.monotonic() - began < 8
    pids = program.pids()
    assert len(pids) == (2 if fault == "with children" else 1)
    assert all(within(5, lambda pid=pid: gone(pid)) for pid in pids)


def test_a_process_that_reads_nothing_does_not_block_what_is_written(program):
    deaf = program('if op == "hello": print(json.dumps(answer), flush=True); time.sleep(60)')
    with pytest.raises(CannotRunError, match="it gave no answer to make within 1 s"):
        process_candidate(deaf, timeout=1).make({"a": np.ones(10**5)})


def test_a_line_that_comes_after_the_answer_is_not_taken_for_the_next(program):
    late = program('if op == "step": print(json.dumps(answer), flush=True); time.sleep(0.1); answer = "done"')
    session = process_candidate(late).make({"a": np.ones(1)})
    session.step({"a": np.ones(1)})
    time.sleep(0.5)
    with pytest.raises(CannotRunError, match=r"it wrote a line before it was asked for step 2: 'done\\n'"):
        session.step({"a": np.ones(1)})


def test_nan_is_a_value_which_differs(program):
    report = check(process_candidate(program(IN_STEP + "params[0][0] = float('nan')")), SGD())
    assert report.verdict == "differs"
    assert np.isnan(report.first_divergence.got)


def test_slow_answers_are_given_up_in_the_end(program):
    candidate = process_candidate(program('if op == "step": time.sleep(0.6)'), timeout=2)
    candidate.make.patience = 1.0  # instead of 6 seconds
    session = candidate.make({"a": np.ones(1)})
    for _ in range(2):
        session.step({"a": np.ones(1)})
    with pytest.raises(CannotRunError, match=r"its slow answers \(over 0.2 s each\) took more than 6 s together"):
        session.step({"a": np.ones(1)})
