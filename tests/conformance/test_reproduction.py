"""Reproductions: scripts that run by themselves and show the departure; each is run here."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from arrayopt import SGD, Clip, Momentum
from arrayopt.conformance import Candidate
from arrayopt.conformance.compare import compare, follow, run
from arrayopt.conformance.forms import settle
from arrayopt.conformance.models import rule_in
from arrayopt.conformance.probes import probes_for
from arrayopt.conformance.processes.process import process_candidate
from arrayopt.conformance.reports.reproduction import reproduction
from arrayopt.conformance.reports.scripts import Literals, UnwritableError, script_of
from arrayopt.conformance.reports.scripts.apis import TORCH
from arrayopt.conformance.reports.scripts.writing import Python
from arrayopt.conformance.reports.shrinking import shrink
from arrayopt.conformance.targets import load
from tests.conformance.programs import Programs

ROOT = Path(__file__).resolve().parents[2]
CANDIDATES = ROOT / "validation" / "candidates"
IMPURE = {"momentum_inplace.py", "adam.py", "lion.py", "rmsprop.py"}
"""Files whose numbers are those of the rule."""


def departing(candidate, reference):
    """Return a settled candidate and its first probe that departs, or None for it."""
    candidate = settle(candidate, reference)
    probes = probes_for(rule_in(reference), 0, candidate.tree == "array", candidate.dtype)
    runs = (r for r in follow(candidate, probes, reference) if not r.not_run)
    return candidate, next((r for r in runs if compare(r, reference, candidate).divergence is not None), None)


def executed(script, folder=ROOT):
    """Run a script as a user would; return its exit code and the two numbers that it prints."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    shown = re.fullmatch(r"got (\S+), expected (\S+)\n", done.stdout)
    assert shown, (script, done)
    assert not done.stderr, done.stderr
    return done.returncode, float(shown[1]), float(shown[2])


def code(script):
    """Return the lines that are neither empty nor comments."""
    return [line for line in script.splitlines() if line.strip() and not line.startswith("#")]


FILES = sorted(p.name for p in CANDIDATES.glob("*.py") if p.name not in IMPURE)


