"""Test suites inside pytest: outcomes as people see them, the plugin's options, and the page that explains them."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

import _arrayopt_pytest
import arrayopt
from arrayopt import Adam, Clip
from arrayopt.conformance.consistency import CHECKS
from arrayopt.conformance.testing import pytest_plugin
from arrayopt.conformance.testing.cases import written

ROOT = Path(__file__).resolve().parents[2]

OPTIM = """
class Descent:
    def __init__(self, params, lr):
        self.params, self.lr = params, lr

    def step(self, grads):
        self.params = {k: p - self.lr * grads[k] for k, p in self.params.items()}
        return self.params


class Greedy(Descent):
    def step(self, grads):
        super().step(grads)
        for g in grads.values():
            g *= 0
        return self.params
"""
SUITE = """
from arrayopt import SGD, Momentum
from arrayopt.conformance.testing.parametrized import parametrize
from optim import Descent, Greedy

KNOWN = {Greedy: {"gradient-overwritten": "to save memory", "gradient-kept": "as I thought"}}


@parametrize({Descent: SGD(), Greedy: Momentum()}, expected_failures=KNOWN)
def test_mine(check):
    check()
"""


BREAKS = """
from arrayopt.conformance.consistency import CHECKS

def breaks(subject):
    yield 1 / 0

object.__setattr__(CHECKS["gradient-kept"], "run", breaks)
"""
WITH_PLUGIN = [
    "-rA", "--arrayopt-candidate", "optim.py:Greedy", "--arrayopt-against", "SGD()", "--arrayopt-expect",
    "gradient-overwritten=to save memory", "--arrayopt-expect", "gradient-kept=as = I thought",
]  # fmt: skip


def run_pytest(folder, *arguments, code=0):
    """Run pytest with the plugin as its users have it, but with no other than xdist."""
    env = {k: x for k, x in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))}
    env |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}.", "COLUMNS": "200"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "_arrayopt_pytest", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def outcomes(file):
    """Read outcome and first line of the message of every test from JUnit's XML."""
    found = {}
    for case in ElementTree.parse(file).iter("testcase"):
        result = next(iter(case), None)
        kind = "passed" if result is None else result.get("type", result.tag)
        found[case.get("name")] = kind, "" if result is None else result.get("message").splitlines()[0]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "optim.py").write_text(OPTIM)
    (folder / "test_mine.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n")
    return folder


@pytest.fixture(scope="module")
def suite(folder):
    """What a run in one process says, and its outcomes."""
    text = run_pytest(folder, *WITH_PLUGIN, "--junitxml=one.xml", code=1)
    return text, outcomes(folder / "one.xml")


def test_pytest_shows_every_outcome(suite):
    text, found = suite
    ids = {f"test_mine[{n}-{c}]" for n in ("Descent", "Greedy") for c in ("rule", *CHECKS)}
    assert {name for name in found if name.startswith("test")} == ids
    assert found["test_mine[Descent-rule]"] == ("passed", "")
    assert found["test_mine[Greedy-rule]"] == ("failure", "ConformanceError: Greedy against Momentum: dialect")
    assert found["test_mine[Greedy-gradient-overwritten]"] == ("pytest.xfail", "to save memory")
    kind, told = found["test_mine[Greedy-gradient-kept]"]
    assert kind == "failure"
    assert "Greedy-gradient-kept is declared as expected failure, but passes: remove it" in told
    assert "XFAIL test_mine.py::test_mine[Greedy-gradient-overwritten] - to save memory" in text
    assert "FAILED test_mine.py::test_mine[Greedy-rule] - ConformanceError: Greedy against Momentum: dialect" in text


def test_a_failure_shows_the_report_and_no_frame_of_arrayopt(suite):
    text, _ = suite
    failures = text.partition("= FAILURES =")[2].partition("= PASSES =")[0]
    assert re.search(r"E +first departs probe E, step 2, leaf", failures)
    assert re.search(r"E +if meant +reference=SGD\(\)", failures)
    assert "test_mine.py:11: ConformanceError" in failures
    assert "arrayopt/conformance" not in failures


def test_pytest_xdist_gives_the_same_ids_and_outcomes(folder, suite):
    run_pytest(folder, "-p", "xdist", "-n", "2", *WITH_PLUGIN, "--junitxml=two.xml", code=1)
    assert outcomes(folder / "two.xml") == suite[1]


def test_a_mistake_is_an_error_of_collection_that_shows_the_line(tmp_path):
    (tmp_path / "optim.py").write_text(OPTIM)
    (tmp_path / "test_mine.py").write_text(SUITE.replace("gradient-kept", "gradient-keeps"))
    text = run_pytest(tmp_path, "test_mine.py", code=2)
    assert "test_mine.py:9: in <module>" in text
    assert "name no check 'gradient-keeps'; did you mean 'gradient-kept'" in text
    assert "conformance/testing/" not in text


# The plugin --------------------------------------------------------------------------------------


def test_the_plugin_adds_items_for_candidates_without_a_test_file(suite):
    text, found = suite
    assert {name for name in found if name.startswith("optim")} == {f"optim.py:Greedy-{c}" for c in ("rule", *CHECKS)}
    assert found["optim.py:Greedy-rule"] == ("passed", "")
    assert found["optim.py:Greedy-gradient-overwritten"] == ("pytest.xfail", "to save memory")
    kind, told = found["optim.py:Greedy-gradient-kept"]
    assert (kind, "but passes: remove it" in told, "as = I thought" in told) == ("failure", True, True)
    assert "FAILED arrayopt::optim.py:Greedy-gradient-kept - optim.py:Greedy-gradient-kept is declared" in text


