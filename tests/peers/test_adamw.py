"""AdamW's presets against the frameworks, at exaggerated settings and in float64."""

import pytest

from arrayopt.firstorder.adamw import AdamW
from tests.peers.common import (
    follow_rates,
    keras_path,
    mlx_path,
    optax_path,
    peer,
    tinygrad_path,
    torch_path,
    worst,
)

# Exact in binary, as the rates are, and far from every default.
B1, B2, EPS, DECAY = 0.625, 0.8125, 0.0625, 0.25
HYPER = dict(beta1=B1, beta2=B2, eps=EPS, weight_decay=DECAY)
TOLERANCE = 1e-14
amsgrads = pytest.mark.parametrize("amsgrad", [False, True])


@amsgrads
@pytest.mark.parametrize("way", [{}, {"foreach": True}, {"fused": True}])
def test_torch(amsgrad, way):
    torch = peer("torch")
    options = dict(betas=(B1, B2), eps=EPS, weight_decay=DECAY, amsgrad=amsgrad)
    theirs = torch_path(lambda p, lr: torch.optim.AdamW(p, lr, **options, **way))
    ours = AdamW.preset("torch", **HYPER, amsgrad="max_raw" if amsgrad else "none")
    assert worst(follow_rates(ours), theirs) < TOLERANCE


@pytest.mark.parametrize("eps_root", [0.0, 0.125])
def test_optax(eps_root):
    optax = peer("optax")
    theirs = optax_path(lambda lr: optax.adamw(lr, B1, B2, EPS, eps_root, weight_decay=DECAY))
    assert worst(follow_rates(AdamW.preset("optax", **HYPER, eps_root=eps_root)), theirs) < TOLERANCE


@amsgrads
def test_keras(amsgrad):
    keras = peer("keras")
    theirs = keras_path(lambda lr: keras.optimizers.AdamW(lr, DECAY, B1, B2, EPS, amsgrad))
    ours = AdamW.preset("keras", **HYPER, amsgrad="max_raw" if amsgrad else "none")
    assert worst(follow_rates(ours), theirs) < TOLERANCE


def test_mlx():
    mlx = peer("mlx.optimizers")
    theirs = mlx_path(lambda lr: mlx.AdamW(lr, [B1, B2], EPS, DECAY))
    assert worst(follow_rates(AdamW.preset("mlx", **HYPER)), theirs) < TOLERANCE


def test_mlx_corrects_bias_with_float32_scalars():
    mlx = peer("mlx.optimizers")
    theirs = mlx_path(lambda lr: mlx.AdamW(lr, [B1, B2], EPS, DECAY, bias_correction=True))
    assert worst(follow_rates(AdamW.preset("mlx", **HYPER, bias_correction="both")), theirs) < 1e-7


def test_tinygrad():
    tinygrad = peer("tinygrad.nn.optim")
    theirs = tinygrad_path(lambda p, lr: tinygrad.AdamW(p, lr, B1, B2, EPS, DECAY))
    assert worst(follow_rates(AdamW.preset("tinygrad", **HYPER)), theirs) < TOLERANCE