@pytest.mark.parametrize("file", FILES)
def test_the_script_of_a_file_shows_what_the_candidate_does(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    candidate, reference, _ = load(f"validation/candidates/{file}")
    candidate, ran = departing(candidate, reference)
    script = reproduction(candidate, reference, ran)
    small = shrink(candidate, reference, ran)
    exit_code, got, expected = executed(script)
    assert exit_code == 1
    assert (got, expected) == (pytest.approx(small.divergence.got, rel=1e-12), small.divergence.expected)
    assert f"expected = {expected!r}" in script
    assert "import arrayopt" not in script
    assert len(code(script)) <= 14, script


@pytest.mark.parametrize("file", sorted(IMPURE))
def test_there_is_no_script_without_a_departure(file):
    candidate, reference, _ = load(str(CANDIDATES / file))
    candidate, ran = departing(candidate, reference)
    assert ran is None
    probe = probes_for(reference, 0, candidate.tree == "array")[0]
    assert reproduction(candidate, reference, run(candidate, probe, reference)) == ""


def test_the_exit_code_is_0_once_it_is_mended(tmp_path, monkeypatch):
    """The script goes on to work as a test of the repair."""
    monkeypatch.chdir(tmp_path)
    source = (CANDIDATES / "momentum_ema.py").read_text()
    (tmp_path / "mine.py").write_text(source)
    candidate, ran = departing(load("mine.py", Momentum())[0], Momentum())
    script = reproduction(candidate, Momentum(), ran)
    assert executed(script, tmp_path)[0] == 1
    assert "(1 - beta) * grads[key]" in source
    (tmp_path / "mine.py").write_text(source.replace("(1 - beta) * grads[key]", "grads[key]"))
    assert executed(script, tmp_path)[0] == 0


# Making it small ------------------------------------------------------------------------------


class Descent:
    """Gradient descent, with a hook for a mistake."""

    def __init__(self, params, lr, weight_decay):
        self.params, self.lr, self.weight_decay, self.t = params, lr, weight_decay, 0

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        for k, g in grads.items():
            self.params[k] = self.params[k] - self.lr * self.changed(k, g + self.weight_decay * self.params[k])
        return self.params

    def changed(self, k, g):
        return g


def small_of(cls, reference=None):
    reference = SGD() if reference is None else reference
    candidate, ran = departing(Candidate.from_step(cls), reference)
    assert ran is not None
    return ran, shrink(candidate, reference, ran)


def test_one_step_of_one_element_at_the_settings_of_the_rule_is_enough_for_a_wrong_factor():
    class Doubled(Descent):
        def changed(self, k, g):
            return 2 * g

    _, small = small_of(Doubled)
    assert {k: x.tolist() for k, x in small.probe.params.items()} == {small.divergence.path: [0.0]}
    assert [g[small.divergence.path].tolist() for g in small.probe.gradients] == [[1.0]]
    assert dict(small.probe.hyper) == {}


def test_a_departure_that_takes_two_rows_keeps_two_rows():
    class Centred(Descent):
        def changed(self, k, g):
            return g - g.mean(axis=0) if g.ndim == 2 and len(g) > 1 else g

    _, small = small_of(Centred)
    assert [x.shape for x in small.probe.params.values()] == [(2, 1)]


def test_a_departure_that_takes_two_leaves_keeps_two():
    class Counting(Descent):
        def changed(self, k, g):
            return g if k == next(iter(self.params)) else 2 * g

    _, small = small_of(Counting)
    assert [x.size for x in small.probe.params.values()] == [1, 1]
    assert small.divergence.path == list(small.probe.params)[1]


def test_a_departure_that_takes_two_steps_keeps_the_last_two():
    class Late(Descent):
        def changed(self, k, g):
            return g if self.t == 1 else 3 * g

    _, small = small_of(Late)
    assert (len(small.probe.gradients), small.divergence.step) == (2, 2)


def test_a_departure_at_another_rate_keeps_its_change():
    class Deaf(Descent):
        def set(self, lr):
            pass

    ran, small = small_of(Deaf)
    assert ran.probe.name == "R"
    assert (len(small.probe.gradients), list(small.probe.rates)) == (2, [2])


def test_only_the_hyper_parameter_that_it_takes_is_set():
    class Decays(Descent):
        def changed(self, k, g):
            return g + self.weight_decay * self.params[k]

    _, small = small_of(Decays)
    assert list(small.probe.hyper) == ["weight_decay"]


def test_a_small_case_departs_as_clearly_as_the_large_one():
    """A rounder number must not turn a plain mistake into one in the last digits."""

    class Hidden(Descent):
        def changed(self, k, g):
            return g * (1 + np.tanh(np.abs(g).max(initial=0.0)) * 0.01)

    ran, small = small_of(Hidden)
    large = compare(ran, SGD(), Candidate.from_step(Hidden, tree="dict")).divergence
    assert small.divergence.relative_error >= large.relative_error / 2


def test_numbers_are_exact_in_every_precision():
    for file in ("adam_root.py", "lion_updated_first.py"):
        candidate, reference, _ = load(str(CANDIDATES / file))
        candidate, ran = departing(candidate, reference)
        small = shrink(candidate, reference, ran)
        for tree in (small.probe.params, *small.probe.gradients):
            for x in tree.values():
                assert np.array_equal(x, x.astype(np.float16).astype(np.float64)), x


# Writing it -----------------------------------------------------------------------------------


def test_a_candidate_that_cannot_be_imported_is_told_so():
    class Local(Descent):
        def changed(self, k, g):
            return -g

    candidate, ran = departing(Candidate.from_step(Local), SGD())
    script = reproduction(candidate, SGD(), ran)
    assert re.fullmatch(r"# No script for Local: .*<locals>.* cannot be imported: define it at the top .*\n", script)


def case(params, gradients=None, **fields):
    params = {k: np.array(x) for k, x in params.items()}
    made = Literals(params, gradients or [dict(params)], {"lr": 0.5}, (), "float64", next(iter(params)), (0,))
    return dataclasses.replace(made, **fields)


FORMS = """
import numpy as np
class OfDict:
    def __init__(self, params, lr): self.params, self.lr = params, lr
    def step(self, grads): return {k: p - self.lr * grads[k] for k, p in self.params.items()}
class OfList:
    def __init__(self, params: list, lr): self.params, self.lr = params, lr
    def step(self, grads): return [p - self.lr * g for p, g in zip(self.params, grads)]
class OfArray:
    def __init__(self, params: np.ndarray, lr): self.params, self.lr = params, lr
    def step(self, grads): return self.params - self.lr * grads
class InPlace:
    def __init__(self, params: list, lr): self.params, self.lr = params, lr
    def set(self, lr): self.lr = lr
    def step(self, grads):
        for p, g in zip(self.params, grads): p -= self.lr * g
"""


def shown(lines, folder):
    """Run lines of a script and return `got`."""
    script = "\n".join([*lines, "print(repr(got))"])
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (script, done.stderr)
    return float(done.stdout)


@pytest.mark.parametrize(
    ("name", "tree", "stem"),
    [
        ("OfDict", "dict", "mine"),
        ("OfList", "list", "mine"),
        ("OfArray", "array", "my-port"),
        ("InPlace", "list", "a.b"),
    ],
)
def test_every_form_of_parameters_can_be_written(tmp_path, monkeypatch, name, tree, stem):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{stem}.py").write_text(FORMS)
    candidate = dataclasses.replace(load(f"{stem}.py:{name}", SGD())[0], tree=tree)
    lines = script_of(candidate)(case({"a": [[1.0, -2.0]]}, index=(0, 1)))
    assert str(tmp_path) not in "\n".join(lines)  # told from the current folder
    assert shown(lines, tmp_path) == -1.0


def test_what_is_no_plain_number_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FORMS)
    candidate = dataclasses.replace(load("mine.py:InPlace", SGD())[0], tree="list")
    write = script_of(candidate)
    scalar = case({"a": 3.0}, [{"a": np.array(np.nan)}, {"a": np.array(-np.inf)}], index=())
    assert np.isnan(shown(write(scalar), tmp_path))
    two = case({"a": [1.0], "b": []}, [{"a": np.array([-np.inf]), "b": np.array([])}])
    assert shown(write(two), tmp_path) == np.inf
    changing = case({"a": [1.0]}, [{"a": np.ones(1)}] * 3, rates=(0.5, 0.25, 0.0))
    assert shown(write(changing), tmp_path) == 0.25
    assert "0.5, 0.25, 0.0" in "\n".join(write(changing))


