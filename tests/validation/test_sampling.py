"""The harness that compares CMA-ES with pycma: on runs made by hand, and on one problem where both are installed."""

from importlib.util import find_spec

import numpy as np
import pytest

from validation.sampling import __main__ as command
from validation.sampling import bbob, page, results, speed
from validation.sampling.bbob import Counter, DoneError, Run
from validation.sampling.speed import Cell

RUNS = (
    Run(1, 1, 0, "ours", 100, 100, 0.1),
    Run(1, 1, 0, "pycma", 200, 200, 0.3),
    Run(2, 1, 0, "ours", None, 900, 0.1),
    Run(2, 1, 0, "pycma", 300, 300, 0.3),
    Run(1, 2, 0, "ours", 800, 800, 0.1),
    Run(1, 2, 0, "pycma", 100, 100, 0.3),
)
CELLS = (
    Cell(10, "ours", 50.0, 3.0),
    Cell(10, "pycma", 150.0, 1.0),
    Cell(40, "ours", 100.0, 1.5),
    Cell(40, "pycma", 150.0, 1.0),
)
ABOUT = {"n": 10, "budget": 900, "rounds": 3, "releases": {"numpy": "2.0"}}
FOUND = results.Results(RUNS, CELLS, ABOUT)


class Fake:
    final_target_hit = False

    def __call__(self, x):
        self.final_target_hit = bool(x[0] == 3)
        return x[0]


def test_a_counter_ends_a_run_at_the_target_or_the_budget():
    counter = Counter(Fake(), 5)
    assert [counter(np.array([k])) for k in range(4)] == [0, 1, 2, 3]
    with pytest.raises(DoneError):
        counter(np.array([4]))
    assert counter.evaluations == 4
    counter = Counter(Fake(), 2)
    counter(np.zeros(1))
    counter(np.zeros(1))
    with pytest.raises(DoneError):
        counter(np.zeros(1))


def test_scores_compare_the_problems_that_both_solve():
    mine = bbob.score(RUNS, "ours")
    assert (mine["runs"], mine["solved"], mine["both"]) == (3, 2, 2)
    assert mine["ratio"] == pytest.approx(2.0)  # of 1/2 and 8
    assert bbob.score(RUNS, "pycma")["ratio"] == 1.0


def test_a_file_of_results_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "results.json"
    assert results.read(file) == results.Results()
    results.write(file, FOUND)
    assert results.read(file) == FOUND


def test_targets_are_told_as_they_were_met():
    rows = page.target_rows(FOUND)
    assert [row[-1] for row in rows[1:]] == ["reached", "missed", "reached", "missed"]
    assert rows[1][1:3] == [">= 1.375", "2"]


def test_the_page_has_every_table():
    text = page.page(FOUND)
    for part in ("| ours | 2 of 3 | 2 | 2.000 (2)", "| f1 | 2 | 2 |", "| 10 | 50 | 150 | 3.00 |", "at most 900"):
        assert part in text
    assert "##" in page.page(results.Results())


def test_the_page_in_docs_is_that_of_the_results():
    found = results.read(command.RESULTS)
    assert found.runs
    assert command.PAGE.read_text(encoding="utf-8") == page.page(found)


def test_a_ratio_is_the_median_over_rounds_of_one_another():
    ways = {"ours": lambda n, seed: 1.0 + seed, "pycma": lambda n, seed: 2.0 * (1.0 + seed)}
    assert list(speed.cells(3, (10,), ways)) == [Cell(10, "ours", 2e6, 2.0), Cell(10, "pycma", 4e6, 1.0)]


def test_our_way_is_timed_without_the_objective():
    assert 0 < speed.ours(5, 0) < 1


@pytest.mark.skipif(
    find_spec("cma") is None or find_spec("cocoex") is None, reason="cma or coco-experiment is not installed"
)
def test_one_problem_is_solved_by_all(tmp_path):
    given = {"part": "bbob", "n": 2, "functions": "1-1", "instances": 1, "seeds": 1, "budget": 2000, "jobs": 1}
    arguments = [f"--{name}={value}" for name, value in given.items()]
    files = ["--json", str(tmp_path / "r.json"), "--page", str(tmp_path / "p.md")]
    assert command.main([*arguments, *files]) == 0
    found = results.read(tmp_path / "r.json")
    assert {r.solver for r in found.runs} == set(bbob.SOLVERS)
    assert all(r.solved is not None and r.solved < 1000 for r in found.runs)


def test_what_is_absent_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert command.main(["--json", str(tmp_path / "r.json"), "--page", str(tmp_path / "p.md")]) == 1
    assert "needs cma and cocoex: pip install --group sampling" in capsys.readouterr().err
