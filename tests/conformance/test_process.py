"""Candidates that are processes: what they may do, and that nothing is left of them."""

import gc
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from arrayopt import SGD, OptionError
from arrayopt.conformance import check
from arrayopt.conformance.candidate import CannotRunError
from arrayopt.conformance.processes.process import process_candidate
from tests.conformance.programs import IN_STEP, Programs, gone, reason, within

pytestmark = pytest.mark.skipif(os.name != "posix", reason="candidates that are processes need POSIX")


@pytest.fixture
def program(tmp_path):
    return Programs(tmp_path)


# What works -----------------------------------------------------------------------------------


def test_a_program_conforms_and_few_processes_serve_the_whole_check(program):
    candidate = process_candidate(program(), name="mine")
    assert (candidate.name, candidate.hyper, candidate.dtype) == ("mine", ("lr",), "float64")
    assert check(candidate, SGD()).verdict == "conforms"
    assert len(program.pids()) <= 3  # as many as there are runs at the same time


def test_what_it_says_of_itself_is_the_default(program):
    said = program('if op == "hello": answer.update(name="my_sgd", dtype="float32", hyper=["lr", "momentum"])')
    candidate = process_candidate(said)
    assert (candidate.name, candidate.hyper, candidate.dtype) == ("my_sgd", ("lr", "momentum"), "float32")
    other = process_candidate(said, name="x", hyper=["lr"], dtype="float64")
    assert (other.name, other.hyper, other.dtype) == ("x", ("lr",), "float64")


@pytest.mark.parametrize("can", [[], ["set"], ["save"]])
def test_a_session_has_the_methods_that_the_program_offers(program, can):
    candidate = process_candidate(program(f'if op == "hello": answer["can"] = {can}'))
    running = candidate.start({"a": np.ones(2)}, {})
    assert [what for what in ("set", "save", "load") if running.can(what)] == can + ["load"] * ("save" in can)


def test_two_runs_at_once_do_not_disturb_each_other(program):
    make = process_candidate(program()).make
    first, second = make({"a": np.zeros(1)}, lr=1.0), make({"a": np.ones(1)}, lr=1.0)
    g = {"a": np.ones(1)}
    assert [float(run.step(g)["a"][0]) for run in (first, second, first)] == [-1.0, 0.0, -2.0]
    assert len(program.pids()) == 2


ECHO = 'if op == "step": answer = {{"params": [[{} for x in p] for p in request["grads"]]}}'


def test_every_float64_comes_back_with_its_bits(program):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2**64, size=4000, dtype=np.uint64).view(np.float64)
    x = np.append(x[~np.isnan(x)], [0.0, -0.0, np.inf, -np.inf, 5e-324, np.finfo(float).max]).reshape(1, -1)
    session = process_candidate(program(ECHO.format("x"))).make({"a": x})
    back = session.step({"a": x})["a"]
    assert back.shape == x.shape
    assert back.tobytes() == x.tobytes()
    assert np.isnan(session.step({"a": np.full(x.shape, np.nan)})["a"]).all()


def test_every_float32_comes_back_from_nine_digits(program):
    x = np.random.default_rng(0).integers(0, 2**32, size=4000, dtype=np.uint32).view(np.float32)
    x = x[np.isfinite(x)]
    says = 'if op == "hello": answer["dtype"] = "float32"\n' + ECHO.format('float("%.9g" % x)')
    back = process_candidate(program(says)).make({"a": x}).step({"a": x})["a"]
    assert back.dtype == np.float32
    assert back.tobytes() == x.tobytes()


def test_arrays_are_sent_row_by_row_whatever_their_layout(program):
    x = np.arange(6.0).reshape(2, 3)
    session = process_candidate(program(ECHO.format("x"))).make({"a": np.asfortranarray(x)})
    assert np.array_equal(session.step({"a": np.asfortranarray(x)})["a"], x)


def test_numbers_that_are_not_finite_may_be_written_as_printf_does(program):
    line = '{"params":[[nan, -nan,inf,-inf,NaN,Infinity,"-Infinity","nan",-0,1e999]]}'
    session = process_candidate(program(f"if op == 'step': answer = '{line}'")).make({"a": np.ones(10)})
    got = session.step({"a": np.ones(10)})["a"]
    expected = np.array([np.nan, np.nan, np.inf, -np.inf, np.nan, np.inf, -np.inf, np.nan, -0.0, np.inf])
    assert np.array_equal(got, expected, equal_nan=True)
    assert np.signbit(got[8])


