"""Adadelta's presets against the frameworks, at exaggerated settings and in float64."""

import pytest

from arrayopt.firstorder.adadelta import Adadelta
from tests.peers.common import (
    follow_rates,
    keras_path,
    mlx_path,
    optax_path,
    peer,
    torch_path,
    worst,
)

# Exact in binary, as the rates are, and far from every default.
RHO, EPS, DECAY = 0.75, 0.0625, 0.25
HYPER = dict(rho=RHO, eps=EPS)
TOLERANCE = 1e-14


@pytest.mark.parametrize("foreach", [False, True])
def test_torch(foreach):
    torch = peer("torch")
    theirs = torch_path(lambda p, lr: torch.optim.Adadelta(p, lr, RHO, EPS, DECAY, foreach=foreach))
    assert worst(follow_rates(Adadelta.preset("torch", **HYPER, weight_decay=DECAY)), theirs) < TOLERANCE


def test_optax():
    optax = peer("optax")
    theirs = optax_path(lambda lr: optax.adadelta(lr, RHO, EPS, DECAY))
    assert worst(follow_rates(Adadelta.preset("optax", **HYPER, weight_decay=DECAY)), theirs) < TOLERANCE


def test_keras():
    keras = peer("keras")
    theirs = keras_path(lambda lr: keras.optimizers.Adadelta(lr, RHO, EPS, weight_decay=DECAY))
    assert worst(follow_rates(Adadelta.preset("keras", **HYPER, weight_decay=DECAY)), theirs) < TOLERANCE


def test_mlx():
    mlx = peer("mlx.optimizers")
    theirs = mlx_path(lambda lr: mlx.AdaDelta(lr, RHO, EPS))
    assert worst(follow_rates(Adadelta.preset("mlx", **HYPER)), theirs) < TOLERANCE


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
    theirs = peer("pytorch_optimizer").AdaDelta
    path = torch_path(lambda p, lr: theirs(p, lr, RHO, DECAY, eps=EPS, foreach=foreach, **options))
    ours = Adadelta.preset("pytorch_optimizer", **HYPER, weight_decay=DECAY, **fields)
    assert worst(follow_rates(ours), path) < TOLERANCE
