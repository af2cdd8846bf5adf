"""Adafactor against other libraries, at exaggerated settings."""

import numpy as np
import pytest

from arrayopt.firstorder.adafactor import Adafactor
from tests.peers.common import (
    GRADIENTS,
    P0,
    RATES,
    follow_rates,
    keras_path,
    mlx_path,
    optax_path,
    torch_path,
    worst,
)

CAP = (0.01,) * 6
"""The rate of MLX and pytorch_optimizer where the step is relative."""
LARGE = (0.5, 1.25, 0.875, 0.0625, 0.25, 0.625)
"""Rates on both sides of 1 / sqrt(t)."""
HYPER = dict(beta2_power=0.5, clip_threshold=1.25, eps1=0.0625, weight_decay=0.25)
RNG = np.random.default_rng(9)
DATA = {
    "vector": (RNG.normal(scale=2, size=5), RNG.normal(size=(6, 5))),
    "matrix": (P0, GRADIENTS),
    "kernel": (RNG.normal(scale=2, size=(3, 5, 2)), RNG.normal(size=(6, 3, 5, 2))),
    "zero": (np.zeros((2, 3)), RNG.normal(size=(6, 2, 3))),
}
everywhere = pytest.mark.parametrize("data", DATA)


def error(rule, path_of, make, data, rates, scale=1.0):
    p0, gradients = DATA[data][0], scale * DATA[data][1]
    there = path_of(make, rates, p0, gradients)
    return worst(follow_rates(rule, rates, p0, gradients), there, p0)


@everywhere
@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_torch(data, foreach, scale):
    torch = pytest.importorskip("torch", reason="needs torch")
    hyper = dict(HYPER, eps1=1.0, eps2=0.5)

    def make(p, lr):
        return torch.optim.Adafactor(
            p, lr, beta2_decay=-0.5, eps=(None, 0.5), d=1.25, weight_decay=0.25, foreach=foreach
        )

    # gradients of 1e-9 have squares under the machine epsilon, which bounds the mean of the rows
    assert error(Adafactor.preset("torch", **hyper), torch_path, make, data, LARGE, scale) < 1e-13


@everywhere
@pytest.mark.parametrize("foreach", [True, False])
def test_torch_with_an_eps_of_its_own(data, foreach):
    torch = pytest.importorskip("torch", reason="needs torch")
    rule = Adafactor.preset("torch", **dict(HYPER, eps1=0.75, eps2=0.5), eps1_place="clamp")

    def make(p, lr):
        return torch.optim.Adafactor(
            p, lr, beta2_decay=-0.5, eps=(0.75, 0.5), d=1.25, weight_decay=0.25, foreach=foreach
        )

    assert error(rule, torch_path, make, data, LARGE) < 1e-13


@everywhere
@pytest.mark.parametrize(("factor_min", "momentum"), [(2, 0.5), (4, None)])
def test_optax(data, factor_min, momentum):
    optax = pytest.importorskip("optax", reason="needs optax")
    rule = Adafactor.preset("optax", **HYPER, factor_min=factor_min, beta1=momentum or 0.0)

    def make(lr):
        return optax.adafactor(
            lr,
            factor_min,
            0.5,
            clipping_threshold=1.25,
            momentum=momentum,
            dtype_momentum="float64",
            weight_decay_rate=0.25,
            eps=0.0625,
        )

    # beta2 is a power of t in float32
    assert error(rule, optax_path, make, data, LARGE) < 1e-7


@everywhere
def test_keras(data):
    keras = pytest.importorskip("keras", reason="needs keras")
    rule = Adafactor.preset("keras", **HYPER, eps2=0.5)

    def make(lr):
        return keras.optimizers.Adafactor(lr, -0.5, 0.0625, 0.5, 1.25, weight_decay=0.25)

    # its means are taken in float32
    assert error(rule, keras_path, make, data, LARGE) < 1e-6


@everywhere
@pytest.mark.parametrize("relative_step", [True, False])
@pytest.mark.parametrize("beta1", [None, 0.5])
def test_mlx(data, relative_step, beta1):
    optimizers = pytest.importorskip("mlx.optimizers", reason="needs mlx")
    rule = Adafactor.preset("mlx", **HYPER, eps2=0.5, relative_step=relative_step, beta1=beta1 or 0.0)

    def make(lr):
        return optimizers.Adafactor(lr, (0.0625, 0.5), 1.25, -0.5, beta1, 0.25, relative_step=relative_step)

    # beta2 and the rate are float32
    assert error(rule, mlx_path, make, data, CAP if relative_step else RATES) < 1e-6


@everywhere
@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize(
    ("rates", "fields", "theirs"),
    [
        (CAP, {}, {}),
        (RATES, {"relative_step": False}, {"relative_step": False}),
        (RATES, {"relative_step": False, "scale_parameter": False}, {"relative_step": False, "scale_parameter": False}),
        ([1e-6 * t for t in range(1, 7)], {}, {"warmup_init": True}),
    ],
)
def test_pytorch_optimizer(data, rates, fields, theirs, foreach):
    pytorch_optimizer = pytest.importorskip("pytorch_optimizer", reason="needs pytorch_optimizer")
    import torch

    rule = Adafactor.preset("pytorch_optimizer", **HYPER, eps2=0.5, beta1=0.5, beta2_max=0.25, **fields)

    def make(p, lr):
        return pytorch_optimizer.AdaFactor(
            p,
            lr,
            (0.5, 0.25),
            -0.5,
            0.25,
            clip_threshold=1.25,
            eps1=0.0625,
            eps2=0.5,
            momentum_dtype=torch.float64,
            foreach=foreach,
            **theirs,
        )

    # displacements of the warm-up are about 1e-6 of the parameters
    assert error(rule, torch_path, make, data, rates) < (1e-9 if "warmup_init" in theirs else 1e-12)


def test_keras_returns_nan_where_a_row_and_a_column_are_zero():
    keras = pytest.importorskip("keras", reason="needs keras")
    g, p0 = np.array([[0, 0, 0], [0, 1, 2]], dtype="float32"), np.ones((2, 3), dtype="float32")
    variable = keras.Variable(p0, dtype="float32")
    with np.errstate(all="ignore"):
        keras.optimizers.Adafactor(0.5).apply([g], [variable])
    assert np.isnan(keras.ops.convert_to_numpy(variable.value)).all()
    rule = Adafactor.preset("keras")
    assert np.isfinite(rule.update(g, rule.init(p0), p0)[0]).all()


def test_the_defaults_of_the_presets_are_theirs():
    torch = pytest.importorskip("torch", reason="needs torch")
    pytorch_optimizer = pytest.importorskip("pytorch_optimizer", reason="needs pytorch_optimizer")
    p = [torch.nn.Parameter(torch.zeros(1))]
    theirs, ours = torch.optim.Adafactor(p).defaults, Adafactor.preset("torch")
    assert (theirs["lr"], theirs["beta2_decay"], theirs["eps"], theirs["d"], theirs["weight_decay"]) == (
        ours.lr,
        -ours.beta2_power,
        (None, ours.eps2),
        ours.clip_threshold,
        ours.weight_decay,
    )
    theirs, ours = pytorch_optimizer.AdaFactor(p), Adafactor.preset("pytorch_optimizer")
    assert theirs.defaults["betas"] == (ours.beta1, ours.beta2_max)
    assert (theirs.eps1, theirs.eps2, -theirs.decay_rate) == (ours.eps1, ours.eps2, ours.beta2_power)
