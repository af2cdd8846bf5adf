"""Fields of a rule as text."""

import pytest

from arrayopt import LAMB, RULES, Adam, Momentum, Muon, OptionError, RAdam, RMSProp, Tiger
from arrayopt.conformance.fields import has_kind, with_fields
from arrayopt.core import options


def test_every_kind_of_field_is_read():
    assert with_fields(Adam, []) == Adam()
    assert with_fields(Adam, ["eps_place=hat", "lr=1e-2"]) == Adam(eps_place="hat", lr=0.01)
    assert with_fields(RMSProp, ["centered=True", "bias_correction=false"]) == RMSProp(centered=True)
    assert with_fields(RAdam, ["threshold=5"]) == RAdam(threshold=5)
    assert with_fields(Momentum, ["accumulate=3"]) == Momentum(accumulate=3)
    assert with_fields(LAMB, ["clamp=10", "max_ratio=none"]) == LAMB(clamp=10.0)
    assert with_fields(Tiger, ["half_rate=bias, scale", "rows="]) == Tiger(half_rate=("bias", "scale"), rows=())
    assert with_fields(Muon, ["polynomials=1.5,-0.5,0;2,-1.5,0.5"]) == Muon(
        polynomials=((1.5, -0.5, 0.0), (2.0, -1.5, 0.5))
    )


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_every_value_of_every_dialect_field_can_be_written(cls):
    for name, values in options.dialects(cls).items():
        assert [getattr(with_fields(cls, [f"{name}={v}"]), name) for v in values] == list(values)


@pytest.mark.parametrize(
    ("cls", "text", "said"),
    [
        (Adam, "eps_place", "Adam: expected name=value, got 'eps_place'"),
        (Adam, "=1", "Adam: expected name=value, got '=1'"),
        (Adam, "eps_places=hat", "unknown option 'eps_places'; did you mean 'eps_place'"),
        (Adam, "eps_place=het", "eps_place must be one of paper, hat, root_corrected, root_raw, both, got 'het'"),
        (RMSProp, "centered=yes", "RMSProp: centered must be one of false, true, got 'yes'"),
        (RAdam, "threshold=4.0", "threshold must be one of 4, 5, got '4.0'"),
        (Adam, "lr=fast", "Adam: lr must be a finite number, got 'fast'"),
        (Adam, "lr=nan", "Adam: lr must be a finite number, got 'nan'"),
        (Adam, "lr=-1", "Adam: lr must be a finite number >= 0, got -1"),
        (Adam, "beta1=1", r"Adam: beta1 must be a number in \[0, 1\), got 1"),
        (Adam, "lr_peak=inf", "Adam: lr_peak must be a finite number, got 'inf'"),
        (Momentum, "accumulate=1.5", "Momentum: accumulate must be an integer, got '1.5'"),
        (Momentum, f"accumulate={10**400}", "Momentum: accumulate must be an integer, got '1000"),
        (Momentum, "accumulate=0", "accumulate must be an integer >= 1, got 0"),
        (Muon, "polynomials=1,2", "Muon: polynomials must have 3 elements, got '1,2'"),
        (Muon, "polynomials=1,2,x", "Muon: polynomials must be a finite number, got 'x'"),
    ],
)
def test_what_a_field_cannot_be_is_said(cls, text, said):
    with pytest.raises(OptionError, match=said):
        with_fields(cls, [text])


def test_a_field_is_given_once():
    with pytest.raises(OptionError, match="Adam: lr is given twice"):
        with_fields(Adam, ["lr=1", "lr = 2"])


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_the_defaults_of_a_rule_have_the_kinds_of_their_fields(cls):
    rule = cls()
    apart = {*options.dialects(cls), *options.numbers(cls)}
    for name, hint in options.hints(cls).items():
        if name not in apart:
            assert has_kind(hint, getattr(rule, name))
            assert not has_kind(hint, object())
            assert not has_kind(hint, True)
            assert not has_kind(hint, ("a", 1))
