"""Numbers of a step as functions of t: the same floats, and a refusal where they cannot be followed."""

import pytest

from arrayopt import LAMB, Adafactor, Adam, InverseSqrt, RAdam, Shampoo, Tiger
from arrayopt.core.trees import Leaf
from arrayopt.firstorder import RULES
from arrayopt.readers.blocks.numbers import Expression, Numbers, Refused, compiled, setting
from tests.common.rules import accepts, every_dialect

LEAF = Leaf("w", (4, 3), "float32")


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
def test_expressions_have_the_values_of_numbers_at(cls):
    followed = 0
    for rule in every_dialect(cls):
        if not accepts(rule, LEAF.shape) or (symbolic := Numbers(rule, LEAF).symbolic) is None:
            continue
        followed += 1
        names = [k for k, x in symbolic.items() if isinstance(x, Expression)]
        evaluate = compiled([symbolic[k] for k in names])
        for t in (1, 2, 17, 10**5):
            expected = rule.numbers_at(t, LEAF)
            assert {**symbolic, **dict(zip(names, evaluate(t), strict=True))} == expected
    assert followed or cls in (Adafactor, RAdam, Shampoo, Tiger)  # these decide something by t


def test_a_schedule_is_not_followed():
    assert Numbers(Adam(lr=InverseSqrt(0.1)), LEAF).symbolic is None
    assert Numbers(Adam(lr=InverseSqrt(0.1)), LEAF).at(4)["lr"] == 0.05


def test_what_scalars_asks_of_a_leaf_is_noted():
    assert Numbers(Adam(), LEAF).reads == set()
    assert Numbers(LAMB(), LEAF).reads == {"shape"}
    assert Numbers(Tiger(), LEAF).reads == {"shape", "path"}


@pytest.mark.parametrize(
    "use",
    [
        bool,
        float,
        int,
        abs,
        lambda t: t > 1,
        lambda t: t == 1,
        lambda t: t % 2,
        lambda t: min(t, 3),
        lambda t: t * 1e400,
    ],
)
def test_what_an_expression_cannot_follow(use):
    with pytest.raises(Refused):
        use(Expression("t"))


def test_shared_parts_are_computed_once_and_values_are_put_in_place():
    t = Expression("t")
    power = 0.9**t
    target = [0.0] * 3
    setting([1 - power, -power / (t + 2)], [2, 0], target)(3)
    assert target == [-(0.9**3) / 5, 0.0, 1 - 0.9**3]
