"""Hold a stepper in place against the pure rule."""

import numpy as np

from arrayopt import inplace
from tests.common.rules import arrays, same_bits


def assert_in_place_is_pure(rule, shape, dtype, steps=3, make=lambda x: x.copy(), **options):
    p, *gradients = arrays(shape, dtype, steps + 1)
    gradients[-1].flat[:1] = 0.0
    q = make(p)
    stepper = inplace(rule, **options)
    state, blocked = rule.init(p), stepper.init(q)
    with np.errstate(all="ignore"):
        for g in gradients:
            p, state = rule.update(g, state, p)
            returned, blocked = stepper.update(make(g), blocked, q)
            assert returned is q
            assert same_bits(p, q), rule
            for slot, leaves in state.slots.items():
                assert same_bits(leaves[""], blocked.slots[slot][""]), (rule, slot)
    assert blocked.t == state.t
