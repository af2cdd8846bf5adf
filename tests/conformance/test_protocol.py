"""The page about the protocol tells what is really sent and answered, and the worked examples get their verdicts."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from arrayopt import Adam, Lion
from arrayopt.conformance import check
from arrayopt.conformance.processes.child import LONGEST, Child
from arrayopt.conformance.processes.process import PATIENCE, PROTOCOL, process_candidate
from arrayopt.conformance.processes.wire import parsed
from validation.examples import CANDIDATES, as_written

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
COMPILERS = {".c": ["cc", "gcc", "clang"], ".js": ["node"], ".rs": ["rustc"]}
PROGRAMS = {"adam.c": Adam(), "adam_hat.js": Adam(), "lion.rs": Lion()}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Return a function that compiles an example, once, and returns the command that runs it."""
    folder, commands = tmp_path_factory.mktemp("programs"), {}

    def build(name):
        file = CANDIDATES / name
        tools = [t for t in map(shutil.which, COMPILERS[file.suffix]) if t]
        if not tools:
            pytest.skip(f"{name} needs one of {', '.join(COMPILERS[file.suffix])}, none of which is installed")
        if name not in commands:
            out = str(folder / f"{len(commands)}")
            command = {
                ".c": [tools[0], "-O2", "-o", out, str(file), "-lm"],
                ".js": [tools[0], "--version"],
                ".rs": [tools[0], "-O", "-o", out, str(file)],
            }[file.suffix]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            commands[name] = [tools[0], str(file)] if file.suffix == ".js" else [out]
        return commands[name]

    return build


# The worked examples --------------------------------------------------------------------------


def first_line(name):
    """Read verdict and dialect from the first line of an example."""
    line = (CANDIDATES / name).read_text(encoding="utf-8").partition("\n")[0]
    verdict, field, value = re.fullmatch(r"// verdict: ([\w-]+)(?: (\w+)='(\w+)')? \| \S.*", line).groups()
    return verdict, {field: value} if field else {}


def test_every_program_is_tested():
    assert {f.name for f in CANDIDATES.iterdir() if f.suffix not in (".py", "")} == set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_gets_the_verdict_in_its_first_line(built, name):
    report = check(process_candidate(built(name)), PROGRAMS[name])
    assert report.candidate == name
    assert as_written(report, *first_line(name)), str(report)


def test_a_program_in_float32_is_held_to_the_bounds_of_float32(built, tmp_path):
    text = (CANDIDATES / "adam.c").read_text(encoding="utf-8").replace("double", "float").replace("float64", "float32")
    file = tmp_path / "adam.c"
    file.write_text(text, encoding="utf-8")
    candidate = process_candidate(built(str(file)))
    assert candidate.dtype == "float32"
    assert check(candidate, Adam(), consistency=False).verdict == "conforms"


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_computes_with_what_is_not_finite(built, name):
    session = process_candidate(built(name)).make({"a": np.array([1.0, 2.0, np.inf])}, lr=0.1)
    after = session.step({"a": np.array([np.nan, 1.0, 1.0])})["a"]
    assert np.isnan(after[0])
    assert after[1] == pytest.approx(1.9)
    assert not np.isfinite(after[2])  # NaN where a decay of 0 is multiplied with it


# The page -------------------------------------------------------------------------------------


def transcripts():
    """Return the conversations of the page, each a list of (request, answer)."""
    blocks = re.findall(r"```text\n(> .*?)\n```", PAGE, re.DOTALL)
    return [re.findall(r"^> (.*)\n< (.*)$", block, re.MULTILINE) for block in blocks]


def talk_with_adam_c(candidate):
    params = {"w": np.array([[1.0, -2.0], [0.5, 3.0]]), "b": np.array(0.25)}
    session = candidate.make(params, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8)
    session.step({"w": np.array([[0.1, -0.2], [0.0, 1e-12]]), "b": np.array(-0.5)})
    session.set(lr=0.01)
    session.step({"w": np.array([[np.nan, np.inf], [-np.inf, -0.0]]), "b": np.array(1.0)})
    del session
    candidate.make({"w": np.array([1.0, 2.0])}, lr=0.1)


def talk_with_adam_hat_js(candidate):
    hyper = {"lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 0.0}
    session = candidate.make({"w": np.array([1.0, -2.0])}, **hyper)
    session.step({"w": np.array([2.0, -4.0])})
    state = session.save()
    del session
    session = candidate.make({"w": np.array([0.0, 0.0])}, **hyper)
    session.load(state)
    session.step({"w": np.array([1.0, 0.0])})


TALKS = {"adam.c": talk_with_adam_c, "adam_hat.js": talk_with_adam_hat_js}
PARROT = """
import json, sys
answers = iter(json.loads(sys.argv[1]))
for line in sys.stdin:
    print(line, end="", file=open(sys.argv[2], "a"))
    print(next(answers), flush=True)
"""
"""A program that gives the answers of the page whatever it is asked, and writes down what it was asked."""


@pytest.mark.parametrize(("name", "number"), [("adam.c", 0), ("adam_hat.js", 1)])
def test_the_requests_of_the_page_are_what_is_sent(tmp_path, name, number):
    talk = transcripts()[number]
    log = tmp_path / "log"
    parrot = [sys.executable, "-I", "-S", "-c", PARROT, json.dumps([answer for _, answer in talk]), str(log)]
    TALKS[name](process_candidate(parrot))
    assert log.read_text().splitlines() == [request for request, _ in talk]


@pytest.mark.parametrize(("name", "number"), [("adam.c", 0), ("adam_hat.js", 1)])
def test_the_answers_of_the_page_are_those_of_the_example(built, tmp_path, name, number):
    child = Child(built(name), str(tmp_path))
    for request, answer in transcripts()[number]:
        got, told = parsed(child.ask(request, "a line of the page", 10)), parsed(answer)
        if "params" not in told:
            assert got == told
            continue
        for a, b in zip(got["params"], told["params"], strict=True):
            # the last digits are those of a machine's libm
            assert np.array(a, float) == pytest.approx(np.array(b, float), rel=1e-14, nan_ok=True)
    child.close()


def test_the_page_tells_the_numbers_of_the_code():
    assert f"It is protocol {PROTOCOL}." in PAGE
    assert f"more than {LONGEST // 2**20} MiB" in PAGE
    assert {3: "three"}[PATIENCE] + " limits together" in PAGE
    assert "10 seconds unless `--timeout`" in PAGE
    assert process_candidate.__kwdefaults__["timeout"] == 10


def test_the_verdicts_on_the_page_are_those_of_the_examples():
    rows = re.findall(r"^\| \[([\w.]+)\]\(\S+/([\w.]+)\) \| ([^|]*) \|", PAGE, re.MULTILINE)
    told = {name: verdict for name, _, verdict in rows}
    for name in PROGRAMS:
        verdict, fields = first_line(name)
        assert told.pop(name) == " ".join([verdict, *(f"`{k}={v!r}`" for k, v in fields.items())])
    assert not told
    assert all(shown == linked for shown, linked, _ in rows)
