"""`check`: verdicts, dialects, causes and where a candidate first departs."""

import dataclasses
import json
import re

import numpy as np
import pytest

from arrayopt import RULES, SGD, Adafactor, Adagrad, Adam, AdamW, Lion, Momentum, Nesterov, OptionError, RMSProp
from arrayopt.conformance import Candidate, check
from arrayopt.conformance.diagnosis.dialects import space
from arrayopt.core.trees import Leaf
from tests.common.rules import exaggerated


def from_rule(rule, hyper=(), **options):
    """A candidate that is a rule: what it declares is set, all else is fixed in it."""

    class Session:
        def __init__(self, params, **given):
            self.rule = rule.replace(**given)
            self.params, self.state, self.start = params, self.rule.init(params), self.rule.lr

        def step(self, grads):
            self.params, self.state = self.rule.update(grads, self.state, self.params)
            return self.params

        def set(self, **given):
            self.rule = self.rule.replace(lr_peak=self.start, **given)

    return Candidate.from_step(Session, hyper, name=type(rule).__name__, **options)


class Port:
    """Adam as people write it, with hooks for mistakes."""

    def __init__(self, params, lr, beta1, beta2, eps):
        self.params, self.lr, self.beta1, self.beta2, self.eps, self.t = params, lr, beta1, beta2, eps, 0
        self.m, self.v = ({k: np.zeros_like(p) for k, p in params.items()} for _ in range(2))

    def set(self, lr):
        self.lr = lr

    def step(self, grads):
        self.t += 1
        for k, g in grads.items():
            self.m[k] = self.beta1 * self.m[k] + (1 - self.beta1) * g
            self.v[k] = self.beta2 * self.v[k] + (1 - self.beta2) * g**2
            self.params[k] = self.params[k] - self.lr * self.direction(self.m[k], self.v[k])
        return self.params

    def direction(self, m, v):
        return (m / (1 - self.beta1**self.t)) / (np.sqrt(v / (1 - self.beta2**self.t)) + self.eps)


def test_a_port_in_another_order_of_operations_conforms():
    report = check(Candidate.from_step(Port), Adam())
    assert (report.verdict, report.match, report.causes) == ("conforms", Adam(), ())
    assert report.error < 1e-14
    assert set(report.probes.values()) == {"agrees"}


NAMED = {
    Adam: ("lr", "beta1", "beta2", "eps", "weight_decay"),
    AdamW: ("lr", "beta1", "beta2", "eps", "weight_decay"),
    RMSProp: ("lr", "rho", "eps", "momentum", "weight_decay"),
    Adagrad: ("lr", "eps", "weight_decay"),
    SGD: ("lr", "weight_decay"),
    Momentum: ("lr", "momentum", "weight_decay"),
    Nesterov: ("lr", "momentum", "weight_decay"),
    Lion: ("lr", "beta1", "beta2", "weight_decay"),
}