def test_a_rate_that_cannot_be_changed_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FORMS)
    made = load("mine.py:OfList", SGD())[0].make
    with pytest.raises(UnwritableError, match="rate cannot be changed"):
        Python(dataclasses.replace(TORCH, rate=()), made)(case({"a": [1.0]}, rates=(0.5,)))


def test_an_option_without_a_literal_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FORMS)
    made = load("mine.py:OfList", SGD())[0].make
    with pytest.raises(UnwritableError, match=r"its option lr=<object object at .*> has no literal"):
        Python(TORCH, made)(case({"a": [1.0]}, hyper={"lr": object()}))


def test_arguments_at_their_defaults_are_left_out():
    candidate, _, _ = load(str(CANDIDATES / "adam_root.py"))
    lines = script_of(dataclasses.replace(candidate, tree="dict"))(
        case({"a": [1.0]}, hyper={"lr": 1e-3, "beta1": 0.9, "eps": 0.5})
    )
    assert "optimizer = adam_root.AdamOptimizer(params, eps=0.5)" in lines


def test_the_script_of_a_clipped_rule_says_that_it_clips(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FORMS)
    model = Clip(rule=SGD(), max_norm=0.5)
    candidate, ran = departing(load("mine.py:OfDict", SGD())[0], model)
    script = reproduction(candidate, model, ran)
    assert "departs from Clip(SGD)" in script
    assert "clipped by global (form 'torch')" in script
    assert executed(script, tmp_path)[0] == 1


# Programs -------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="candidates that are processes need POSIX")
def test_the_script_of_a_program_speaks_to_it(tmp_path):
    command = Programs(tmp_path)(
        'if op == "step" and steps == 2: answer = {"params": [[x + 1 for x in p] for p in params]}'
    )
    candidate, ran = departing(process_candidate(command), SGD())
    script = reproduction(candidate, SGD(), ran)
    small = shrink(candidate, SGD(), ran)
    assert executed(script) == (1, small.divergence.got, small.divergence.expected)
    assert small.divergence.got == pytest.approx(small.divergence.expected + 1)
    assert '{"op":"hello","protocol":1}' in script


@pytest.mark.skipif(os.name != "posix", reason="candidates that are processes need POSIX")
def test_the_script_of_a_program_changes_its_rate(tmp_path):
    command = Programs(tmp_path)('if op == "set": lr = 2 * lr')
    candidate, ran = departing(process_candidate(command), SGD())
    assert ran.probe.name == "R"
    assert executed(reproduction(candidate, SGD(), ran))[0] == 1
