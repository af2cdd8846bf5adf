"""Test suites: ids, outcomes and declared failures of the cases, whatever runs them."""

import re

import numpy as np
import pytest

import arrayopt
from arrayopt import SGD, Adam, Clip, Momentum, OptionError
from arrayopt.conformance import Report
from arrayopt.conformance.candidate import CannotRunError
from arrayopt.conformance.causes import Cause
from arrayopt.conformance.consistency import CHECKS, Check, NotRun, Subject
from arrayopt.conformance.testing import cases as cases_module
from arrayopt.conformance.testing.cases import ConformanceError, written
from arrayopt.conformance.testing.parametrized import cases, parametrize


class Descent:
    made = 0

    def __init__(self, params, lr):
        type(self).made += 1
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


class Heavy:
    def __init__(self, params, lr, momentum):
        self.params, self.lr, self.momentum = params, lr, momentum
        self.v = {k: 0 * p for k, p in params.items()}

    def step(self, grads):
        for k, g in grads.items():
            self.v[k] = self.momentum * self.v[k] + (1 - self.momentum) * g
            self.params[k] = self.params[k] - self.lr * self.v[k]
        return self.params


class Broken(Descent):
    def step(self, grads):
        raise RuntimeError("no luck")


def one(candidate, name, reference=None, **options):
    return {c.name: c for c in cases([candidate], reference, **options)}[name]


def probe(run, name="mine"):
    """A check that holds for no optimizer in particular."""
    return Check(name, "nothing", "everything", run)


# Cases ------------------------------------------------------------------------------------------


def test_every_candidate_has_an_id_for_each_check():
    found = [c.id for c in cases([Descent, Greedy], SGD())]
    assert found == [f"{n}-{check}" for n in ("Descent", "Greedy") for check in ("rule", *CHECKS)]
    assert "Greedy-gradient-overwritten" in found


@pytest.mark.parametrize(
    ("candidates", "reference"),
    [
        ([(Descent, SGD()), (Heavy, Momentum()), (Greedy, None)], None),
        ({Descent: SGD(), Heavy: Momentum(), Greedy: None}, None),
        ([Descent, (Heavy, Momentum()), (Greedy, None)], SGD()),
    ],
    ids=["pairs", "mapping", "mixed"],
)
def test_candidates_may_have_references_of_their_own(candidates, reference):
    references = {c.held.given: c.held.reference for c in cases(candidates, reference)}
    assert references == {Descent: SGD(), Heavy: Momentum(), Greedy: None}
    assert "Greedy-rule" not in [c.id for c in cases(candidates, reference)]


def test_the_mark_is_that_of_pytest():
    mark = parametrize([Descent], SGD(), expected_failures={Descent: {"rule": "a reason"}}).mark
    assert (mark.name, mark.args[0]) == ("parametrize", "check")
    assert [p.id for p in mark.args[1]] == [f"Descent-{n}" for n in ("rule", *CHECKS)]
    assert [[m.kwargs for m in p.marks] for p in mark.args[1][:2]] == [
        [{"raises": ConformanceError, "reason": "a reason", "strict": True}],
        [],
    ]


def test_nothing_runs_before_a_case_is_called():
    before = Descent.made
    made = cases([Descent], SGD())
    assert Descent.made == before
    made[0]()
    assert Descent.made > before


def test_the_checks_of_a_candidate_share_one_run(monkeypatch):
    seen = []
    for name in ("one", "other"):
        monkeypatch.setitem(CHECKS, name, probe(lambda s: seen.append(s) or iter(())))
    for case in cases([Descent, Heavy], SGD(), seed=3):
        if case.name in ("one", "other"):
            case()
    assert [s.candidate.name for s in seen] == ["Descent", "Descent", "Heavy", "Heavy"]
    assert seen[0] is seen[1]
    assert seen[2] is seen[3]
    expected = Subject.of(seen[0].candidate, 3)
    assert all(np.array_equal(seen[0].params[k], p) for k, p in expected.params.items())