@pytest.mark.parametrize("cls", NAMED, ids=lambda c: c.__name__)
def test_dialects_of_the_family_are_named(cls):
    """A sample of all dialects: what comes back computes the same on other numbers, and says so as "dialect"."""
    every = list(space(exaggerated(cls)))
    for dialect in every[:: max(1, len(every) // 12)]:
        spoken = {f.name: getattr(dialect, f.name) for f in dataclasses.fields(cls) if f.name not in NAMED[cls]}
        report = check(from_rule(cls(**spoken), NAMED[cls]), cls())
        assert report.verdict in ("conforms", "dialect"), report
        assert cls(**spoken) in report.equivalent, report
        assert report.match in report.equivalent
        assert report.error < 1e-10


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_every_rule_conforms_to_itself(cls):
    report = check(from_rule(cls(), ("lr",)), cls())
    assert report.verdict == "conforms", report
    assert report.match == cls()


def test_a_dialect_constant_that_no_table_has_is_fitted():
    report = check(from_rule(Momentum(dampening=0.35, first="gradient"), ("lr", "momentum")), Momentum())
    assert report.verdict == "dialect"
    assert report.dialect == {"dampening": 0.35, "first": "gradient"}


def test_the_match_keeps_the_hyper_parameters_of_the_reference():
    reference = Adam(lr=0.3, beta1=0.8, beta2=0.95, eps=1e-6)
    report = check(from_rule(Adam(eps_place="hat"), NAMED[Adam]), reference)
    assert report.match == reference.replace(eps_place="hat")


def test_a_given_number_that_is_ignored_is_pinned_in_the_match():
    class Deaf(Port):
        def __init__(self, params, lr, beta1, beta2, eps):
            super().__init__(params, lr, beta1, beta2, 1e-3)

    report = check(Candidate.from_step(Deaf), Adam())
    assert report.verdict == "differs"
    assert [c.kind for c in report.causes] == ["ignored-option"]
    assert report.causes[0].values == {"eps": 1e-3}
    assert report.match.replace(eps=0.5).numbers_at(1, Leaf("a", (2,), "float64"))["eps"] == 1e-3


def test_a_hidden_number_that_differs_is_a_cause():
    report = check(from_rule(Adam(beta2=0.99), ("lr", "beta1", "eps")), Adam())
    assert (report.verdict, report.match) == ("differs", Adam(beta2=0.99))
    assert report.causes[0].values == {"beta2": pytest.approx(0.99)}


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("gradient-overwritten", "grads"), ("shared-state", "steps"), ("order-dependent", "first")],
)
def test_impure_candidates_differ_even_if_their_numbers_agree(kind, fault):
    class Impure(Port):
        def step(self, grads):
            if fault == "steps":
                self.t += 1 - len(grads)  # one count for each leaf, from a common start
            if fault == "first" and next(iter(grads)) != "a":
                self.t += 1
            result = dict(super().step(grads))
            if fault == "grads":
                grads["a"] *= 0.5
            return result

    report = check(Candidate.from_step(Impure), Adam())
    assert report.verdict == "differs"
    assert kind in {c.kind for c in report.causes}, report


@pytest.mark.parametrize(
    ("kind", "said"), [("step-count", "starts at 2 instead of 1"), ("swapped", "beta1 and beta2 in each other's place")]
)
def test_classic_slips_are_named(kind, said):
    class Slipped(Port):
        def __init__(self, params, lr, beta1, beta2, eps):
            super().__init__(params, lr, *((beta2, beta1) if kind == "swapped" else (beta1, beta2)), eps)
            self.t = int(kind == "step-count")

    report = check(Slipped, Adam())
    assert (report.verdict, [c.kind for c in report.causes]) == ("differs", [kind])
    assert said in str(report)


def test_an_option_that_does_nothing_is_a_cause():
    class Deaf(Port):
        def __init__(self, params, lr, beta1, beta2, eps, weight_decay):
            super().__init__(params, lr, beta1, beta2, eps)

    report = check(Candidate.from_step(Deaf), AdamW())
    assert report.verdict == "differs"
    assert "weight_decay is 0 whatever is given" in str(report.causes[0])


def test_where_it_first_departs():
    class Late(Port):
        def step(self, grads):
            if self.t == 2:
                self.params["b"][1, 2] += 0.25
            return super().step(grads)

    report = check(Candidate.from_step(Late), Adam())
    first = report.first_divergence
    assert (first.probe, first.step, first.path, first.index) == ("E", 3, "b", (1, 2))
    assert first.got - first.expected == pytest.approx(0.25)
    assert "probe E, step 3, leaf b[1, 2]" in str(report)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise", "step raised ZeroDivisionError: no"),
        ("shape", r"step returned leaf 'a' with shape \(3,\), expected \(4, 3\)"),
        ("lost", "step returned no leaf 'b'; it returned a, c"),
        ("type", "step returned a list, expected a dict of arrays"),
        ("make", "making it raised TypeError"),
    ],
)
def test_what_cannot_run_says_why(fault, said):
    class Broken(Port):
        def __init__(self, params, lr, beta1, beta2, eps):
            if fault == "make":
                raise TypeError("no")
            super().__init__(params, lr, beta1, beta2, eps)

        def step(self, grads):
            after = super().step(grads)
            match fault:
                case "raise":
                    raise ZeroDivisionError("no")
                case "shape":
                    return {**after, "a": np.zeros(3)}
                case "lost":
                    return {k: x for k, x in after.items() if k != "b"}
                case "type":
                    return list(after.values())
            return after

    report = check(Candidate.from_step(Broken), Adam())
    assert report.verdict == "cannot-run"
    (cause,) = report.causes
    assert re.search(said, str(cause)), cause


