"""AdaMax's presets against the frameworks, at exaggerated settings and in float64."""

import numpy as np
import pytest

from arrayopt.firstorder.adamax import AdaMax
from tests.peers.common import (
    GRADIENTS,
    follow_rates,
    keras_path,
    mlx_path,
    optax_path,
    peer,
    torch_path,
    with_l2,
    worst,
)

# Exact in binary, as the rates are, and far from every default.
B1, B2, EPS, DECAY = 0.625, 0.8125, 0.0625, 0.25
HYPER = dict(beta1=B1, beta2=B2, eps=EPS)
TOLERANCE = 1e-14
# the places of eps part where gradients shrink
SHRINKING = GRADIENTS * (0.25 ** np.arange(6.0))[:, None, None]


def error(rule, path_of, make):
    return worst(follow_rates(rule, gradients=SHRINKING), path_of(make, gradients=SHRINKING))


@pytest.mark.parametrize("foreach", [False, True])
def test_torch(foreach):
    torch = peer("torch")
    options = dict(betas=(B1, B2), eps=EPS, weight_decay=DECAY, foreach=foreach)
    ours = AdaMax.preset("torch", **HYPER, weight_decay=DECAY)
    assert error(ours, torch_path, lambda p, lr: torch.optim.Adamax(p, lr, **options)) < TOLERANCE


def test_optax():
    optax = peer("optax")
    ours = AdaMax.preset("optax", **HYPER, weight_decay=DECAY)
    assert error(ours, optax_path, with_l2(lambda lr: optax.adamax(lr, B1, B2, EPS), DECAY)) < TOLERANCE
    decoupled = ours.replace(decay="decoupled")
    assert error(decoupled, optax_path, lambda lr: optax.adamaxw(lr, B1, B2, EPS, DECAY)) < TOLERANCE


def test_keras():
    keras = peer("keras")
    ours = AdaMax.preset("keras", **HYPER, weight_decay=DECAY)

    def make(lr):
        return keras.optimizers.Adamax(lr, B1, B2, EPS, weight_decay=DECAY)

    assert error(ours, keras_path, make) < TOLERANCE
    assert error(ours.replace(eps_place="in_max"), keras_path, make) > 1e-3


def test_mlx():
    mlx = peer("mlx.optimizers")
    assert error(AdaMax.preset("mlx", **HYPER), mlx_path, lambda lr: mlx.Adamax(lr, [B1, B2], EPS)) < TOLERANCE


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {}),
        ({"weight_decouple": True}, {"decay": "decoupled"}),
        ({"weight_decouple": True, "fixed_decay": True}, {"decay": "decoupled", "decay_scale": "independent"}),
    ],
)
@pytest.mark.parametrize("foreach", [False, True])
def test_pytorch_optimizer(options, fields, foreach):
    theirs = peer("pytorch_optimizer").AdaMax
    ours = AdaMax.preset("pytorch_optimizer", **HYPER, weight_decay=DECAY, **fields)
    make = lambda p, lr: theirs(p, lr, (B1, B2), DECAY, eps=EPS, foreach=foreach, **options)  # noqa: E731
    assert error(ours, torch_path, make) < TOLERANCE
