"""Targets: loading from files and modules, telling the reference, and what is said when it cannot be done."""

import sys
from pathlib import Path

import pytest

from arrayopt.conformance import Candidate, check
from arrayopt.conformance.forms import settle
from arrayopt.conformance.naming import UnknownReferenceError, reference_from_name
from arrayopt.conformance.targets import TargetError, load
from arrayopt.errors import ArrayOptError
from arrayopt.firstorder import RULES, Adam, AdamW, Lion, Momentum

PLAIN = """
class Descent:
    def __init__(self, params, lr=0.01):
        self.params, self.lr = params, lr

    def step(self, grads):
        self.params = {k: p - self.lr * grads[k] for k, p in self.params.items()}
        return self.params
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file in an empty folder, which is the current one, and return its name."""
    monkeypatch.chdir(tmp_path)

    def write(name, text=PLAIN):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    return write


# Where a target is -----------------------------------------------------------------------------


def test_a_file_and_a_name(write):
    candidate, reference, note = load(f"{write('sgd.py')}:Descent")
    assert candidate.name == "sgd.py:Descent"
    assert candidate.hyper == ("lr",)
    assert Path(candidate.source) == Path("sgd.py")
    assert type(reference).__name__ == "SGD"
    assert note == "reference SGD told from the module 'sgd'"
    assert check(candidate, reference).verdict == "conforms"


def test_a_file_alone_with_one_public_definition(write):
    text = "import numpy as np\nfrom pathlib import Path\nclass _Hidden: pass\nx = 1\n" + PLAIN
    candidate, _, _ = load(write("sgd.py", text))
    assert candidate.make.__name__ == "Descent"


def test_all_of_a_file_says_which_is_public(write):
    text = "__all__ = ['Descent', 'NUMBER']\nNUMBER = 1\ndef helper(): pass\n" + PLAIN
    assert load(write("sgd.py", text))[0].make.__name__ == "Descent"


def test_a_module_of_the_current_folder(write):
    write("my_optimizers.py", PLAIN)
    try:
        candidate, _, _ = load("my_optimizers:Descent", Momentum())
    finally:
        sys.modules.pop("my_optimizers", None)
    assert candidate.make.__module__ == "my_optimizers"
    assert candidate.source == "my_optimizers"


def test_an_attribute_of_an_attribute(write):
    write("sgd.py", "class Zoo:\n" + "\n".join(f"    {line}" for line in PLAIN.splitlines()))
    assert load("sgd.py:Zoo.Descent")[0].make.__qualname__ == "Zoo.Descent"


def test_a_candidate_is_taken_as_it_is(write):
    text = PLAIN + "from arrayopt.conformance import Candidate\nsgd = Candidate.from_step(Descent, name='mine')\n"
    candidate, _, _ = load(f"{write('some.py', text)}:sgd")
    assert isinstance(candidate, Candidate)
    assert candidate.name == "mine"


def test_a_dataclass_in_a_file_finds_its_module(write):
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n"
        "@dataclass\nclass SGD:\n    params: dict\n    lr: float = 0.1\n    kind: ClassVar[str] = 'x'\n"
        "    def step(self, grads):\n        return self.params\n"
    )
    candidate, _, _ = load(write("sgd.py", text))
    assert candidate.hyper == ("lr",)


def test_files_of_one_name_are_kept_apart(write):
    first, _, _ = load(write("a/sgd.py", PLAIN))
    second, _, _ = load(write("b/sgd.py", PLAIN.replace("p - ", "p + ")))
    assert first.make.__module__ != second.make.__module__
    reference = reference_from_name("sgd")
    assert [check(c, reference).verdict for c in (first, second)] == ["conforms", "differs"]


def test_each_file_imports_its_own_neighbours(write):
    for folder, sign in (("a", "-"), ("b", "+")):
        write(f"{folder}/helpers/inner.py", f"def move(p, d):\n    return p {sign} d\n")
        write(f"{folder}/common.py", "from helpers.inner import move\n")
        moved = PLAIN.replace("p - self.lr * grads[k]", "move(p, self.lr * grads[k])")
        write(f"{folder}/sgd.py", "from common import move\n" + moved)
    reference = reference_from_name("sgd")
    path = list(sys.path)
    loaded = [load(f"{folder}/sgd.py:Descent", reference)[0] for folder in "ab"]
    assert [check(c, reference).verdict for c in loaded] == ["conforms", "differs"]
    assert sys.path == path
    assert not {"common", "helpers", "helpers.inner"} & set(sys.modules)


