"""Claims as data, and their readers: what each does with claims that are true, false, and impossible to measure."""

import json
import math

import numpy as np
import pytest
import typer
from hypothesis import given, settings

import arrayopt.claims
from arrayopt import OptionError
from arrayopt.claims import Claim, Known, Outside, answered, attacked, report, sampled
from arrayopt.claims import domain as d
from arrayopt.claims.margins import agreement, slack
from arrayopt.claims.strategies import instances
from arrayopt.cli.claiming import claims as command

X = {"n": d.Integer(1, 3), "x": d.Numbers(("n",), low=-1.0, high=2.0)}


def claim(margin, domain=X, **fields):
    return Claim("topic.name", "A statement.", "survey, section 1", margin, domain, **fields)


TRUE = claim(lambda x: float(np.min(x)) + 1, infimum=0.0)
FALSE = claim(lambda x: 1.99 - float(np.max(x)))
WITNESS = {"n": 1, "x": np.array([2.0])}


def test_a_true_claim_survives_every_reader():
    for found in (sampled(TRUE), attacked(TRUE, seconds=0.2)):
        assert found.expected
        assert found.verdict == "holds"
        assert 0 <= found.margin < 1e-6


def test_a_false_claim_falls_to_the_attack_and_to_hypothesis():
    found = attacked(FALSE, seconds=10.0)
    assert found.refuted
    assert not found.expected
    assert max(found.where["x"]) > 1.99

    @settings(max_examples=500, database=None)
    @given(instances(FALSE))
    def holds(instance):
        assert FALSE.satisfied(instance)

    with pytest.raises(AssertionError):
        holds()


def test_a_false_claim_that_is_expected_to_be_is_as_expected():
    refuted = claim(FALSE.margin, expect="refuted", witness=WITNESS)
    assert sampled(refuted).expected
    assert attacked(refuted).expected
    believed = claim(TRUE.margin, expect="refuted", witness=WITNESS)
    assert not sampled(believed).expected
    assert not attacked(believed, seconds=0.2).expected


def test_an_attack_with_a_goal_ends_there():
    found = attacked(TRUE, seconds=10.0, goal=0.5)
    assert found.margin < 0.5
    assert found.seconds < 5.0


def test_nan_is_a_violation():
    nan = claim(lambda x: math.nan)
    assert sampled(nan).refuted
    assert attacked(nan, seconds=0.2).refuted
    assert nan.measured(WITNESS) == -math.inf


def test_a_margin_that_raises_is_a_finding():
    def margin(x):
        raise ZeroDivisionError("by zero")

    for found in (sampled(claim(margin)), attacked(claim(margin), seconds=0.2)):
        assert found.verdict == "error"
        assert found.error == "ZeroDivisionError: by zero"
        assert not found.expected


def test_a_domain_without_instances_is_no_proof():
    def outside(x):
        raise Outside

    assert "no instance" in attacked(claim(outside), seconds=0.2).error
    assert sampled(claim(outside)).count == 0
    assert not sampled(claim(outside)).expected


def test_sampling_is_deterministic():
    assert sampled(TRUE).margin == sampled(TRUE).margin
    assert attacked(TRUE, seconds=10.0, goal=0.3).margin == attacked(TRUE, seconds=10.0, goal=0.3).margin


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Claim("a.b", "", "s", TRUE.margin, X), "needs a statement"),
        (lambda: claim(lambda y: 0.0), r"\['y'\], which are not of its domain"),
        (lambda: claim(TRUE.margin, expect="refuted"), "needs its witness"),
        (lambda: claim(TRUE.margin, {"x": d.Real(0.0, 1.0), "n": d.Integer(1, 2)}), "n is structural"),
        (lambda: d.Real(1.0, 0.0), "expected low < high"),
        (lambda: d.Real(0.0, 1.0, log=True), "0 < low with log"),
    ],
)
def test_mistakes_are_told(make, said):
    with pytest.raises(OptionError, match=said):
        make()