def test_nan_is_a_departure():
    class Hole(Port):
        def direction(self, m, v):
            return np.where(m > 0, super().direction(m, v), np.nan)

    report = check(Candidate.from_step(Hole), Adam())
    assert report.verdict == "differs"
    assert np.isnan(report.first_divergence.got)


def test_without_set_the_changing_rate_is_not_run_and_said_so():
    class Fixed(Port):
        set = None

    report = check(Candidate.from_step(Fixed), Adam())
    assert report.verdict == "conforms"
    assert report.probes["R"] == "not run: it offers no set(lr=...)"
    assert "not run" in str(report)


def test_a_port_that_writes_in_place_and_returns_nothing():
    class InPlace:
        def __init__(self, params, lr):
            self.params, self.lr = params, lr

        def step(self, grads):
            for k, g in grads.items():
                self.params[k] -= self.lr * g

    assert check(Candidate.from_step(InPlace), SGD()).verdict == "conforms"


@pytest.mark.parametrize("tree", ["list", "array"])
@pytest.mark.parametrize("said", [True, False])
def test_other_forms_of_parameters_are_said_or_found(tree, said):
    class Plain:
        def __init__(self, params, lr):
            self.params, self.lr = params, lr

        def step(self, grads):
            if tree == "array":
                self.params = self.params - self.lr * grads
            else:
                self.params = [p - self.lr * g for p, g in zip(self.params, grads, strict=True)]
            return self.params

    assert check(Candidate.from_step(Plain, tree=tree if said else "auto"), SGD()).verdict == "conforms"


def test_float32_arithmetic_is_held_to_its_own_bound():
    report = check(from_rule(Adam(), NAMED[Adam][:4], dtype="float32"), Adam())
    assert report.verdict == "conforms"
    assert 1e-9 < report.error < 1e-3  # of probe D, whose steps of 1e-3 are small beside the parameters


def test_scalars_in_float32_are_told_from_a_wrong_rule():
    class Single(Port):
        def direction(self, m, v):
            c1 = float(np.float32(1) - np.float32(self.beta1) ** np.float32(self.t))
            c2 = float(np.float32(1) - np.float32(self.beta2) ** np.float32(self.t))
            return (m / c1) / (np.sqrt(v / c2) + self.eps)

    report = check(Candidate.from_step(Single), Adam())
    assert report.verdict == "conforms"
    assert [c.kind for c in report.causes] == ["float32-scalars"]


def test_a_dialect_that_fits_exactly_wins_over_the_reference_in_float32():
    """torch.optim.Adafactor's way with eps1 is within what scalars in float32 would do to the published one."""
    exact = Adafactor(lr=0.01, eps1_place="machine", eps1=1.0)
    report = check(from_rule(exact, ("lr",)), Adafactor(lr=0.01))
    assert report.verdict == "dialect"
    assert exact in report.equivalent


def test_a_report_is_plain_data_too():
    report = check(from_rule(Adam(eps_place="hat"), NAMED[Adam]), Adam())
    data = json.loads(json.dumps(report.to_dict()))
    assert data["schema"] == 2
    assert (data["verdict"], data["dialect"]) == ("dialect", {"eps_place": "hat"})
    assert (data["match"]["type"], data["match"]["eps_place"]) == ("Adam", "hat")
    assert data["first_divergence"]["probe"] == "E"
    assert "spoken by" in str(report)
    assert "keras" in str(report)


def test_the_seed_makes_other_probes_and_the_same_verdict():
    reports = [check(from_rule(Adam(eps_place="hat"), NAMED[Adam]), Adam(), seed=s) for s in (0, 1)]
    assert reports[0].first_divergence != reports[1].first_divergence
    assert reports[0].match == reports[1].match


def test_a_class_is_wrapped_and_anything_else_refused():
    assert check(Port, Adam()).verdict == "conforms"
    with pytest.raises(OptionError, match="candidate must be a Candidate, a class or a function, got 3"):
        check(3, Adam())
    with pytest.raises(
        OptionError, match=r"reference must be a rule such as Adam\(\), or Clip\(rule=Adam\(\)\), got <class"
    ):
        check(Port, Adam)


def test_a_framework_s_class_is_adapted():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    report = check(torch.optim.SGD, SGD(), consistency=False)  # its fused path has faults of its own
    assert (report.verdict, report.error < 1e-10) == ("conforms", True)
