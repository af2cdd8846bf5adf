"""The formula reader: what a rule's text says, in the words of its own variables."""

import pytest

from arrayopt import RULES, Adafactor, Adam, AdamW, Lion, Momentum, Partition, RAdam, Tiger
from arrayopt.core.trees import Leaf
from arrayopt.readers.formula import formula, host_numbers, latex


def plain(rule, **options):
    return [e.plain() for e in formula(rule, **options)]


def test_adam_reads_as_in_its_paper():
    assert plain(Adam()) == [
        "m_t = beta1 m_{t-1} + (1 - beta1) g_t",
        "v_t = beta2 v_{t-1} + (1 - beta2) g_t^2",
        "s_t = v_t / (1 - beta2^t)",
        "u_t = m_t / (1 - beta1^t) / (sqrt(s_t) + eps)",
        "p_t = p_{t-1} - lr u_t",
    ]


def test_a_dialect_changes_what_it_changes():
    assert plain(Adam(eps_place="hat"))[3] == "u_t = m_t / (1 - beta1^t) / (sqrt(s_t) + eps / sqrt(1 - beta2^t))"
    assert plain(Adam(eps_place="root_corrected"))[3] == "u_t = m_t / (1 - beta1^t) / sqrt(s_t + eps)"
    assert plain(AdamW())[-1] == "p_t = p_{t-1} - lr weight_decay p_{t-1} - lr u_t"
    assert plain(Momentum(form="ema"))[0] == "v_t = momentum v_{t-1} + (1 - momentum) g_t"


def test_latex():
    text = latex(Lion(weight_decay=0.1))
    assert r"\operatorname{sign}\left(\beta_1\, m_{t-1} + \left(1 - \beta_1\right)\, g_{t}\right)" in text
    assert r"\theta_{t} &= \theta_{t-1} - \eta\, \lambda\, \theta_{t-1} - \eta\, u_{t}" in text


def test_a_formula_is_of_a_leaf():
    rule = Partition.by(lambda leaf: leaf.ndim == 1, Lion(), Adam())
    assert plain(rule, leaf=Leaf("b", (3,), "float32")) == plain(Lion())
    assert plain(Tiger(), leaf=Leaf("bias", (3,), "float32")) != plain(Tiger())


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_every_rule_ends_in_its_parameter_and_balances_its_brackets(cls):
    lines = plain(cls())
    assert lines[-1].startswith("p_t = ")
    assert any("p_{t-1}" in line for line in lines)
    for text in (*lines, latex(cls())):
        assert text.count("(") == text.count(")")
        assert text.count("{") == text.count("}")


def test_numbers_that_are_not_written_out_have_values():
    rule = RAdam()
    assert host_numbers(rule, formula(rule), 1).keys() == {"bc1", "bc2", "r", "under", "beside"}
    assert host_numbers(rule, formula(rule), 10)["bc1"] == pytest.approx(1 - 0.9**10)
    assert host_numbers(Adam(), formula(Adam()), 10) == {}


def test_a_reduction_names_its_axis():
    assert "r_t = beta2 r_{t-1} + (1 - beta2) mean(square_t, axis=1)" in plain(Adafactor())
