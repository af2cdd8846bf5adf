"""The cost reader: arrays moved and state kept, as the documentation says."""

import pytest

from arrayopt import SGD, Adadelta, Adafactor, Adam, AdamW, Lion, Momentum, Muon, RMSProp, Tiger
from arrayopt.core.trees import Leaf
from arrayopt.readers.cost import cost


@pytest.mark.parametrize(
    ("rule", "moved", "slots"),
    [
        (SGD(), 3, 0),
        (Momentum(), 5, 1),
        (Lion(), 5, 1),
        (Tiger(), 5, 1),
        (Muon(), 5, 1),
        (RMSProp(), 5, 1),
        (Adadelta(), 7, 2),
        (Adam(), 7, 2),
        (AdamW(), 7, 2),
        (Adam(amsgrad="max_raw"), 9, 3),
    ],
    ids=lambda x: type(x).__name__,
)
def test_arrays_moved_and_state_per_parameter(rule, moved, slots):
    c = cost(rule)
    assert (c.reads + c.writes, c.slots) == (moved, slots)
    assert c.bytes(4) == 4 * moved


def test_factored_moments_are_nearly_free():
    assert cost(Adafactor(), Leaf("w", (200, 300), "float32")).slots == pytest.approx(1 / 200 + 1 / 300)


def test_operations_are_counted_once_an_element():
    assert cost(SGD()).flops == 2
    assert cost(SGD(weight_decay=0.1)).flops == 4
    assert cost(Muon()).opaque == ("newton_schulz",)