def test_loading_again_reads_the_file_again(write):
    load(write("sgd.py", PLAIN))
    write("sgd.py", PLAIN + "    def set(self, lr):\n        self.lr = lr\n")
    assert hasattr(load("sgd.py")[0].make, "set")


# What form the leaves are handed over in -------------------------------------------------------

LISTED = """
def sgd(params{hint}, lr=0.1):
    class Session:
        def step(self, grads):
            {body}
            return params
    return Session()
"""
LOOP = "for i, g in enumerate(grads): params[i] = params[i] - lr * g"
ONE = "nonlocal params; params = params - lr * grads"


@pytest.mark.parametrize(
    ("hint", "body", "form"),
    [
        ("", LOOP, "list"),
        (": list", LOOP, "list"),
        (": 'typing.List[float]'", LOOP, "list"),
        (": list[np.ndarray]", LOOP, "list"),
        ("", ONE, "array"),
        (": np.ndarray", ONE, "array"),
        (": npt.NDArray[np.float64]", ONE, "array"),
        (": dict[str, np.ndarray]", LOOP, None),
        (": dict", "raise KeyError(1)", None),
        ("", "raise KeyError(1)", None),
    ],
)
def test_the_form_of_the_leaves_is_annotated_or_tried(write, hint, body, form):
    head = "import typing\nimport numpy as np\nimport numpy.typing as npt\n"
    candidate, reference, _ = load(f"{write('some.py', head + LISTED.format(hint=hint, body=body))}:sgd")
    assert check(candidate, reference).verdict == ("conforms" if form else "cannot-run")
    if form:
        assert settle(candidate, reference).tree == form


# Frameworks ------------------------------------------------------------------------------------


def test_a_framework_class_goes_through_its_adapter(monkeypatch):
    from arrayopt.conformance import adapters

    seen = []
    own = Candidate("adapted", lambda params, lr: None)
    monkeypatch.setattr(adapters, "adapt", lambda target: seen.append(target) or own)
    candidate, reference, note = load("collections:OrderedDict", Adam())
    assert candidate is own
    assert [t.__name__ for t in seen] == ["OrderedDict"]
    assert reference == Adam()
    assert note == "the reference was given"


# Which rule it claims to follow ----------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_is_found_by_its_own_name(rule):
    for name in (rule.__name__, rule.__name__.lower(), f"my_{rule.__name__.lower()}", f"Fused{rule.__name__}Optimizer"):
        assert type(reference_from_name(name)) is rule


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("adam_with_decay", "Adam"),
        ("Adam_W", "AdamW"),
        ("AdamWOptimizer", "AdamW"),
        ("FlatAdam", "Adam"),
        ("myadam2", "Adam"),
        ("RMSpropTF", "RMSProp"),
        ("rms_prop", "RMSProp"),
        ("RMSPropMomentum", "RMSProp"),
        ("NesterovMomentum", "Nesterov"),
        ("sgd_nesterov", "Nesterov"),
        ("SGDMomentum", "Momentum"),
        ("lambda_adam", "Adam"),
        ("NAdamW", "NAdam"),
    ],
)
def test_the_rule_that_a_name_claims(name, rule):
    assert type(reference_from_name(name)).__name__ == rule


@pytest.mark.parametrize("name", ["", "optimizer", "<lambda>", "Ada"])
def test_a_name_that_claims_none(name):
    with pytest.raises(UnknownReferenceError, match=r"does not say which rule .* --against, .*AdamW"):
        reference_from_name(name)


def test_the_name_counts_before_the_file(write):
    text = PLAIN.replace("Descent", "AdamW")
    assert type(load(write("lion.py", text))[1]) is AdamW
    assert load("lion.py")[2] == "reference AdamW told from the name 'AdamW'"
    assert type(load(write("lion_port.py", PLAIN))[1]) is Lion


def test_a_given_reference_is_kept(write):
    rule = Adam(eps=1e-7)
    assert load(write("lion.py"), rule)[1:] == (rule, "the reference was given")


