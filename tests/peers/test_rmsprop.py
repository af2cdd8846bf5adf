"""RMSProp's presets against the frameworks, at exaggerated settings and in float64; timm is only read."""

import numpy as np
import pytest

from arrayopt.firstorder.rmsprop import RMSProp
from tests.peers.common import (
    CONSTANT,
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
RHO, EPS, DECAY = 0.75, 0.0625, 0.25
HYPER = dict(rho=RHO, eps=EPS)
TOLERANCE = 1e-14
momenta = pytest.mark.parametrize("momentum", [0.0, 0.625])
centering = pytest.mark.parametrize("centered", [False, True])


@momenta
@centering
@pytest.mark.parametrize("foreach", [False, True])
def test_torch(momentum, centered, foreach):
    torch = peer("torch")
    shared = dict(weight_decay=DECAY, momentum=momentum, centered=centered)
    theirs = torch_path(lambda p, lr: torch.optim.RMSprop(p, lr, RHO, EPS, foreach=foreach, **shared))
    assert worst(follow_rates(RMSProp.preset("torch", **HYPER, **shared)), theirs) < TOLERANCE


@momenta
@centering
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("initial", [0.0, 1.0])
def test_optax(momentum, centered, inside, corrected, initial):
    optax = peer("optax")
    options = dict(initial_scale=initial, eps_in_sqrt=inside, centered=centered, bias_correction=corrected)
    theirs = optax_path(with_l2(lambda lr: optax.rmsprop(lr, RHO, EPS, momentum=momentum or None, **options), DECAY))
    ours = RMSProp.preset(
        "optax",
        **HYPER,
        weight_decay=DECAY,
        momentum=momentum,
        initial=initial,
        centered=centered,
        bias_correction=corrected,
        eps_place="inside" if inside else "outside",
    )
    if corrected and centered and not inside and not initial:
        # the variance at the first step is what rounding leaves of zero, and its root may be a NaN
        assert worst(follow_rates(ours)[:1], theirs[:1]) < 1e-6 or np.isnan(theirs[0]).any()
    else:
        assert worst(follow_rates(ours), theirs) < TOLERANCE


@momenta
@centering
def test_keras(momentum, centered):
    keras = peer("keras")
    shared = dict(momentum=momentum, centered=centered, weight_decay=DECAY)
    theirs = keras_path(lambda lr: keras.optimizers.RMSprop(lr, RHO, epsilon=EPS, **shared))
    assert worst(follow_rates(RMSProp.preset("keras", **HYPER, **shared)), theirs) < TOLERANCE


def test_mlx():
    mlx = peer("mlx.optimizers")
    theirs = mlx_path(lambda lr: mlx.RMSprop(lr, RHO, EPS))
    assert worst(follow_rates(RMSProp.preset("mlx", **HYPER)), theirs) < TOLERANCE


def autograd_path(*numbers):
    path = []
    last = peer("autograd.misc.optimizers").rmsprop(
        lambda x, i: GRADIENTS[i], P0, lambda x, i, g: path.append(np.array(x)), len(GRADIENTS), *numbers
    )
    return [*path[1:], last]


def test_autograd_starts_at_one():
    ours = RMSProp.preset("autograd", **HYPER)
    theirs = autograd_path(CONSTANT[0], RHO, EPS)
    assert worst(follow_rates(ours, CONSTANT), theirs) < TOLERANCE
    assert worst(follow_rates(ours.replace(initial=0.0), CONSTANT), theirs) > 0.1


def test_autograd_defaults():
    rule = RMSProp.preset("autograd")
    assert worst(follow_rates(rule, (rule.lr,) * 6), autograd_path()) < 1e-13


def test_the_row_read_from_timm_is_optax_with_a_second_moment_that_starts_at_one():
    # timm's RMSpropTF is not installed here; its text agrees with optax's options that TensorFlow 1 users need
    optax = peer("optax")
    make = with_l2(lambda lr: optax.rmsprop(lr, RHO, EPS, initial_scale=1.0, centered=True, momentum=0.625), DECAY)
    ours = RMSProp.preset("timm", **HYPER, centered=True, momentum=0.625, weight_decay=DECAY)
    assert worst(follow_rates(ours), optax_path(make)) < TOLERANCE


def test_torch_too_can_take_the_root_of_a_negative_variance():
    torch = peer("torch")
    values = np.array([0.97, 1.33, 2.04, 1.98, 1.88])
    theirs = torch_path(
        lambda p, lr: torch.optim.RMSprop(p, lr, alpha=0.5, centered=True),
        rates=(0.0,) * 400,
        p0=np.zeros(5),
        gradients=np.tile(values, (400, 1)),
    )
    assert np.isnan(theirs[-1]).any()
