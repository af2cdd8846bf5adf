"""The rounding reader: its bound holds, and is not much larger than it must be."""

import math

import numpy as np
import pytest

from arrayopt.core.trees import Leaf
from arrayopt.firstorder import RULES, Lion, SignSGD
from arrayopt.readers.bounded import SINGLE
from arrayopt.readers.rounding import Rounding
from tests.common.rules import accepts, exaggerated, for_dtype


def leaves_of(rule, rng, dtype):
    """A hundred thousand parameters: one vector, or matrices where the cost grows faster than the size."""
    large = (
        accepts(rule, (100_000,))
        and max(map(math.prod, rule.slot_shapes(Leaf("w", (300,), "float64")).values()), default=0) <= 300
    )
    shapes = [(100_000,)] if large else [(25, 20)] * 200
    return {str(i): rng.normal(scale=2.0, size=s).astype(dtype) for i, s in enumerate(shapes)}


# The bounds of matrix functions are normwise. At a small rate the rounding of the parameters shows beside them; and
# Shampoo's roots are taken of matrices whose smallest eigenvalue, eps, must stand out of the rounding of a product.
MATRICES = {"Muon": {"lr": 2.0**-10}, "Shampoo": {"lr": 2.0**-10, "eps": 8.0}}


def gradients(rng, shape, dtype, extreme):
    """Gradients over many decades, with zeros, the smallest and some of the largest numbers if `extreme`."""
    g = rng.normal(size=shape) * 10.0 ** rng.integers(-4, 1, size=shape)
    if extreme:
        info = np.finfo(dtype)
        special = np.array([0.0, float(info.smallest_subnormal), float(info.tiny), 0.25 * float(info.max) ** 0.5, -1.0])
        g = np.where(rng.random(shape) < 0.2, rng.choice(special, size=shape), g)
    return g.astype(dtype)


@pytest.mark.parametrize("cls", RULES, ids=lambda c: c.__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("extreme", [False, True])
def test_the_error_never_exceeds_the_bound(cls, dtype, extreme):
    rule = for_dtype(cls, dtype).replace(**MATRICES.get(cls.__name__, {}))
    rng = np.random.default_rng(0)
    params = leaves_of(rule, rng, dtype)
    reader = Rounding(rule)
    tracked, wide = reader.start(params), {k: p.astype(np.float64) for k, p in params.items()}
    state, largest = rule.init(wide), []
    for _ in range(8):
        g = {k: gradients(rng, p.shape, dtype, extreme) for k, p in params.items()}
        tracked = reader.step(g, tracked)
        with np.errstate(all="ignore"):
            wide, state = rule.update({k: x.astype(np.float64) for k, x in g.items()}, state, wide)
        tightest, decided = 0.0, []
        for k in params:
            slots = [(state.slots[s][k], tracked.slots[s][k]) for s in state.slots]
            for exact, bounded in [(wide[k], tracked.params[k]), *slots]:
                finite = np.isfinite(bounded.bound)  # of elements that hang on a switch, too
                off = np.abs(bounded.value.astype(np.float64) - exact)[finite]
                assert np.all(off <= bounded.bound[finite])
                assert np.all(exact[finite] >= bounded.low[finite])
            p = tracked.params[k]
            positive = ~p.undecided & (p.bound > 0)
            off = np.abs(p.value.astype(np.float64) - wide[k])[positive]
            tightest = max(tightest, np.max(off / p.bound[positive], initial=0.0))
            decided.append(np.mean(~p.undecided))
        largest.append(tightest)
        # where matrix functions feed on themselves, a bound says something for a step or two only
        if cls.__name__ == "Shampoo" and extreme:
            continue  # gradients over twenty decades leave its matrices no rank that is certain
        if cls.__name__ not in MATRICES or (len(largest) == 1 and dtype == np.float32):
            assert np.mean(decided) > 0.5, "most elements are decided"
    if not (cls.__name__ == "Shampoo" and extreme):
        assert largest[0] >= (1 / 10 if dtype == np.float32 else 1 / 100)


def test_a_sign_that_hangs_on_rounding_is_undecided():
    rule = Lion(lr=0.1, beta1=0.9, beta2=0.99)
    reader = Rounding(rule)
    # 0.9 * m + 0.1 * g with m = (1 - 0.99) * 9 from the first step: a second gradient that cancels it to the last digit
    first = np.array([9.0, 9.0], dtype=np.float32)
    tracked = reader.step(first, reader.start(np.zeros(2, dtype=np.float32)))
    cancel = -0.9 * (1 - 0.99) * 9.0 / (1 - 0.9)
    tracked = reader.step(np.array([cancel, 1.0], dtype=np.float32), tracked)
    assert list(tracked.params[""].undecided) == [True, False]


def test_exact_zeros_stay_exact():
    """A zero gradient and state: nothing was rounded, so that no sign or ratio hangs on it."""
    reader = Rounding(exaggerated(next(c for c in RULES if c.__name__ == "LAMB")))
    after = reader.step(np.zeros(3, dtype=np.float32), reader.start(np.ones(3, dtype=np.float32)))
    assert np.all(np.isfinite(after.params[""].bound))
    assert np.all(after.slots["v"][""].bound == 0)


def test_the_sign_of_an_exact_zero_is_decided():
    reader = Rounding(SignSGD(lr=0.1))
    after = reader.step(np.zeros(1, dtype=np.float32), reader.start(np.ones(1, dtype=np.float32)))
    assert not after.params[""].undecided[0]


def test_an_overflowed_intermediate_is_undecided():
    rule = exaggerated(next(c for c in RULES if c.__name__ == "Adam"))
    reader = Rounding(rule)
    g = np.array([1e30, 1.0], dtype=np.float32)  # its square overflows
    after = reader.step(g, reader.start(np.zeros(2, dtype=np.float32)))
    assert list(after.params[""].undecided) == [True, False]


def test_scalars_in_float32_widen_the_bound_of_a_bias_correction_by_its_condition():
    rule = next(c for c in RULES if c.__name__ == "Adam")(lr=1.0, eps=0.0)
    p, g = np.zeros(1), np.ones(1)
    double, single = (Rounding(rule, u) for u in (2.0**-53, SINGLE))
    wide = single.step(g, single.start(p)).params[""].bound[0]
    assert double.step(g, double.start(p)).params[""].bound[0] < 1e-12
    # 1 - 0.999 is wrong by 2^-24 * 0.999 / 0.001 in float32, half of it after the root
    assert 1e-5 < wide < 1e-4