def test_leaves_of_no_dimension_and_of_no_element(program):
    session = process_candidate(program()).make({"a": np.array(1.0), "b": np.ones((0, 3))}, lr=0.5)
    after = session.step({"a": np.array(1.0), "b": np.ones((0, 3))})
    assert (float(after["a"]), after["a"].shape, after["b"].shape) == (0.5, (), (0, 3))


def test_much_on_standard_error_blocks_nothing(program):
    candidate = process_candidate(program('sys.stderr.write("x" * 10**5)'), timeout=5)
    assert check(candidate, SGD()).verdict == "conforms"


def test_a_refusal_is_a_reason_and_no_end(program):
    candidate = process_candidate(program('if op == "make" and lr > 0.5: answer = {"error": "lr is too large"}'))
    with pytest.raises(CannotRunError, match="it refuses make: lr is too large"):
        candidate.make({"a": np.ones(1)}, lr=1.0)
    candidate.make({"a": np.ones(1)}, lr=0.1)
    assert len(program.pids()) == 1


def test_a_command_that_is_none(tmp_path):
    assert re.search("there is no command './my_adam'.*on PATH", reason(process_candidate("./my_adam --fast")))
    script = tmp_path / "script.py"
    script.write_text("print(1)")
    said = f"'{script}' is not executable; chmod \\+x it, or name its interpreter: 'python3 {script}'"
    assert re.search(said, reason(process_candidate(str(script))))
    script.chmod(0o755)
    assert re.search("cannot be started: Exec format error; a script needs", reason(process_candidate([script])))
    script.write_text("#!/no/such/interpreter\n")
    assert re.search("or the interpreter that its first line names", reason(process_candidate([script])))


def test_no_shell_reads_the_command(program, tmp_path):
    words = " ".join(program())
    assert check(process_candidate(f"{words} ; touch {tmp_path}/touched $HOME"), SGD()).verdict == "conforms"
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"command": ""}, "must name a program, got ''"),
        ({"command": []}, "must name a program"),
        ({"command": "'adam"}, "cannot be split into words: No closing quotation"),
        ({"command": [3]}, "cannot be split into words"),
        ({"command": "adam", "timeout": 0}, "timeout must be a positive number of seconds, got 0"),
        ({"command": "adam", "timeout": float("nan")}, "timeout must be a positive number of seconds, got nan"),
        ({"command": "adam", "dtype": "float16"}, "dtype must be one of float64, float32, got 'float16'"),
    ],
)
def test_arguments_that_are_wrong(arguments, said):
    with pytest.raises(OptionError, match=re.escape(said)):
        process_candidate(**arguments)


# Afterwards -----------------------------------------------------------------------------------


def test_the_rest_of_a_list_runs(program):
    commands = [program(IN_STEP + "os._exit(1)"), ["./nothing"], program("", "time.sleep(60)"), program()]
    reports = [check(process_candidate(c, timeout=1), SGD()) for c in commands]
    assert [r.verdict for r in reports] == ["cannot-run"] * 3 + ["conforms"]


def test_after_a_crash_the_next_run_has_a_fresh_process(program):
    candidate = process_candidate(program('if op == "step" and request["grads"] == [[0.0]]: os._exit(1)'))
    session = candidate.make({"a": np.ones(1)}, lr=0.1)
    for said in ("it exited with code 1", "the process of this run is gone, so that step 2 cannot be asked"):
        with pytest.raises(CannotRunError, match=said):
            session.step({"a": np.zeros(1)})
    assert float(candidate.make({"a": np.ones(1)}, lr=0.5).step({"a": np.ones(1)})["a"][0]) == 0.5
    assert len(program.pids()) == 2


def test_what_is_no_longer_used_is_ended_and_its_pipes_closed(program):
    gc.collect()
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208, its entries vanish
    candidate = process_candidate(program())
    session = candidate.make({"a": np.ones(1)})
    (pid,) = program.pids()
    assert not gone(pid)
    del session, candidate
    gc.collect()
    assert gone(pid)
    for instead in ("os._exit(1)", "answer = 'no'"):
        reason(process_candidate(program(instead)))
    gc.collect()
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


def test_nothing_is_left_when_the_interpreter_exits(program):
    stubborn = program(at_start="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with Path(stubborn[-1]).open("a") as file:
        file.write("time.sleep(60)\n")  # nor does it exit when its input ends
    text = f"""
import numpy as np
from arrayopt.conformance.processes.process import process_candidate
candidate = process_candidate({stubborn!r})
session = candidate.make({{"a": np.ones(1)}})
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", text], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    (pid,) = program.pids()
    assert within(5, lambda: gone(pid))
