"""The machinery of the benchmark on tiny arrays: never a time."""

import contextlib
import io
import json

import pytest

from validation.speed import __main__ as speed
from validation.speed import readme, report, targets
from validation.speed.bound import bound, streams
from validation.speed.cells import RULES, cells
from validation.speed.memory import measure as measure_memory
from validation.speed.rounds import FEW, Samples, measure


class Clock:
    """A clock that work moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds, log=None, name=""):
        def run():
            self.now += seconds
            if log is not None:
                log.append(name)

        return run


def test_samples_are_seconds_a_call_and_slow_ways_sit_rounds_out():
    clock = Clock()
    ways = {"a": clock.work(2e-5), "b": clock.work(1e-5), "slow": clock.work(1.0)}
    samples = measure(ways, 9, clock=clock)
    assert samples.seconds["a"] == pytest.approx([2e-5] * 9)
    assert samples.ratio("a", "b") == pytest.approx(2.0)
    assert [x is None for x in samples.seconds["slow"]] == [False] * FEW + [True] * (9 - FEW)
    assert samples.ratio("b", "slow") == pytest.approx(1e-5)


def test_each_round_takes_all_in_an_order_of_its_own():
    clock, log = Clock(), []
    measure({k: clock.work(5e-2, log, k) for k in "abcd"}, 6, clock=clock)
    rounds = [tuple(log[i : i + 4]) for i in range(8, len(log), 4)]  # two calls of each come before
    assert len(rounds) == 6
    assert all(sorted(r) == list("abcd") for r in rounds)
    assert len(set(rounds)) > 2


def test_a_ratio_is_the_median_of_ratios_of_one_round():
    samples = Samples({"a": [1.0, 10.0, 100.0], "b": [1.0, 5.0, 400.0]}, None)
    assert samples.ratio("a", "b") == 1.0
    assert samples.median("a") / samples.median("b") == 2.0


TARGET = targets.Target("x/1", "numpy 1t", "torch fused", 1.0, "")


@pytest.mark.parametrize(("seconds", "status"), [(0.9, "reached"), (1.05, "missed"), (2.0, "missed")])
def test_outcomes(seconds, status):
    found = targets.outcome(TARGET, {"x/1": Samples({"numpy 1t": [seconds], "torch fused": [1.0]}, None)}, {})
    assert (found.status, found.ratio) == (status, seconds)
    assert found.reason == ("by less than a tenth" if seconds == 1.05 else "")


def test_what_is_missing_is_not_measured():
    samples = {"x/1": Samples({"numpy 1t": [1.0]}, None)}
    found = targets.outcome(TARGET, samples, {"x/1": {"torch fused": "torch is not installed"}})
    assert (found.status, found.reason) == ("not measured", "torch is not installed")
    assert targets.outcome(TARGET, {}, {}).status == "not measured"


def test_targets_name_cells_and_ways_that_there_are():
    names = {c.name for c in cells()}
    for t in targets.TARGETS:
        assert t.cell in names or t.cell.startswith("device/"), t
    small = {c.name: c for c in cells(1e-5)}
    for name in ("one/1000", "hand/adamw", "ns/768x768", "msign/768x3072", "normals/1e6", "many/own"):
        ways = small[name].make()
        for t in targets.TARGETS:
            if t.cell == name:
                assert {t.way, t.against} <= set(ways), t


def test_traffic_of_a_fused_step():
    assert {name: streams(rule, 64) for name, rule in RULES.items() if name != "muon"} == {
        "momentum": (3, 2), "adamw": (4, 3), "lion": (3, 2), "adadelta": (4, 3), "lamb": (4, 3),
    }  # fmt: skip
    pytest.importorskip("numba", reason="numba is not installed")
    for name in ("lion", "adamw"):
        for threads in (1, 2):
            bound(RULES[name], 11, threads)()


def test_hand_written_loops_do_what_the_rules_do():
    """Else the comparison would be one of different work."""
    import numpy as np

    from validation.speed import by_hand

    for name in ("adamw", "momentum"):
        rule = RULES[name]
        p, g = np.linspace(-1, 1, 70_000, dtype=np.float32), np.linspace(2, -3, 70_000, dtype=np.float32)
        state, q = rule.init(p), p.copy()
        step = getattr(by_hand, name)([q, g, *(by[""].copy() for by in state.slots.values())])
        for _ in range(3):
            p, state = rule.update(g, state, p)
            step()
        np.testing.assert_array_equal(q, p)


def test_memory_of_a_step():
    found = measure_memory(RULES["adamw"], (64, 64), "numpy")
    assert found.state == found.documented == 8.0
    assert found.held > 0
    assert found.later < 64 << 10


ONLY = ["--quick", "--rounds", "1", "--only", "lion/1e3,hand,one/1000,msign"]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path, printed = tmp_path_factory.mktemp("speed") / "r.json", io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert speed.main([*ONLY, "--json", str(path)]) == 0
    return json.loads(path.read_text()), printed.getvalue()


def test_a_smoke_run_prints_and_writes_but_judges_nothing(result):
    written, printed = result
    assert written["schema"] == report.SCHEMA
    assert [c["cell"] for c in written["cells"]] == ["lion/1e3", "one/1000", "hand/adamw", "hand/momentum",
                                                     "msign/768x3072"]  # fmt: skip
    assert "torch fused" in written["cells"][0]["missing"]
    assert {t["status"] for t in written["targets"]} == {"not measured"}
    assert written["error_of_msign"] < 1e-7
    assert "smoke run" in printed
    assert "hostname" not in written["about"]


def test_the_readme_table(result):
    page = f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n"
    new = readme.insert(page, result[0])
    assert "old" not in new
    assert new.startswith("before\n")
    assert new.endswith("after\n")
    assert "| AdamW, one leaf of 1,000 |" in new
    assert readme.insert(new, result[0]) == new
    with pytest.raises(ValueError, match="once each"):
        readme.insert("no markers", result[0])
    assert readme.insert(speed.README.read_text(), result[0])


def test_the_picture(result, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    report.draw(result[0]["cells"], tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"


def test_durations():
    texts = [report.duration(x) for x in (1.234, 0.01234, 1.2e-6, 123e-6, None, 0.0)]
    assert texts[:5] == ["1.23 s", "12.3 ms", "1.20 us", "123 us", ""]


def test_bad_calls():
    for arguments in (["--only", "nothing"], ["--quick", "--readme"]):
        with pytest.raises(SystemExit):
            speed.main(arguments)