def test_parameters_that_the_rule_does_not_have_are_named(write):
    text = PLAIN.replace("lr=0.01", "lr=0.01, b1=0.9, nesterov=False")
    _, _, note = load(write("sgd.py", text))
    assert note.endswith("; left at their defaults, since SGD has no such field: b1, nesterov")


# What cannot be loaded -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("", "a target is module:attribute, path.py:name or path.py, got ''"),
        ("torch.optim.Adam", "did you mean torch.optim:Adam"),
        ("adam", "a target is module:attribute"),
        ("adam.py:", "a target is module:attribute"),
        (":Adam", "a target is module:attribute"),
        ("a.py:b:c", "a target is module:attribute"),
        ("some.txt:Adam", "no module 'some'"),
        ("os;exit:adam", "a target is module:attribute"),
        ("adam.py:__import__('os')", "a target is module:attribute"),
        ("missing.py", "no file 'missing.py'"),
        ("missing.py:Adam", "no file 'missing.py'"),
        ("folder.py:Adam", r"no file 'folder.py' \(it is a folder\)"),
        ("no_such_module:Adam", "no module 'no_such_module'; install it, or write path.py:name"),
        ("arrayopt.nothing:Adam", "no module 'arrayopt.nothing'"),
        ("arrayopt.errors:ArayOptEror", "arrayopt.errors has no 'ArayOptEror'; did you mean 'ArrayOptError'"),
        ("sgd.py:Decent", "sgd.py has no 'Decent'; did you mean 'Descent'"),
        ("sgd.py:Descent.nothing", "sgd.py has no 'Descent.nothing'"),
        ("syntax.py", "importing .*syntax.py: line 2 is no valid Python"),
        ("raises.py", "importing .*raises.py raised ZeroDivisionError: division by zero"),
        ("exits.py", "importing .*exits.py raised SystemExit: 3"),
        ("imports.py", "importing .*imports.py raised ModuleNotFoundError: No module named 'no_such_thing'"),
        ("imports:sgd", "importing imports raised ModuleNotFoundError: No module named 'no_such_thing'"),
        ("empty.py", "empty.py defines no public class or function"),
        ("two.py", "two.py defines 2; say which: two.py:sgd, two.py:momentum"),
        ("two.py:number", "two.py:number is a int, expected a class or a function"),
        ("nothing.py:sgd", r"takes no parameters to optimise; expected name\(params, lr, ...\)"),
        ("silent.py:sgd", "does not tell its parameters"),
        ("wants.py:sgd", "wants alpha, depth, which SGD does not have; give a default, .*: lr, weight_decay"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_a_sentence(write, target, words):
    write("folder.py/sgd.py")
    write("sgd.py")
    write("syntax.py", "x = 1\ndef sgd(params:\n")
    write("raises.py", "1 / 0\n")
    write("exits.py", "import sys\nsys.exit(3)\n")
    write("imports.py", "import no_such_thing\n")
    write("empty.py", "from math import sin\ndef _sgd(params): pass\n")
    write("two.py", "number = 1\ndef sgd(params): pass\ndef momentum(params): pass\n")
    write("nothing.py", "def sgd(*, lr): pass\n")
    write("silent.py", "sgd = iter\nsgd = type('T', (), {'__signature__': 1})\n")
    write("wants.py", "def sgd(params, alpha, depth, *rest, lr=0.1, nesterov=False, **other): pass\n")
    path = list(sys.path)
    with pytest.raises(TargetError, match=words):
        load(target)
    assert sys.path == path
    failed = tuple(f"arrayopt_target_{name}_" for name in ("syntax", "raises", "exits", "imports"))
    assert not [m for m in sys.modules if m.startswith(failed)]


def test_where_no_name_tells_a_rule_all_are_to_be_tried(write):
    _, reference, note = load(write("some.py"))
    assert reference is None
    assert "all were tried; name one with --against" in note


def test_errors_are_those_of_arrayopt():
    assert issubclass(TargetError, ArrayOptError)
    assert issubclass(UnknownReferenceError, ArrayOptError)


def test_an_interrupt_is_not_swallowed(write):
    with pytest.raises(KeyboardInterrupt):
        load(write("interrupted.py", "raise KeyboardInterrupt\n"))
    assert not [m for m in sys.modules if m.startswith("arrayopt_target_interrupted")]
