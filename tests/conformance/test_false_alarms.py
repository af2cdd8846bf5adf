"""No false alarms: correct implementations in other orders of operations agree, wrong ones do not."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from arrayopt import LAMB, RULES, Adam, Tiger
from arrayopt.conformance.compare import SLACK, bounds, trajectory
from arrayopt.conformance.models import set_up
from arrayopt.conformance.probes import probes_for
from arrayopt.core import options
from arrayopt.core.trees import Leaf
from arrayopt.readers.rounding import Rounding
from validation.false_alarms import __main__ as command
from validation.false_alarms.agreement import agrees_with, conforms
from validation.false_alarms.orders import ORDERS
from validation.false_alarms.port import Order, candidate
from validation.false_alarms.precision import PRECISIONS, half
from validation.false_alarms.runs import combinations, one


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.__name__)
def test_every_order_of_operations_agrees_in_every_precision(rule):
    found = {
        (order.name, precision): agrees_with(candidate(rule, order, precision), rule(), seed)
        for seed, (order, precision) in enumerate(combinations(rule.__name__))
    }
    assert {who: x.alarms for who, x in found.items() if x.alarms} == {}
    assert all(x.ratio < SLACK for x in found.values())
    others = [x.ratio for (_, precision), x in found.items() if precision == "float64"]
    assert sum(ratio > 0 for ratio in others) >= 2, "orders that round as the rule's text does show nothing"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_whole_check_conforms(precision):
    assert conforms(candidate(Adam, ORDERS["Adam"][-1], precision), Adam(), seed=3) == []


@pytest.mark.parametrize("precision", PRECISIONS)
def test_another_dialect_is_an_alarm(precision):
    subject = candidate(Adam, ORDERS["Adam"][0], precision)
    for wrong in (Adam(bias_correction="none"), Adam(decay="decoupled"), Adam(eps_place="root_raw")):
        found = agrees_with(subject, wrong, seed=0)
        assert found.alarms
        assert found.ratio > SLACK


def test_what_the_whole_check_says_of_another_dialect_is_an_alarm():
    subject = candidate(Adam, ORDERS["Adam"][0], "float32")
    said = conforms(subject, Adam(eps_place="hat"), seed=0)
    assert said[0].startswith("check says \"dialect\": {'eps_place': 'paper'}")


def test_an_implementation_that_fails_is_an_alarm():
    def broken(h, t, g, p, s):
        if not g.any():
            raise ZeroDivisionError("no gradient")
        return p - h.lr * g

    order = Order("broken", broken, lambda h, p: {})
    found = agrees_with(candidate(RULES[0], order, "float64"), RULES[0](), seed=0)
    assert any("probe Z: not run: step raised ZeroDivisionError" in text for text in found.alarms)


def test_seeds_take_all_combinations_in_turn():
    every = combinations("SGD")
    runs = [one("SGD", seed, whole=0) for seed in range(len(every))]
    assert {(r.order, r.precision) for r in runs} == {(order.name, precision) for order, precision in every}
    assert not any(r.whole for r in runs)


def test_command_writes_a_table_and_fails_on_an_alarm(tmp_path, capsys, monkeypatch):
    file = tmp_path / "found.json"
    arguments = ["--seeds", "4", "--rules", "sgd", "--jobs", "1", "--whole", "0", "--json", str(file)]
    assert command.main(arguments) == 0
    assert "4 runs, 0 with alarms" in capsys.readouterr().out
    found = json.loads(file.read_text())
    assert [row["precision"] for row in found["table"]] == list(PRECISIONS)
    assert found["alarms"] == []
    alarmed = dataclasses.replace(one("SGD", 0, whole=0), alarms=["probe E, step 1"])
    assert command.rows([alarmed])[0]["alarms"] == 1
    with pytest.raises(SystemExit):
        command.main(["--rules", "adamm"])


@pytest.mark.parametrize("rule", [Adam(), LAMB(), Tiger()], ids=lambda r: type(r).__name__)
def test_bounds_in_bfloat16_hold_for_the_text_rounded_after_every_operation(rule):
    """Within one bound, not `SLACK`: the same order of operations has exactly the roundings that are bounded."""
    for probe in probes_for(rule, 1, dtype="bfloat16"):
        placed, _ = set_up(rule, dataclasses.replace(probe, pull=0.0, rates={}), tuple(options.numbers(type(rule))))
        expected, within = trajectory(placed, probe), bounds(placed, probe, "bfloat16")
        for k, start in probe.params.items():
            p, leaf = half(start), Leaf(k, start.shape, "float32")
            slots = {s: half(by[k]) for s, by in placed.init({k: start}).slots.items()}
            for t, g in enumerate(probe.gradients, 1):
                h = SimpleNamespace(**placed.numbers_at(t, leaf))
                with np.errstate(all="ignore"):
                    p, after = placed.step(_Rounded(), h, half(g[k]), p, **slots)
                slots = {s: x for s, x in after.items() if x is not None}
                off = np.abs(np.asarray(p, dtype=np.float64) - expected[t - 1][k])
                assert np.all(off <= within[t - 1][k]), (probe.name, t, k)


class _Rounded:
    """NumPy, of which every function returns bfloat16 arrays."""

    def __getattr__(self, name):
        return getattr(np, name)

    def where(self, c, x, y):
        return half(np.where(c, np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float32)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_norm_of_zero_is_exact(dtype):
    """The trust ratio at zero parameters is 1, whatever the precision: a mean of zeros has no rounding."""
    reader, p = Rounding(LAMB()), np.zeros((2, 3), dtype=dtype)
    after = reader.step(np.ones_like(p), reader.start(p))
    assert not after.params[""].undecided.any()


def test_gradients_that_follow_the_parameters_are_exact_in_the_precision():
    probe = next(p for p in probes_for(Adam(), 0, dtype="bfloat16") if p.pull)
    for g in probe.seen(probe.gradients[0], probe.params).values():
        assert np.array_equal(np.asarray(half(g), dtype=np.float64), g)
