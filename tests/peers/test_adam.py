"""Adam's presets against the frameworks, at exaggerated settings and in float64."""

import numpy as np
import pytest

from arrayopt.firstorder.adam import Adam
from tests.peers.common import (
    CONSTANT,
    GRADIENTS,
    P0,
    RATES,
    follow_rates,
    keras_path,
    mlx_path,
    optax_path,
    peer,
    tinygrad_path,
    torch_path,
    with_l2,
    worst,
)

# Exact in binary, as the rates are, and far from every default.
B1, B2, EPS, DECAY = 0.625, 0.8125, 0.0625, 0.25
HYPER = dict(beta1=B1, beta2=B2, eps=EPS)
TOLERANCE = 1e-14
amsgrads = pytest.mark.parametrize("amsgrad", [False, True])


@amsgrads
@pytest.mark.parametrize("way", [{}, {"foreach": True}, {"fused": True}])
@pytest.mark.parametrize(("decay", "decoupled"), [("l2", False), ("decoupled", True)])
def test_torch(amsgrad, way, decay, decoupled):
    torch = peer("torch")
    options = dict(betas=(B1, B2), eps=EPS, weight_decay=DECAY, amsgrad=amsgrad, decoupled_weight_decay=decoupled)
    theirs = torch_path(lambda p, lr: torch.optim.Adam(p, lr, **options, **way))
    ours = Adam.preset("torch", **HYPER, weight_decay=DECAY, decay=decay, amsgrad="max_raw" if amsgrad else "none")
    assert worst(follow_rates(ours), theirs) < TOLERANCE


def test_torch_sparse_adam_has_the_other_epsilon():
    torch = peer("torch")

    def make(p, lr):
        optimizer = torch.optim.SparseAdam(p, lr, betas=(B1, B2), eps=EPS)
        dense = optimizer.step
        optimizer.step = lambda: (setattr(p[0], "grad", p[0].grad.to_sparse()), dense())
        return optimizer

    theirs = torch_path(make)
    assert worst(follow_rates(Adam.preset("torch", **HYPER, eps_place="hat")), theirs) < TOLERANCE
    assert worst(follow_rates(Adam.preset("torch", **HYPER)), theirs) > 0.01


@pytest.mark.parametrize("eps_root", [0.0, 0.125])
def test_optax(eps_root):
    optax = peer("optax")
    theirs = optax_path(with_l2(lambda lr: optax.adam(lr, B1, B2, EPS, eps_root), DECAY))
    assert worst(follow_rates(Adam.preset("optax", **HYPER, eps_root=eps_root, weight_decay=DECAY)), theirs) < TOLERANCE


def test_optax_amsgrad_takes_the_maximum_after_the_correction():
    optax = peer("optax")
    theirs = optax_path(with_l2(lambda lr: optax.amsgrad(lr, B1, B2, EPS, 0.125), DECAY))
    ours = Adam.preset("optax", **HYPER, eps_root=0.125, weight_decay=DECAY, amsgrad="max_corrected")
    assert worst(follow_rates(ours), theirs) < TOLERANCE
    assert worst(follow_rates(ours.replace(amsgrad="max_raw")), theirs) > 0.01


@amsgrads
def test_keras(amsgrad):
    keras = peer("keras")
    theirs = keras_path(lambda lr: keras.optimizers.Adam(lr, B1, B2, EPS, amsgrad, weight_decay=DECAY))
    ours = Adam.preset("keras", **HYPER, weight_decay=DECAY, amsgrad="max_raw" if amsgrad else "none")
    assert worst(follow_rates(ours), theirs) < TOLERANCE


def test_mlx():
    mlx = peer("mlx.optimizers")
    theirs = mlx_path(lambda lr: mlx.Adam(lr, [B1, B2], EPS))
    assert worst(follow_rates(Adam.preset("mlx", **HYPER)), theirs) < TOLERANCE


def test_mlx_corrects_bias_with_float32_scalars():
    mlx = peer("mlx.optimizers")
    theirs = mlx_path(lambda lr: mlx.Adam(lr, [B1, B2], EPS, bias_correction=True))
    assert worst(follow_rates(Adam.preset("mlx", **HYPER, bias_correction="both")), theirs) < 1e-7


def test_tinygrad():
    tinygrad = peer("tinygrad.nn.optim")
    theirs = tinygrad_path(lambda p, lr: tinygrad.Adam(p, lr, B1, B2, EPS))
    assert worst(follow_rates(Adam.preset("tinygrad", **HYPER)), theirs) < TOLERANCE


def test_sklearn():
    sklearn = peer("sklearn.neural_network._stochastic_optimizers")
    p, path = P0.copy(), []
    optimizer = sklearn.AdamOptimizer([p], RATES[0], B1, B2, EPS)
    for lr, g in zip(RATES, GRADIENTS, strict=True):
        optimizer.learning_rate_init = lr
        optimizer.update_params([p], [g])
        path.append(p.copy())
    assert worst(follow_rates(Adam.preset("sklearn", **HYPER)), path) < TOLERANCE


def autograd_path(*numbers):
    path = []
    last = peer("autograd.misc.optimizers").adam(
        lambda x, i: GRADIENTS[i], P0, lambda x, i, g: path.append(np.array(x)), len(GRADIENTS), *numbers
    )
    return [*path[1:], last]


def test_autograd():
    ours = follow_rates(Adam.preset("autograd", **HYPER), CONSTANT)
    assert worst(ours, autograd_path(CONSTANT[0], B1, B2, EPS)) < TOLERANCE


def test_autograd_defaults():
    rule = Adam.preset("autograd")
    assert worst(follow_rates(rule, (rule.lr,) * 6), autograd_path()) < 1e-12
