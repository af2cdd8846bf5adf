"""RAdam's presets against the frameworks, at exaggerated settings and in float64."""

import numpy as np
import pytest

from arrayopt.firstorder.radam import RAdam, length
from tests.peers.common import (
    P0,
    RATES,
    follow_rates,
    optax_path,
    peer,
    torch_path,
    with_l2,
    worst,
)

# Exact in binary, as the rates are, and far from every default. With this beta2 step 6 is the first that is
# rectified by the threshold 4 and not by 5, and step 8 the first by both.
B1, B2, EPS, DECAY = 0.625, 0.75, 0.0625, 0.25
HYPER = dict(beta1=B1, beta2=B2, eps=EPS, weight_decay=DECAY)
LONG = dict(rates=RATES * 2, gradients=np.random.default_rng(9).normal(size=(12, 4, 3)))
TOLERANCE = 1e-14


def error(rule, path_of, make):
    return worst(follow_rates(rule, **LONG), path_of(make, **LONG))


def test_the_gradients_go_on_long_enough_to_be_rectified_under_either_threshold():
    assert [t for t in range(1, 13) if 4 < length(B2, t) <= 5]
    assert [t for t in range(1, 13) if length(B2, t) > 5]


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize(("decay", "decoupled"), [("l2", False), ("decoupled", True)])
def test_torch(foreach, decay, decoupled):
    torch = peer("torch")
    options = dict(weight_decay=DECAY, decoupled_weight_decay=decoupled, foreach=foreach)
    ours = RAdam.preset("torch", **HYPER, decay=decay)
    assert error(ours, torch_path, lambda p, lr: torch.optim.RAdam(p, lr, (B1, B2), EPS, **options)) < TOLERANCE


@pytest.mark.parametrize("threshold", [4, 5])
def test_optax(threshold):
    optax = peer("optax")
    ours = RAdam.preset("optax", **HYPER, eps_root=0.125, threshold=threshold)
    make = with_l2(lambda lr: optax.radam(lr, B1, B2, EPS, 0.125, float(threshold)), DECAY)
    assert error(ours, optax_path, make) < TOLERANCE
    assert error(ours.replace(threshold=9 - threshold), optax_path, make) > 0.01


def pytorch_optimizer(foreach, **options):
    theirs = peer("pytorch_optimizer").RAdam
    return lambda p, lr: theirs(p, lr, (B1, B2), DECAY, eps=EPS, foreach=foreach, **options)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("foreach", [False, True])
def test_pytorch_optimizer_with_momentum_below_the_threshold(fixed, foreach):
    ours = RAdam.preset("pytorch_optimizer", **HYPER, below="momentum", decay_scale="independent" if fixed else "lr")
    make = pytorch_optimizer(foreach, fixed_decay=fixed, degenerated_to_sgd=True)
    assert error(ours, torch_path, make) < TOLERANCE


@pytest.mark.parametrize("foreach", [False, True])
def test_pytorch_optimizer_by_default_skips_steps_with_their_decay(foreach):
    skipped = sum(length(B2, t) <= 5 for t in range(1, 13))
    ours = follow_rates(RAdam.preset("pytorch_optimizer", **HYPER), **LONG)
    theirs = torch_path(pytorch_optimizer(foreach), **LONG)
    for p in (*ours[:skipped], *theirs[:skipped]):
        np.testing.assert_array_equal(p, P0)
    assert worst(ours[skipped:], theirs[skipped:]) < TOLERANCE


@pytest.mark.parametrize("foreach", [False, True])
def test_pytorch_optimizer_loses_weight_decay_that_is_not_decoupled(foreach):
    ours = RAdam.preset("pytorch_optimizer", **HYPER, below="momentum", decay="l2")
    make = pytorch_optimizer(foreach, weight_decouple=False, degenerated_to_sgd=True)
    assert error(ours, torch_path, make) > 0.1
    assert error(ours.replace(weight_decay=0.0), torch_path, make) < TOLERANCE


def test_at_default_settings_torch_differs_by_the_digits_that_its_length_loses():
    torch = peer("torch")
    ours = follow_rates(RAdam.preset("torch"), **LONG)
    theirs = torch_path(lambda p, lr: torch.optim.RAdam(p, lr), **LONG)
    assert worst(ours, theirs) < 1e-10
