"""LAMB against other libraries, at exaggerated settings; timm is only read."""

import numpy as np
import pytest

from arrayopt.firstorder.lamb import LAMB
from tests.peers.common import (
    GRADIENTS,
    P0,
    follow_rates,
    keras_path,
    optax_path,
    tinygrad_path,
    torch_path,
    worst,
)

HYPER = dict(beta1=0.5, beta2=0.75, eps=0.0625, weight_decay=0.25)
RNG = np.random.default_rng(9)
DATA = {
    "vector": (RNG.normal(scale=2, size=5), RNG.normal(size=(6, 5))),
    "matrix": (P0, GRADIENTS),
    "zero": (np.zeros(3), RNG.normal(size=(6, 3))),
}
everywhere = pytest.mark.parametrize("data", DATA)


def error(rule, path_of, make, data):
    p0, gradients = DATA[data]
    there = path_of(make, p0=p0, gradients=gradients)
    return worst(follow_rates(rule, p0=p0, gradients=gradients), there, p0)


@everywhere
def test_optax(data):
    optax = pytest.importorskip("optax", reason="needs optax")
    rule = LAMB.preset("optax", eps_root=0.125, **HYPER)
    assert error(rule, optax_path, lambda lr: optax.lamb(lr, 0.5, 0.75, 0.0625, 0.125, 0.25), data) < 1e-14


@everywhere
def test_keras(data):
    keras = pytest.importorskip("keras", reason="needs keras")
    rule = LAMB.preset("keras", **HYPER)
    assert (
        error(rule, keras_path, lambda lr: keras.optimizers.Lamb(lr, 0.5, 0.75, 0.0625, weight_decay=0.25), data)
        < 1e-13
    )


@everywhere
def test_tinygrad(data):
    optim = pytest.importorskip("tinygrad.nn.optim", reason="needs tinygrad")
    rule = LAMB.preset("tinygrad", **HYPER)
    assert error(rule, tinygrad_path, lambda p, lr: optim.LAMB(p, lr, 0.5, 0.75, 0.0625, 0.25), data) < 1e-14


@everywhere
@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize(
    ("fields", "theirs"),
    [
        ({}, {}),
        ({"decay": "in_update"}, {"weight_decouple": False}),
        ({"decay_scale": "independent"}, {"fixed_decay": True}),
        ({"bias_correction": "none"}, {"adam_debias": True}),
        ({"clamp": 2.0}, {}),
    ],
)
def test_pytorch_optimizer(data, fields, theirs, foreach):
    pytorch_optimizer = pytest.importorskip("pytorch_optimizer", reason="needs pytorch_optimizer")

    def make(p, lr):
        optimizer = pytorch_optimizer.Lamb(p, lr, (0.5, 0.75), 0.25, eps=0.0625, foreach=foreach, **theirs)
        optimizer.clamp = fields.get("clamp", optimizer.clamp)
        return optimizer

    assert error(LAMB.preset("pytorch_optimizer", **HYPER, **fields), torch_path, make, data) < 1e-14


@pytest.mark.parametrize(
    ("framework", "make", "names"),
    [
        ("keras", lambda m: m.optimizers.Lamb(), {"epsilon": "eps", "beta_1": "beta1", "beta_2": "beta2"}),
        ("pytorch_optimizer", None, {"eps": "eps", "lr": "lr", "weight_decay": "weight_decay"}),
    ],
)
def test_the_defaults_of_the_presets_are_theirs(framework, make, names):
    module = pytest.importorskip(framework, reason=f"needs {framework}")
    ours = LAMB.preset(framework)
    if make is None:
        import torch

        theirs = module.Lamb([torch.nn.Parameter(torch.zeros(1))])
        found = theirs.defaults
        assert theirs.clamp == ours.clamp
    else:
        found = vars(make(module))
    assert {there: found[there] for there in names} == {there: getattr(ours, here) for there, here in names.items()}