def test_a_candidate_that_is_right_passes_or_is_told_why_a_check_does_not_apply():
    outcomes = {}
    for case in cases([Descent], SGD()):
        try:
            outcomes[case.name] = case()
        except pytest.skip.Exception as skipped:
            outcomes[case.name] = str(skipped)
    assert outcomes["rule"] is outcomes["gradient-overwritten"] is outcomes["gradient-kept"] is None
    for name, told in outcomes.items():
        assert told is None or re.fullmatch(f"Descent-{name}: not run: .+", told)


DIALECTS = [(Heavy, Momentum(), "form"), (Heavy, Momentum(lr=0.3, momentum=0.8), "form")]


@pytest.mark.parametrize(("candidate", "reference", "field"), DIALECTS, ids=["as-it-ships", "other-numbers"])
def test_another_dialect_fails_and_the_reference_that_it_proposes_passes(candidate, reference, field):
    with pytest.raises(ConformanceError, match=rf"Heavy against Momentum: dialect\n(.*\n)+.*{field}='ema'") as told:
        one(candidate, "rule", reference)()
    proposed = str(told.value).splitlines()[-1].partition("reference=")[2]
    rule = eval(proposed, vars(arrayopt))
    assert rule == reference.replace(form="ema")
    one(candidate, "rule", rule)()


def test_a_rule_is_written_with_what_is_not_at_its_default():
    assert written(Adam()) == "Adam()"
    assert written(Adam(lr=0.1, eps_place="hat")) == "Adam(lr=0.1, eps_place='hat')"
    assert written(Clip(rule=Adam(lr=0.1), by="leaf")) == "Clip(rule=Adam(lr=0.1), by='leaf')"


def test_a_candidate_that_differs_fails_with_the_report(monkeypatch):
    asked = []
    report = Report("Descent", SGD(), "differs", causes=(Cause("nearest", "no dialect fits"),))
    monkeypatch.setattr(cases_module, "check", lambda *a, **options: asked.append((*a, options)) or report)
    case = one(Descent, "rule", SGD(), seed=5)
    with pytest.raises(ConformanceError) as told:
        case()
    assert str(told.value) == str(report)
    assert asked == [(case.held.candidate, SGD(), {"seed": 5, "consistency": False})]


def test_what_is_found_without_a_rule_is_left_to_its_own_check():
    one(Greedy, "rule", SGD())()


def test_a_check_that_finds_something_fails_with_its_causes():
    with pytest.raises(ConformanceError, match=r"Greedy fails gradient-overwritten\n  cause +it overwrites the grad"):
        one(Greedy, "gradient-overwritten")()


def test_what_is_only_worth_knowing_is_no_failure(monkeypatch):
    found = [Cause("mine", "a curiosity", wrong=False)]
    monkeypatch.setitem(CHECKS, "mine", probe(lambda subject: iter(found)))
    one(Descent, "mine")()
    found.append(Cause("mine", "a mistake"))
    with pytest.raises(ConformanceError, match="a mistake") as told:
        one(Descent, "mine")()
    assert "curiosity" not in str(told.value)


@pytest.mark.parametrize("error", [NotRun, CannotRunError])
def test_a_check_that_does_not_apply_is_skipped_with_its_reason(monkeypatch, error):
    def run(subject):
        raise error("it has no save()")
        yield

    monkeypatch.setitem(CHECKS, "mine", probe(run))
    for expected in (None, {Descent: {"mine": "a reason"}}):
        with pytest.raises(pytest.skip.Exception, match=r"^Descent-mine: not run: it has no save\(\)$"):
            one(Descent, "mine", expected_failures=expected)()


@pytest.mark.parametrize("reference", [SGD(), None], ids=["rule", "no-rule"])
def test_a_candidate_that_cannot_run_fails_every_check(reference):
    for case in cases([Broken], reference):
        with pytest.raises(ConformanceError, match=r"cannot.run(.|\n)*no luck"):
            case()


class OfOne:
    def __init__(self, params: np.ndarray, lr):
        self.params, self.lr = params, lr

    def step(self, grad):
        return self.params.__isub__(self.lr * grad)


class OfList(OfOne):
    def __init__(self, leaves, lr):
        self.params, self.lr = list(leaves), float(lr)

    def step(self, grads):
        self.params = [p - self.lr * g for p, g in zip(self.params, grads, strict=True)]
        return self.params


