"""The bundled examples get the verdict that their first line says, and the script that shows it tells when not."""

import json
import shutil

import pytest

from arrayopt.conformance import Candidate, adapters, check
from arrayopt.conformance.adapters import Peer
from arrayopt.conformance.targets import load
from arrayopt.firstorder import Lion
from validation import examples

PATHS = examples.examples()
LINE = '"""verdict: {} | Adam."""\n'


@pytest.fixture
def no_peers(monkeypatch):
    monkeypatch.setattr(examples, "every_peer", lambda: ([], {}))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_an_example_gets_the_verdict_in_its_first_line(path):
    candidate, reference, _ = load(str(path))
    report = check(candidate, reference)
    assert examples.as_written(report, *examples.expected_verdict(path)), str(report)


def test_the_examples_cover_every_family_and_verdict():
    assert {p.stem.partition("_")[0] for p in PATHS} == {
        "adagrad", "adam", "adamw", "lion", "momentum", "nesterov", "rmsprop",
    }  # fmt: skip
    assert {examples.expected_verdict(p)[0] for p in PATHS} >= {"conforms", "dialect", "differs"}


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("conforms", ("conforms", {})),
        ("differs", ("differs", {})),
        ("cannot-run", ("cannot-run", {})),
        ("dialect form='ema'", ("dialect", {"form": "ema"})),
        ("dialect initial=0.1, centered=True", ("dialect", {"initial": 0.1, "centered": True})),
    ],
)
def test_the_first_line_holds_verdict_and_dialect(tmp_path, said, verdict):
    path = tmp_path / "adam.py"
    path.write_text(LINE.format(said))
    assert examples.expected_verdict(path) == verdict


@pytest.mark.parametrize(
    "said",
    [
        "",
        "fine",
        "dialect",
        "conforms form='ema'",
        "dialect form=open('x')",
        "dialect 'ema'",
        "dialect a=",
        "dialect **{}",
    ],
)
def test_another_first_line_is_refused(tmp_path, said):
    path = tmp_path / "adam.py"
    path.write_text(LINE.format(said))
    with pytest.raises(ValueError, match=r"adam\.py: expected .*verdict: VERDICT"):
        examples.expected_verdict(path)


def test_the_script_succeeds_and_writes_its_reports(tmp_path, capsys, no_peers):
    shutil.copy(examples.CANDIDATES / "lion.py", tmp_path)
    shutil.copy(examples.CANDIDATES / "momentum_ema.py", tmp_path)
    file = tmp_path / "out.json"
    assert examples.main(["--json", str(file)], tmp_path) == 0
    assert "2 of 2 examples get the verdict written in them" in capsys.readouterr().out
    told = json.loads(file.read_text())
    assert [e["written"] for e in told["examples"]] == [
        {"verdict": "conforms", "dialect": {}},
        {"verdict": "dialect", "dialect": {"form": "ema"}},
    ]
    assert all(e["as_written"] and e["report"]["verdict"] == e["written"]["verdict"] for e in told["examples"])


@pytest.mark.parametrize("said", ["conforms", "dialect form='heavy_ball'", "dialect form='ema', first='gradient'"])
def test_the_script_fails_for_an_example_that_gets_another_verdict(tmp_path, capsys, no_peers, said):
    source = (examples.CANDIDATES / "momentum_ema.py").read_text()
    (tmp_path / "momentum.py").write_text(source.replace("dialect form='ema'", said))
    assert examples.main([], tmp_path) == 1
    out = capsys.readouterr().out
    assert f"NO: {said}" in out
    assert "0 of 1 examples" in out


def test_the_script_fails_for_a_peer_that_cannot_run(tmp_path, capsys, monkeypatch):
    class Broken:
        def __init__(self, params, lr):
            raise RuntimeError("no device")

    peer = Peer("some.Lion", Candidate.from_step(Broken), Lion())
    monkeypatch.setattr(examples, "every_peer", lambda: ([peer], {}))
    assert examples.main([], tmp_path) == 1
    assert "0 of 1 optimizers of peers could be run" in capsys.readouterr().out


def test_a_framework_that_fails_to_import_is_named(tmp_path, capsys, monkeypatch):
    def fail(framework):
        raise OSError(f"lib{framework}.so is missing")

    monkeypatch.setattr(adapters, "installed", lambda: ["torch"])
    monkeypatch.setattr(adapters, "peers", fail)
    assert examples.main([], tmp_path) == 1
    assert "torch cannot be adapted: OSError: libtorch.so is missing" in capsys.readouterr().out
