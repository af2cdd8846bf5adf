"""The runner of the matrix, on a peer that crashes, hangs and prints."""

import json
import textwrap

import numpy as np
import pytest

from arrayopt.conformance.consistency import CHECKS
from validation.peers import confirming, findings, results, table
from validation.peers.__main__ import RESULTS, TABLE, main
from validation.peers.findings import Finding
from validation.peers.jobs import ROOT, Job, jobs
from validation.peers.runner import Limits, Run, run

PEER = """
import os, signal, time
from arrayopt import SGD
from arrayopt.conformance.adapters import Peer
from arrayopt.conformance.adapters.assembly import not_driven
from arrayopt.conformance import Candidate

WRONG = float(os.environ.get("FAKE_FACTOR", "1"))

class Descent:
    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr
    def step(self, grads):
        print("noise on stdout")
        self.params = {k: p - WRONG * self.lr * grads[k] for k, p in self.params.items()}
        return self.params

class Spoiling(Descent):
    def step(self, grads):
        super().step(grads)
        for g in grads.values():
            g *= 0
        return self.params

class Crashing(Descent):
    def step(self, grads):
        os.kill(os.getpid(), signal.SIGSEGV)

class Hanging(Descent):
    def step(self, grads):
        time.sleep(600)

def made(cls, name):
    return Candidate(name, cls, ("lr",), source="fake 1.0", defaults={"lr": 0.1})

def exports():
    kinds = (Descent, Crashing, Hanging, Spoiling)
    found = [Peer(f"fake.{c.__name__}", made(c, c.__name__), None) for c in kinds]
    why = "evaluates the loss"
    return [*found, Peer("fake.Closure", not_driven("fake.Closure", "fake 1.0", why), None, reason=why)]

def peers():
    return [Peer("fake.Descent", made(Descent, "fake.Descent"), SGD(lr=0.1))]
"""
LIMITS = Limits(peer=120.0, optimizer=6.0)


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    """A folder with the module of a peer, found by its processes."""
    folder = tmp_path_factory.mktemp("fake")
    (folder / "fake_peer.py").write_text(PEER, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        yield folder


@pytest.fixture(scope="module")
def ran(fake, tmp_path_factory):
    """The fake peer on two backends, of which one computes something else."""
    two = [Job("fake on a", "fake_peer", group="fake"), Job("fake on b", "fake_peer", {"FAKE_FACTOR": "1.5"}, "fake")]
    return run(two, tmp_path_factory.mktemp("work"), LIMITS)


def test_a_crash_and_a_hang_are_told_and_the_rest_goes_on(ran):
    peers = results.merged(ran, {})
    exports = {x["name"]: x for x in peers["fake on a"]["exports"]}
    assert set(exports) == {f"fake.{x}" for x in ("Descent", "Crashing", "Hanging", "Spoiling", "Closure")}
    assert "died with signal 11" in exports["fake.Crashing"]["failed"]
    assert "took more than 6 s" in exports["fake.Hanging"]["failed"]
    assert exports["fake.Closure"]["reason"] == "evaluates the loss"
    assert exports["fake.Descent"]["checks"]["gradient-overwritten"] == "passes"
    assert exports["fake.Spoiling"]["checks"]["gradient-overwritten"] == "fails"
    (row,) = peers["fake on a"]["rules"]
    assert (row["rule"], row["verdict"], row["error"]) == ("SGD", "conforms", pytest.approx(0, abs=1e-15))
    assert peers["fake on a"]["version"] == "fake 1.0"
    assert peers["fake on a"]["error"] == ""


def test_backends_are_held_against_each_other(ran):
    peers = results.merged(ran, {})
    for name in ("fake on a", "fake on b"):
        one = next(x for x in peers[name]["exports"] if x["name"] == "fake.Descent")
        assert one["checks"][results.BACKENDS] == "fails"
        (cause,) = [c for c in one["causes"] if c["kind"] == results.BACKENDS]
        assert "fake on b gives another result from step 1 on" in cause["text"]
    same = results.merged([ran[0], Run(Job("again", "fake_peer", group="fake"), ran[0].file, lines=ran[0].lines)], {})
    one = next(x for x in same["again"]["exports"] if x["name"] == "fake.Descent")
    assert one["checks"][results.BACKENDS] == "passes"


def test_an_interrupted_run_goes_on_where_it_was(fake, tmp_path):
    job = Job("fake", "fake_peer")
    seen = []

    def interrupt(name, done, every, at):
        seen.append(done)
        if done >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([job], tmp_path, LIMITS, progress=interrupt)
    (file,) = tmp_path.glob("*.jsonl")
    kept = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    finished = [line for line in kept if line["kind"] == "export"]
    assert finished
    with file.open("a", encoding="utf-8") as out:  # as a process that is killed may leave it
        out.write('{"kind": "expo')
    (again,) = run([job], tmp_path, Limits(peer=0.0))
    assert again.error == "ended after 0 s"
    peer = results.merged([again], {})["fake"]
    whole = {x["name"]: x for x in peer["exports"]}
    for line in finished:
        assert whole[line["name"]] == {k: x for k, x in line.items() if k not in ("kind", "path")}
    assert any("the time of fake was over" in x.get("failed", "") for x in peer["exports"])


def test_a_peer_that_cannot_be_imported_is_told(fake, tmp_path):
    (one,) = run([Job("broken", "no_such_module")], tmp_path, LIMITS)
    assert "No module named 'no_such_module'" in one.error
    assert results.merged([one], {})["broken"]["exports"] == []


def test_results_of_other_peers_are_kept(ran, tmp_path):
    times = {"seconds": 1.0, "cpu_seconds": 0.5}
    before = {"torch": {"version": "torch 1", **times, "error": "", "rules": [], "exports": []}}
    merged = results.merged(ran, before)
    assert list(merged) == ["torch", "fake on a", "fake on b"]
    results.write(tmp_path / "results.json", merged, [], [])
    assert results.read(tmp_path / "results.json") == merged
    assert results.read(tmp_path / "nothing.json") == {}


def test_the_page_names_every_optimizer(ran, tmp_path):
    merged = results.merged(ran, {})
    results.write(tmp_path / "results.json", merged, [], [])
    page = table.page(json.loads((tmp_path / "results.json").read_text(encoding="utf-8")))
    for peer in merged.values():
        for one in [*peer["exports"], *peer["rules"]]:
            assert f"`{one['name']}`" in page
    assert page == table.page(json.loads((tmp_path / "results.json").read_text(encoding="utf-8")))


@pytest.fixture
def scripts(tmp_path):
    for name, text in {
        "shows": "import sys; print('0.5 where 1.0 is right'); sys.exit(1)",
        "shows_not": "print('all well')",
        "broken": "raise RuntimeError('no such class')",
    }.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    return tmp_path


def test_a_finding_is_listed_if_its_check_failed_and_its_script_shows_it(ran, scripts):
    peers = {"fake on a": results.merged(ran[:1], {})["fake on a"]}
    said = "spoils the gradients of its caller"
    known = [
        Finding("fake on a", "fake.Spoiling", "gradient-overwritten", said, "shows.py"),
        Finding("fake on a", "fake.Descent", "gradient-overwritten", said, "shows.py"),
        Finding("elsewhere", "fake.Descent", "gradient-overwritten", said, "shows.py"),
    ]
    confirmed, unconfirmed, stale = confirming.sorted_out(peers, known, folder=scripts)
    (one,) = confirmed
    assert one == {
        "peer": "fake on a", "version": "fake 1.0", "optimizer": "fake.Spoiling", "what": said,
        "probe": "gradient-overwritten", "reproduction": "reproductions/shows.py",
    }  # fmt: skip
    assert stale == ["fake on a fake.Descent: the check gradient-overwritten does not fail"]
    assert "gradient-overwritten" not in {u["probe"] for u in unconfirmed}


@pytest.mark.parametrize("script", ["shows_not", "broken"])
def test_a_finding_that_is_not_shown_again_is_stale_and_unconfirmed(ran, scripts, script):
    peers = {"fake on a": results.merged(ran[:1], {})["fake on a"]}
    known = [Finding("fake on a", "fake.Spoiling", "gradient-overwritten", "spoils", f"{script}.py")]
    confirmed, unconfirmed, stale = confirming.sorted_out(peers, known, folder=scripts)
    assert confirmed == []
    assert f"{script}.py does not show it" in stale[0]
    assert ("fake.Spoiling", "gradient-overwritten") in {(u["optimizer"], u["probe"]) for u in unconfirmed}


def test_every_finding_has_its_script_and_no_script_is_left_over():
    named = {f.reproduction.split()[0] for f in findings.FINDINGS}
    assert named == {path.name for path in findings.REPRODUCTIONS.glob("*.py")}
    assert len(set(findings.FINDINGS)) == len(findings.FINDINGS)


def test_an_unknown_peer_is_refused():
    with pytest.raises(SystemExit, match="tensorflow is no peer"):
        jobs(["tensorflow"])


def test_nan_on_both_backends_is_agreement():
    def told(path):
        return {"path": path, "tolerance": 1e-6}

    path = [{"a": [1.0, 2.0]}, {"a": [float("nan"), 1.5]}]
    assert results._agreement(told(path), told(path), Job("b", "m")) == "passes"
    other = [path[0], {"a": [float("nan"), np.nextafter(1.5, 2)]}]
    assert results._agreement(told(path), told(other), Job("b", "m")).startswith("fails")


def test_backends_may_differ_by_what_rounding_was_measured_to_do():
    one = {"path": [{"a": [1.0]}, {"a": [2.0]}], "tolerance": 1e-3}
    other = {"path": [{"a": [1.0]}, {"a": [2.0005]}], "tolerance": 1e-6}
    assert results._agreement(one, other, Job("b", "m")) == "passes"
    assert results._agreement({**one, "tolerance": 1e-4}, other, Job("b", "m")).startswith("fails")


def test_one_command_runs_light_peers_and_writes_file_and_page(tmp_path, capsys):
    pytest.importorskip("autograd", reason="autograd is the lightest peer")
    pytest.importorskip("sklearn", reason="scikit-learn is a light peer")
    file, page = tmp_path / "results.json", tmp_path / "peers.md"
    ours = ["--json", str(file), "--table", str(page), "--folder", str(tmp_path / "work")]
    assert main(["--only", "autograd,sklearn", *ours]) == 0
    assert "0 findings" in capsys.readouterr().out
    data = json.loads(file.read_text(encoding="utf-8"))
    assert data["schema"] == results.SCHEMA
    assert data["findings"] == []
    assert set(data["peers"]) == {"autograd", "sklearn"}
    for peer in data["peers"].values():
        assert peer["error"] == ""
        assert 0 < peer["cpu_seconds"] < 60
        assert {r["verdict"] for r in peer["rules"]} <= {"conforms", "dialect"}
        assert all(set(e["checks"]) == set(CHECKS) for e in peer["exports"])
    assert "`autograd.misc.optimizers.adam`" in page.read_text(encoding="utf-8")
    assert not list((tmp_path / "work").rglob("*.jsonl"))


def test_files_name_no_place_on_this_machine():
    for file in (RESULTS, TABLE):
        if file.exists():  # it is written by the command
            text = file.read_text(encoding="utf-8")
            assert not any(x in text for x in (str(ROOT), "site-packages", "/home/", "/tmp/"))