@pytest.mark.parametrize("reference", [SGD(), None], ids=["rule", "no-rule"])
@pytest.mark.parametrize("candidate", [OfOne, OfList])
def test_the_form_of_the_parameters_is_found_with_and_without_a_rule(candidate, reference):
    one(candidate, "gradient-overwritten", reference)()


def test_numbers_that_have_no_default_are_those_of_the_reference(monkeypatch):
    class Wants(Descent):
        def __init__(self, params, lr, eps_root, warmup=0.0):
            super().__init__(params, lr)

    seen = []
    monkeypatch.setitem(CHECKS, "mine", probe(lambda s: seen.append(s.hyper) or iter(())))
    one(Wants, "mine", Adam(lr=lambda t: 0.5 / t, eps_root=0.125))()
    assert seen[0]["eps_root"] == 0.125
    assert seen[0]["warmup"] == 0.0


# Declared failures ------------------------------------------------------------------------------


def test_a_declared_failure_fails_as_the_mark_expects():
    case = one(Greedy, "gradient-overwritten", expected_failures={Greedy: {"gradient-overwritten": "to save memory"}})
    assert case.reason == "to save memory"
    with pytest.raises(ConformanceError):
        case()


def test_a_declared_failure_that_passes_says_to_remove_it_and_is_not_what_the_mark_expects():
    case = one(Descent, "rule", SGD(), expected_failures={Descent: {"rule": "eps, see issue 12"}})
    with pytest.raises(
        AssertionError, match=r"^Descent-rule is declared as expected failure, but passes: remove it .*12"
    ) as e:
        case()
    assert not isinstance(e.value, ConformanceError)


def test_a_function_may_declare_failures():
    known = {Greedy: {"gradient-overwritten": "to save memory"}}
    made = cases([Descent, Greedy], expected_failures=known.get)
    assert [(c.id, c.reason) for c in made if c.reason] == [("Greedy-gradient-overwritten", "to save memory")]


MISTAKES = {
    "no list": (lambda: cases(Descent), r"must be a list such as \[MyAdam\], got <class"),
    "none": (lambda: cases([]), "no candidates, so that nothing would be tested"),
    "no candidate": (lambda: cases(["adam"]), "a candidate is a Candidate, a class or a function, got 'adam'"),
    "no rule": (lambda: cases([Descent], SGD), r"reference must be a rule such as Adam\(\), got <class"),
    "no rule in a pair": (lambda: cases([(Descent, "sgd")]), "reference must be a rule .* got 'sgd'"),
    "two of one name": (lambda: cases([Descent, Descent]), r"several candidates are called 'Descent'.*name="),
    "unknown check": (
        lambda: cases([Descent], expected_failures={Descent: {"gradient-overwriten": "why"}}),
        "expected_failures of Descent name no check 'gradient-overwriten'; did you mean 'gradient-overwritten'.*checks",
    ),
    "check unlike all": (
        lambda: cases([Descent], expected_failures={Descent: {"zzz": "why"}}),
        "name no check 'zzz'; the checks are .*gradient-kept",
    ),
    "rule without reference": (
        lambda: cases([Descent], expected_failures={Descent: {"rule": "why"}}),
        "name no check 'rule', as no reference is given",
    ),
    "empty reason": (
        lambda: cases([Descent], SGD(), expected_failures={Descent: {"rule": " "}}),
        "expected_failures of Descent give no reason for 'rule'; say why it fails, got ' '",
    ),
    "no reason": (
        lambda: cases([Descent], SGD(), expected_failures={Descent: {"rule": None}}),
        "no reason .* got None",
    ),
    "no mapping": (
        lambda: cases([Descent], SGD(), expected_failures={Descent: "rule"}),
        "must be a mapping .* got 'rule'",
    ),
    "no such candidate": (
        lambda: cases([Descent], SGD(), expected_failures={"rule": "why"}),
        "expected_failures names 'rule', which is none of the candidates; write {candidate: {check: reason}}",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_before_anything_runs(mistake):
    call, told = MISTAKES[mistake]
    with pytest.raises(OptionError, match=told):
        call()