@pytest.mark.parametrize(
    ("element", "holds"),
    [
        (d.Integer(2, 4), lambda x: x in (2, 3, 4)),
        (d.Count(1, 10**6, log=True), lambda x: isinstance(x, int) and 1 <= x <= 10**6),
        (d.Real(0.1, 10.0, log=True), lambda x: 0.1 <= x <= 10.0),
        (d.Choice(("a", "b")), lambda x: x in "ab"),
        (d.Numbers((3,), low=-1.0, high=2.0), lambda x: x.min() >= -1 and x.max() <= 2),
        (d.Numbers((2, 2)), lambda x: np.isfinite(x).all() and x.shape == (2, 2)),
        (d.Probability(4), lambda p: abs(p.sum() - 1) < 1e-15 and p.min() >= 0),
        (d.Probability(4, positive=True), lambda p: p.min() > 0),
        (d.Signs((3,)), lambda s: set(s.tolist()) <= {-1.0, 1.0}),
        (d.Orthogonal(3), lambda q: np.abs(q @ q.T - np.eye(3)).max() < 1e-14),
        (d.Symmetric(3, 0.5, 2.0), lambda a: (a == a.T).all() and 0.499 < np.linalg.eigvalsh(a)[0] < 2.001),
        (d.Exact((2,), most=3), lambda x: all(abs(q) <= 3 and q == int(q) for q in x)),
    ],
    ids=lambda e: type(e).__name__,
)
def test_elements_stay_in_their_domain(element, holds):
    rng = np.random.default_rng(0)
    size = element.size({})
    for u in (np.zeros(size), np.ones(size), np.full(size, 0.5), *rng.random((50, size))):
        assert holds(element.decode(u, {}))


def test_every_integer_and_both_ends_are_reached():
    reached = {d.Integer(1, 3).decode(np.array([u]), {}) for u in np.linspace(0, 1, 50)}
    assert reached == {1, 2, 3}
    assert [d.Real(0.25, 8.0, log=True).decode(np.array([u]), {}) for u in (0.0, 1.0)] == [0.25, 8.0]


def test_margins():
    assert slack(1.0, 1.0) == 0.0
    assert slack(math.inf, math.inf) == 0.0
    assert slack(2.0, 1.0) == -0.5
    assert agreement([math.nan], [1.0]) == -math.inf
    assert agreement([1.0], [1.0, 1.0]) == -math.inf
    assert agreement([0.0], [1e-300]) == -1.0


def test_known_answers_are_right_to_the_digits_printed():
    def known(value):
        return answered(Known("a.b", "what", "survey", "1.20", lambda: value)).expected

    assert known(1.2)
    assert known(1.2099)
    assert not known(1.2101)
    assert not known(math.nan)


def test_statements_in_a_terminal_and_in_a_table():
    assert report.plain_text(r"$\frac{a}{b} \le \sqrt{x}$, $\|v\|$") == "(a)/(b) <= sqrt(x), ||v||"
    text = report.page([claim(TRUE.margin)], [])
    assert "| `topic.name` | A statement. | inequality | survey, section 1 |" in text
    bars = report.page([Claim("a.b", r"$|x| \|y\|$", "s", TRUE.margin, X)], [])
    assert r"$\vert x\vert  \Vert y\Vert $" in bars


def test_the_page_of_findings_escapes_what_it_shows():
    bad = Claim("a.b", "x < y & z", "s", FALSE.margin, X)
    text = report.web_page([sampled(bad)], [])
    assert "x &lt; y &amp; z" in text
    assert '<tr class="bad">' in text


def run(monkeypatch, *chosen, **options):
    monkeypatch.setattr(arrayopt.claims, "CLAIMS", chosen)
    monkeypatch.setattr(arrayopt.claims, "KNOWN", ())
    given = {"pattern": "*", "attack": False, "seconds": 0.2, "backend": "numpy", "json": None, "html": None}
    command(**given | options)


def test_the_command_ends_well_if_all_is_as_expected(monkeypatch, capsys, tmp_path):
    run(monkeypatch, TRUE, attack=True, json=tmp_path / "f.json", html=tmp_path / "f.html")
    assert "2 findings and 0 known answers, 0 not as expected" in capsys.readouterr().out
    written = json.loads((tmp_path / "f.json").read_text())["claims"]
    assert [f["reader"] for f in written] == ["sampled", "attack"]
    assert "topic.name" in (tmp_path / "f.html").read_text()


def test_the_command_fails_if_something_is_not(monkeypatch, capsys):
    with pytest.raises(typer.Exit) as end:
        run(monkeypatch, TRUE, FALSE, attack=True)
    assert end.value.exit_code == 1
    assert "topic.name: refuted, expected holds: n = " in capsys.readouterr().out


def test_the_command_may_be_stopped(monkeypatch, capsys, tmp_path):
    def interrupted(x):
        calls.append(x)
        if len(calls) > 150:
            raise KeyboardInterrupt
        return 1.0

    calls = []
    with pytest.raises(typer.Exit) as end:
        run(monkeypatch, TRUE, claim(interrupted), attack=True, json=tmp_path / "f.json")
    assert end.value.exit_code == 130
    assert "stopped after 1 of 2 attacks" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "f.json").read_text())["claims"]) == 3


def test_a_pattern_that_matches_nothing_is_told(monkeypatch):
    with pytest.raises(OptionError, match="no id matches 'muon'; the topics are topic"):
        run(monkeypatch, TRUE, pattern="muon")
