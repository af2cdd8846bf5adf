"""Adagrad's presets against the frameworks, at exaggerated settings and in float64."""

import numpy as np
import pytest

from arrayopt.firstorder.adagrad import Adagrad
from tests.peers.common import (
    GRADIENTS,
    P0,
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
EPS, INITIAL, DECAY = 0.0625, 0.5, 0.25
TOLERANCE = 1e-14


@pytest.mark.parametrize("way", [{}, {"foreach": True}, {"fused": True}])
def test_torch(way):
    torch = peer("torch")
    options = dict(lr_decay=0.25, weight_decay=DECAY, initial_accumulator_value=INITIAL, eps=EPS)
    theirs = torch_path(lambda p, lr: torch.optim.Adagrad(p, lr, **options, **way))
    ours = Adagrad.preset("torch", eps=EPS, initial=INITIAL, lr_decay=0.25, weight_decay=DECAY)
    assert worst(follow_rates(ours), theirs) < TOLERANCE


def test_optax():
    optax = peer("optax")
    theirs = optax_path(with_l2(lambda lr: optax.adagrad(lr, INITIAL, EPS), DECAY))
    ours = Adagrad.preset("optax", eps=EPS, initial=INITIAL, weight_decay=DECAY)
    assert worst(follow_rates(ours), theirs) < TOLERANCE


@pytest.mark.parametrize("eps", [0.0, EPS])
def test_optax_guards_what_has_seen_no_gradient(eps):
    optax = peer("optax")
    gradients = GRADIENTS.copy()
    gradients[:3, 0], gradients[:, 1] = 0.0, 0.0
    gradients[0, 2] = 1e-200  # its square underflows
    theirs = optax_path(lambda lr: optax.adagrad(lr, 0.0, eps), gradients=gradients)
    ours = follow_rates(Adagrad.preset("optax", eps=eps, initial=0.0), gradients=gradients)
    assert worst(ours, theirs) < TOLERANCE
    np.testing.assert_array_equal(theirs[-1][1], P0[1])


def test_keras():
    keras = peer("keras")
    theirs = keras_path(lambda lr: keras.optimizers.Adagrad(lr, INITIAL, EPS, weight_decay=DECAY))
    ours = Adagrad.preset("keras", eps=EPS, initial=INITIAL, weight_decay=DECAY)
    assert worst(follow_rates(ours), theirs) < TOLERANCE


def test_mlx():
    mlx = peer("mlx.optimizers")
    theirs = mlx_path(lambda lr: mlx.Adagrad(lr, EPS))
    assert worst(follow_rates(Adagrad.preset("mlx", eps=EPS)), theirs) < TOLERANCE