def test_an_error_in_the_kit_shows_where_it_is_and_not_how_pytest_got_there(monkeypatch, tmp_path):
    (tmp_path / "optim.py").write_text(OPTIM)
    (tmp_path / "conftest.py").write_text(BREAKS)
    text = run_pytest(
        tmp_path, "--arrayopt-candidate", "optim.py:Descent", "--arrayopt-against", "sgd", "-k", "kept", code=1
    )
    assert "ZeroDivisionError" in text
    assert "conftest.py:5: ZeroDivisionError" in text
    assert "site-packages" not in text.partition("= FAILURES =")[2]
    assert f"collected {len(CHECKS) + 1} items / {len(CHECKS)} deselected / 1 selected" in text


@pytest.mark.parametrize("xdist", [[], ["-p", "xdist", "-n", "1"]], ids=["one", "xdist"])
def test_a_wrong_target_is_a_usage_error_in_one_line(folder, xdist):
    text = run_pytest(folder, *xdist, "-q", "--arrayopt-candidate", "optim.py:Descend", code=4)
    assert "ERROR: arrayopt: optim.py has no 'Descend'; did you mean 'Descent'?\n" in text
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text


@pytest.mark.parametrize(("against", "expect"), [("adam", []), (None, ["rule=x"])])
def test_an_option_without_a_candidate_is_a_usage_error(against, expect):
    given = {"--arrayopt-candidate": [], "--arrayopt-against": against, "--arrayopt-expect": expect}
    with pytest.raises(pytest.UsageError, match="says nothing without --arrayopt-candidate"):
        _arrayopt_pytest.pytest_configure(SimpleNamespace(getoption=given.get))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((["optim.py"], None, []), "defines 2; say which: "),
        ((["none.py:A"], None, []), "no file 'none.py'"),
        ((["optim.py:Descent"], "adamx", []), "no rule 'adamx'; the rules are sgd, momentum"),
        ((["optim.py:Descent"], "Adam(lr)", []), r"a rule is written as adam or .*, got 'Adam\(lr\)'"),
        ((["optim.py:Descent"], "Adam(lr=open('x'))", []), "a rule is written as"),
        ((["optim.py:Descent"], "Adam(", []), "a rule is written as"),
        ((["optim.py:Descent"], "Clip()", []), "a rule is written as"),
        ((["optim.py:Descent"], "Adam(eps_plac='hat')", []), "unknown option 'eps_plac'; did you mean 'eps_place'"),
        ((["optim.py:Descent"], "Adam(**{'lr': 1})", []), "a rule is written as"),
        ((["optim.py:Descent"], "sgd", ["rule"]), "give no reason for 'rule'"),
        ((["optim.py:Descent"], "sgd", ["rul=x"]), "did you mean 'rule'"),
        ((["optim.py:Descent"] * 2, "sgd", []), "several candidates are called 'optim.py:Descent'"),
    ],
)
def test_what_the_options_of_the_plugin_refuse(folder, monkeypatch, arguments, told):
    monkeypatch.chdir(folder)
    with pytest.raises(arrayopt.ArrayOptError, match=told):
        pytest_plugin.read(*arguments)


def test_a_candidate_whose_name_tells_no_rule_is_put_to_the_checks_that_need_none(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [c.name for c in pytest_plugin.read(["optim.py:Descent"], None, [])] == list(CHECKS)


def test_a_rule_may_be_written_as_a_report_proposes_it():
    for rule in (Adam(lr=0.1, eps_place="hat"), Clip(rule=Adam(lr=0.1), by="leaf")):
        assert pytest_plugin.rule_from_text(written(rule)) == rule
    assert pytest_plugin.rule_from_text("adam") == Adam()


def test_the_plugin_is_light():
    code = "import sys, pytest; old = set(sys.modules); import _arrayopt_pytest; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["_arrayopt_pytest"]


def test_the_kit_does_not_need_pytest():
    code = "import sys; from arrayopt.conformance.testing import parametrized; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_plugin_is_declared_and_shipped():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"arrayopt": "_arrayopt_pytest"}
    assert "_arrayopt_pytest.py" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]


# The page ----------------------------------------------------------------------------------------


def blocks():
    """Return the fenced blocks of the page: their language, text, and the file that the lines before name last."""
    page = (ROOT / "docs" / "testing.md").read_text()
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        named = re.findall(r"`(\w+\.py)`", page[: found.start()])
        yield found[1], found[2], named[-1]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for language, text, file in blocks():
        if language == "python":
            (folder / file).write_text(text)
    return folder


CONSOLE = [text for language, text, _ in blocks() if language == "console"]


@pytest.mark.parametrize("text", CONSOLE, ids=[text.splitlines()[0][2:40] for text in CONSOLE])
def test_the_page_shows_what_pytest_says(theirs, text):
    command, *shown = text.splitlines()
    program, *arguments = shlex.split(command.removeprefix("$ "))
    assert program == "pytest"
    said = run_pytest(theirs, *arguments, code=1 if "FAILED" in text else 0)
    at = 0
    for line in (line.strip() for line in shown if line != "..."):
        assert line in said[at:], f"{line}\nis not in\n{said[at:]}"
        at = said.index(line, at) + len(line)
