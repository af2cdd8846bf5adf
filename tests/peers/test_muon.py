"""Muon against other libraries, at exaggerated settings."""

import functools

import numpy as np
import pytest

from arrayopt.core.orthogonal import polar_express, take
from arrayopt.firstorder.muon import Muon
from tests.peers.common import (
    RATES,
    follow_rates,
    keras_path,
    mlx_path,
    optax_path,
    tinygrad_path,
    torch_path,
    worst,
)

MATRICES = [(4, 3), (3, 4), (5, 5), (6, 1), (1, 4)]
KERNELS = [(6, 3, 2, 2), (4, 3, 2)]
HYPER = dict(momentum=0.5, weight_decay=0.25)
SCALES = [1.0, 0.01]
"""Of the gradients: at 0.01 their norm is under the eps of 0.05."""


def data(shape, scale=1.0):
    rng = np.random.default_rng(7)
    return rng.normal(scale=2.0, size=shape), scale * rng.normal(size=(6, *shape))


def paths(rule, path_of, make, shape, scale=1.0):
    p0, gradients = data(shape, scale)
    return follow_rates(rule, RATES, p0, gradients), path_of(make, RATES, p0, gradients), p0


def error(rule, path_of, make, shape, scale=1.0):
    return worst(*paths(rule, path_of, make, shape, scale))


def normwise(ours, theirs, p0):
    """The largest error of a displacement in the Frobenius norm, relatively."""
    norm = np.linalg.norm
    return max(norm(a - b) / norm(b - p0) for a, b in zip(ours, theirs, strict=True))


def assert_bfloat16(rule, make, shape, scale=1.0):
    """To the last bits where sums are short; else to a flipped rounding of a few entries, far from float64's."""
    ours, theirs, p0 = paths(rule, torch_path, make, shape, scale)
    off = normwise(ours, theirs, p0)
    assert off < 2e-3
    if min(shape) > 2:
        wide = follow_rates(rule.replace(ns_dtype="param"), RATES, *data(shape, scale))
        assert normwise(wide, theirs, p0) > 2 * off


@pytest.mark.parametrize("shape", [*MATRICES, (32, 32), (64, 96)])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
def test_torch(shape, scale, adjust):
    torch = pytest.importorskip("torch", reason="needs torch")
    name = {"original": "keller", "match_rms_adamw": "moonlight"}[adjust]

    def make(p, lr):
        return torch.optim.Muon(p, lr, eps=0.05, adjust_lr_fn=adjust, **HYPER)

    assert_bfloat16(Muon.preset("torch", eps=0.05, scale=name, **HYPER), make, shape, scale)


@pytest.mark.parametrize("shape", [*MATRICES, *KERNELS, (32, 32)])
@pytest.mark.parametrize("coefficients", ["original", "quintic", "polar_express"])
def test_pytorch_optimizer(shape, coefficients):
    peer = pytest.importorskip("pytorch_optimizer", reason="needs pytorch_optimizer")
    over = {
        "original": {},
        "quintic": {"coefficients": "quintic"},
        "polar_express": {"polynomials": polar_express(10, safety=0.01, cushion=0.02)},
    }[coefficients]

    def make(p, lr):
        return peer.Muon([{"params": p, "use_muon": True}], lr, ns_coeffs=coefficients, **HYPER)

    assert_bfloat16(Muon.preset("pytorch_optimizer", **HYPER, **over), make, shape)


@pytest.mark.parametrize("steps", [3, 5, 8])
def test_the_safer_polar_express_of_timm_and_pytorch_optimizer(steps):
    torch = pytest.importorskip("torch", reason="needs torch")
    matrix = pytest.importorskip("pytorch_optimizer.optimizer.utils.matrix", reason="needs pytorch_optimizer")
    import array_api_compat.numpy as xp

    from arrayopt.core.orthogonal import newton_schulz

    x = np.random.default_rng(0).normal(size=(5, 3))
    theirs = matrix.zero_power_via_newton_schulz_5(
        torch.tensor(x), steps, weights="polar_express_safer", dtype=torch.float64
    )
    table = take(polar_express(8, safety=0.02, cushion=0.02), steps)
    ours = newton_schulz(xp, x, 1e-7, polynomials=table, norm="max")
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize(
    ("norm", "shape", "scale"),  # few, as each is compiled anew
    [
        ("frobenius", (3, 4), 0.01),
        ("spectral", (4, 3), 0.01),
        ("schatten", (3, 4), 1.0),
        ("aol", (4, 3), 1.0),
    ],
)
def test_optax(norm, shape, scale):
    optax = pytest.importorskip("optax", reason="needs optax")
    # the eps of the last two cannot be set
    eps = 0.0625 if norm in ("frobenius", "spectral") else 1e-8
    make = functools.partial(optax.contrib.muon, beta=0.5, weight_decay=0.25, eps=eps, preconditioning=norm)
    rule = Muon.preset("optax", eps=eps, norm="add" if norm == "frobenius" else norm, **HYPER)
    assert error(rule, optax_path, make, shape, scale) < 1e-12


def test_optax_with_other_polynomials_and_its_other_scale():
    optax = pytest.importorskip("optax", reason="needs optax")
    make = functools.partial(optax.contrib.muon, beta=0.5, ns_coeffs="dion", consistent_rms=0.2)
    rule = Muon.preset("optax", momentum=0.5, coefficients="quintic", scale="moonlight")
    assert error(rule, optax_path, make, (4, 3)) < 1e-12


@pytest.mark.parametrize("shape", MATRICES)
def test_keras(shape):
    keras = pytest.importorskip("keras", reason="needs keras")

    def make(lr):
        return keras.optimizers.Muon(lr, **HYPER)

    # its factor 0.2 sqrt(max(R, C)) is float32
    assert error(Muon.preset("keras", **HYPER), keras_path, make, shape) < 1e-6


def test_keras_adds_an_eps_of_its_own():
    keras = pytest.importorskip("keras", reason="needs keras")

    def make(lr):
        return keras.optimizers.Muon(lr, momentum=0.5, weight_decay=None, rms_rate=None, nesterov=False)

    rule = Muon.preset("keras", momentum=0.5, weight_decay=0.0, scale="none", nesterov="none")
    assert error(rule, keras_path, make, (4, 3), scale=1e-7) < 1e-6
    assert error(rule.replace(norm="max"), keras_path, make, (4, 3), scale=1e-7) > 1e-2


@pytest.mark.parametrize("shape", MATRICES + KERNELS)
def test_mlx(shape):
    optimizers = pytest.importorskip("mlx.optimizers", reason="needs mlx")

    def make(lr):
        return optimizers.Muon(lr, **HYPER)

    # coefficients in float32, six steps
    assert error(Muon.preset("mlx", **HYPER), mlx_path, make, shape) < 2e-6


def test_mlx_adds_an_eps_of_its_own():
    optimizers = pytest.importorskip("mlx.optimizers", reason="needs mlx")

    def make(lr):
        return optimizers.Muon(lr, momentum=0.5, weight_decay=0.0)

    rule = Muon.preset("mlx", momentum=0.5, weight_decay=0.0)
    assert error(rule, mlx_path, make, (4, 3), scale=1e-7) < 2e-6
    assert error(rule.replace(norm="max"), mlx_path, make, (4, 3), scale=1e-7) > 1e-2


@pytest.mark.parametrize(("shape", "nesterov"), [((4, 3), True), ((3, 4), False), ((4, 3, 2), True)])
def test_tinygrad(shape, nesterov):
    optim = pytest.importorskip("tinygrad.nn.optim", reason="needs tinygrad")

    def make(p, lr):
        return optim.Muon(p, lr, nesterov=nesterov, **HYPER)

    rule = Muon.preset("tinygrad", nesterov="heavy" if nesterov else "none", **HYPER)
    assert error(rule, tinygrad_path, make, shape) < 1e-12


def test_tinygrad_adds_an_eps_of_its_own():
    optim = pytest.importorskip("tinygrad.nn.optim", reason="needs tinygrad")

    def make(p, lr):
        return optim.Muon(p, lr, momentum=0.5, weight_decay=0.0)

    rule = Muon.preset("tinygrad", momentum=0.5, weight_decay=0.0)
    assert error(rule, tinygrad_path, make, (4, 3), scale=1e-7) < 1e-12
    assert error(rule.replace(norm="max"), tinygrad_path, make, (4, 3), scale=1e-7) > 1e-2
