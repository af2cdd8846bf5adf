"""Every optimizer that the adapters list gets a verdict, and it is the one that the rule's table of presets says."""

import functools
import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from arrayopt.conformance import adapters, check
from arrayopt.conformance.adapters import Peer, adapt
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate, CannotRunError
from arrayopt.conformance.compare import compare, run
from arrayopt.conformance.probes import probes_for
from arrayopt.core import options
from arrayopt.core.rule import Rule

# Written out, so that collecting the tests imports no framework, and so that a peer that goes missing is noticed.
PEERS = {
    "torch": (
        "torch.optim.SGD",
        "torch.optim.SGD(momentum=0.9)",
        "torch.optim.SGD(momentum=0.9, dampening=0.1)",
        "torch.optim.SGD(momentum=0.9, nesterov=True, dampening=0.0)",
        "torch.optim.Adagrad",
        "torch.optim.RMSprop",
        "torch.optim.RMSprop(centered=True)",
        "torch.optim.RMSprop(momentum=0.9)",
        "torch.optim.Adadelta",
        "torch.optim.Adam",
        "torch.optim.Adam(amsgrad=True)",
        "torch.optim.Adam(weight_decay=0.01, decoupled_weight_decay=True)",
        "torch.optim.SparseAdam",
        "torch.optim.AdamW",
        "torch.optim.AdamW(amsgrad=True)",
        "torch.optim.Adamax",
        "torch.optim.NAdam",
        "torch.optim.NAdam(decoupled_weight_decay=True)",
        "torch.optim.RAdam",
        "torch.optim.RAdam(decoupled_weight_decay=True)",
        "torch.optim.Adafactor",
        "torch.optim.Muon",
        "torch.optim.Muon(nesterov=False)",
        "torch.optim.Muon(adjust_lr_fn='match_rms_adamw')",
    ),
    "optax": (
        "optax.sgd",
        "optax.sgd(momentum=0.9)",
        "optax.sgd(momentum=0.9, nesterov=True)",
        "optax.adagrad",
        "optax.rmsprop",
        "optax.rmsprop(centered=True)",
        "optax.rmsprop(eps_in_sqrt=False)",
        "optax.rmsprop(bias_correction=True)",
        "optax.rmsprop(momentum=0.9)",
        "optax.rmsprop(initial_scale=1.0)",
        "optax.adadelta",
        "optax.adam",
        "optax.adam(eps_root=0.001)",
        "optax.amsgrad",
        "optax.adamw",
        "optax.adamax",
        "optax.adamaxw",
        "optax.nadam",
        "optax.nadamw",
        "optax.radam",
        "optax.adabelief",
        "optax.sign_sgd",
        "optax.signum",
        "optax.lion",
        "optax.lamb",
        "optax.adafactor(learning_rate=0.01)",
        "optax.adafactor(learning_rate=0.01, min_dim_size_to_factor=2)",
        "optax.contrib.muon",
        "optax.contrib.muon(nesterov=False)",
    ),
    "keras": (
        "keras.optimizers.SGD",
        "keras.optimizers.SGD(momentum=0.9)",
        "keras.optimizers.SGD(momentum=0.9, nesterov=True)",
        "keras.optimizers.Adagrad",
        "keras.optimizers.RMSprop",
        "keras.optimizers.RMSprop(centered=True)",
        "keras.optimizers.RMSprop(momentum=0.9)",
        "keras.optimizers.Adadelta",
        "keras.optimizers.Adam",
        "keras.optimizers.Adam(amsgrad=True)",
        "keras.optimizers.AdamW",
        "keras.optimizers.Adamax",
        "keras.optimizers.Nadam",
        "keras.optimizers.Lion",
        "keras.optimizers.Lamb",
        "keras.optimizers.Adafactor",
        "keras.optimizers.Muon",
        "keras.optimizers.Muon(nesterov=False)",
        "keras.optimizers.Muon(rms_rate=None)",
    ),
    "mlx": (
        "mlx.optimizers.SGD",
        "mlx.optimizers.SGD(momentum=0.9)",
        "mlx.optimizers.SGD(momentum=0.9, dampening=0.1)",
        "mlx.optimizers.SGD(momentum=0.9, nesterov=True, dampening=0.0)",
        "mlx.optimizers.Adagrad",
        "mlx.optimizers.RMSprop",
        "mlx.optimizers.AdaDelta",
        "mlx.optimizers.Adam",
        "mlx.optimizers.Adam(bias_correction=True)",
        "mlx.optimizers.AdamW",
        "mlx.optimizers.AdamW(bias_correction=True)",
        "mlx.optimizers.Adamax",
        "mlx.optimizers.Lion",
        "mlx.optimizers.Adafactor(learning_rate=None)",
        "mlx.optimizers.Adafactor(learning_rate=0.01, relative_step=False)",
        "mlx.optimizers.Muon",
        "mlx.optimizers.Muon(nesterov=False)",
    ),
    "sklearn": (
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer(nesterov=False, momentum=0.0)",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer(nesterov=False)",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    ),
    "autograd": (
        "autograd.misc.optimizers.sgd(mass=0.0)",
        "autograd.misc.optimizers.sgd",
        "autograd.misc.optimizers.rmsprop",
        "autograd.misc.optimizers.adam",
    ),
    "tinygrad": (
        "tinygrad.nn.optim.SGD",
        "tinygrad.nn.optim.SGD(momentum=0.9)",
        "tinygrad.nn.optim.SGD(momentum=0.9, classic=True)",
        "tinygrad.nn.optim.SGD(momentum=0.9, nesterov=True)",
        "tinygrad.nn.optim.Adam",
        "tinygrad.nn.optim.AdamW",
        "tinygrad.nn.optim.LAMB",
        "tinygrad.nn.optim.Muon",
        "tinygrad.nn.optim.Muon(nesterov=False)",
    ),
    "pytorch_optimizer": (
        "pytorch_optimizer.SGDW",
        "pytorch_optimizer.SGDW(momentum=0.9)",
        "pytorch_optimizer.SGDW(momentum=0.9, nesterov=True, dampening=0.0)",
        "pytorch_optimizer.AdaDelta",
        "pytorch_optimizer.AdaMax",
        "pytorch_optimizer.RAdam",
        "pytorch_optimizer.RAdam(degenerated_to_sgd=True)",
        "pytorch_optimizer.RAdam(weight_decouple=False)",
        "pytorch_optimizer.AdaBelief",
        "pytorch_optimizer.AdaBelief(weight_decouple=False)",
        "pytorch_optimizer.SignSGD(momentum=0.0)",
        "pytorch_optimizer.SignSGD",
        "pytorch_optimizer.Lion",
        "pytorch_optimizer.Lion(fixed_decay=True)",
        "pytorch_optimizer.Tiger",
        "pytorch_optimizer.Muon",
        "pytorch_optimizer.Muon(nesterov=False)",
        "pytorch_optimizer.Muon(use_adjusted_lr=True)",
        "pytorch_optimizer.Shampoo",
        "pytorch_optimizer.Amos",
        "pytorch_optimizer.Amos(extra_l2=0.1)",
        "pytorch_optimizer.Lamb",
        "pytorch_optimizer.AdaFactor(lr=None, momentum_dtype=torch.float64)",
    ),
    "lion_pytorch": (
        "lion_pytorch.Lion",
        "lion_pytorch.Lion(decoupled_weight_decay=True)",
    ),
    "schedulefree": (),
}
NAMES = [(framework, name) for framework, every in PEERS.items() for name in every]

# Peers that do not compute what they document: the kind of the cause.
DIFFERS = {"pytorch_optimizer.RAdam(weight_decouple=False)": "ignored-option"}
# Of the displacement in probe E, in float64: eight steps of fifty roundings, and five Newton-Schulz steps, which
# multiply what is small by up to 3.4445 each. Elsewhere the bounds of the rounding reader decide.
EXACT = 400 * 2.0**-53 * 3.4445**5
# Each takes long on tinygrad's device in Python; the matrix of all peers (validation/peers) has its verdict.
SLOW = tuple(
    f"tinygrad.nn.optim.{name}"
    for name in ("SGD(momentum=0.9, nesterov=True)", "AdamW", "LAMB", "Muon", "Muon(nesterov=False)")
)


@functools.cache
def peers_of(framework: str) -> dict[str, Peer]:
    if framework not in adapters.installed():
        pytest.skip(f"{framework} is not installed, so its optimizers cannot be checked")
    return {peer.name: peer for peer in adapters.peers(framework)}


def as_preset(peer: Peer) -> dict[str, object]:
    """Return the dialect of the preset, which says nothing of structure such as a tuple of names."""
    assert peer.preset is not None
    fields = {*options.dialects(type(peer.preset)), *peer.preset.constants}
    return {k: getattr(peer.preset, k) for k in fields}


@pytest.mark.parametrize("framework", PEERS)
def test_the_peers_are_those_listed_here(framework: str) -> None:
    assert tuple(peers_of(framework)) == PEERS[framework]


@pytest.mark.parametrize(("framework", "name"), [x for x in NAMES if x[1] not in SLOW])
def test_a_peer_speaks_the_dialect_of_its_preset_exactly_or_the_report_says_why_not(framework: str, name: str) -> None:
    peer = peers_of(framework)[name]
    report = check(peer.candidate, peer.reference, consistency=False)
    kinds = [cause.kind for cause in report.causes]
    if name in DIFFERS:
        assert (report.verdict, kinds[0]) == ("differs", DIFFERS[name]), str(report)
        return
    assert report.verdict in ("conforms", "dialect"), str(report)
    preset = peer.reference.replace(**as_preset(peer))
    assert preset in report.equivalent, str(report)
    assert report.match in report.equivalent
    assert {said.partition(":")[0] for said in report.probes.values()} <= {"agrees", "not run"}
    if peer.candidate.dtype == "float64" and not kinds:
        assert error_in_the_first_probe(peer, preset) <= EXACT
    else:
        assert peer.candidate.dtype == "float32" or kinds == ["float32-scalars"]


def error_in_the_first_probe(peer: Peer, preset: Rule) -> float:
    ran = run(peer.candidate, probes_for(preset)[0], preset)
    return compare(ran, preset, peer.candidate).error


@pytest.mark.parametrize(("framework", "name"), NAMES)
def test_the_numbers_of_a_preset_are_the_defaults_of_the_framework(framework: str, name: str) -> None:
    peer = peers_of(framework)[name]
    assert peer.preset is not None
    free = [k for k in options.numbers(type(peer.reference)) if k not in peer.reference.constants]
    assert {k: getattr(peer.preset, k) for k in free} == {k: getattr(peer.reference, k) for k in free}


# What every session can do ---------------------------------------------------------------------

# An optimizer with two kinds of state, and numbers under foreign names.
ADAMS = {
    "torch": "torch.optim:Adam",
    "optax": "optax:adam",
    "keras": "keras.optimizers:Adam",
    "mlx": "mlx.optimizers:Adam",
    "sklearn": "sklearn.neural_network._stochastic_optimizers:AdamOptimizer",
    "autograd": "autograd.misc.optimizers:adam",
    "tinygrad": "tinygrad.nn.optim:Adam",
    "pytorch_optimizer": "pytorch_optimizer:AdaBelief",
    "lion_pytorch": "lion_pytorch:Lion",
    "schedulefree": "schedulefree:SGDScheduleFree",
}
HYPER = {"lr": 0.125, "beta1": 0.5, "beta2": 0.75, "eps": 0.0625}


@functools.cache
def adam_of(framework: str) -> Candidate:
    peers_of(framework)  # skips, and lets keras choose its backend
    module, name = ADAMS[framework].split(":")
    found = adapt(getattr(importlib.import_module(module), name))
    assert found is not None
    return found


def leaves(seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"w": (3, 2), "step": (4,), "none": ()}
    return {k: np.asarray(rng.normal(size=s), dtype=np.float32) for k, s in shapes.items()}


def for_all(arrays: Arrays, framework: str) -> Arrays:
    """Leave out the leaf that tinygrad cannot take."""
    return {k: x for k, x in arrays.items() if framework != "tinygrad" or x.ndim}


@pytest.mark.parametrize("framework", PEERS)
def test_leaves_of_any_name_and_of_no_axis_are_parameters_of_their_own(framework: str) -> None:
    running = adam_of(framework).start(leaves(0), HYPER)
    if framework == "tinygrad":  # its rate is an array of one axis, which it cannot broadcast to none
        with pytest.raises(CannotRunError, match="cannot broadcast"):
            running.step(leaves(1))
        return
    params, overwritten = running.step(leaves(1))
    assert {k: p.shape for k, p in params.items()} == {"w": (3, 2), "step": (4,), "none": ()}
    assert not overwritten
    for k, g in leaves(1).items():
        alone = adam_of(framework).start({k: leaves(0)[k]}, HYPER)
        assert alone.step({k: g})[0][k] == pytest.approx(params[k], rel=1e-6)


# autograd cannot change its rate, and schedulefree averages, so that it moves at a rate of 0 too.
@pytest.mark.parametrize("framework", [f for f in PEERS if f not in ("autograd", "schedulefree")])
def test_a_rate_that_is_set_holds_from_the_next_step(framework: str) -> None:
    running = adam_of(framework).start(for_all(leaves(0), framework), HYPER)
    first, _ = running.step(for_all(leaves(1), framework))
    running.set(lr=0.0)
    second, _ = running.step(for_all(leaves(2), framework))
    assert all(np.array_equal(second[k], first[k]) for k in first)
    running.set(lr=0.125)
    third, _ = running.step(for_all(leaves(2), framework))
    assert not any(np.array_equal(third[k], second[k]) for k in first)


@pytest.mark.parametrize("framework", ["torch", "optax", "keras", "mlx", "sklearn"])
def test_a_decay_rate_that_is_set_leaves_its_neighbour_alone(framework: str) -> None:
    """`betas` is one option of torch and mlx, so that setting beta1 has to pass beta2 on."""
    running = adam_of(framework).start(for_all(leaves(0), framework), HYPER)
    other = adam_of(framework).start(for_all(leaves(0), framework), {**HYPER, "beta1": 0.875})
    running.set(beta1=0.875)
    a, b = running.step(for_all(leaves(1), framework))[0], other.step(for_all(leaves(1), framework))[0]
    assert all(np.array_equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("framework", PEERS)
def test_a_saved_session_goes_on_where_it_was(framework: str) -> None:
    running = adam_of(framework).start(for_all(leaves(0), framework), HYPER)
    running.step(for_all(leaves(1), framework))
    state = running.session.save()
    there, _ = running.step(for_all(leaves(2), framework))
    fresh = adam_of(framework).start(for_all(leaves(0), framework), HYPER)
    fresh.session.load(state)
    here, _ = fresh.step(for_all(leaves(2), framework))
    assert all(np.array_equal(here[k], there[k]) for k in here)


@pytest.mark.parametrize("framework", PEERS)
def test_the_source_names_the_release(framework: str) -> None:
    source = adam_of(framework).source
    release = adapters.release(framework)
    assert source.startswith(release)
    assert importlib.metadata.version({"sklearn": "scikit-learn"}.get(framework, framework)) in release


def test_what_is_fixed_is_not_declared() -> None:
    torch = importlib.import_module("torch") if peers_of("torch") else None
    assert torch is not None
    adapted = adapt(torch.optim.SGD, nesterov=True, dampening=0.0)
    assert adapted is not None
    assert adapted.hyper == ("lr", "momentum", "weight_decay")
    assert adapted.name == "torch.optim.sgd.SGD(nesterov=True, dampening=0.0)"


def test_a_subclass_of_a_users_own_is_adapted() -> None:
    peers_of("torch")
    import torch

    class Mine(torch.optim.Adam):
        def __init__(self, params: object, lr: float = 0.1, **rest: object) -> None:
            super().__init__(params, lr, betas=(0.8, 0.9), **rest)

    adapted = adapt(Mine)
    assert adapted is not None
    assert adapted.hyper == ("lr",)
    assert adapted.name.endswith("Mine")


def test_a_partial_of_a_factory_is_adapted() -> None:
    peers_of("optax")
    import optax

    adapted = adapt(optax.nadam)
    assert adapted is not None
    assert adapted.hyper == ("lr", "beta1", "beta2", "eps", "eps_root")


def test_what_belongs_to_no_framework_is_not_adapted() -> None:
    assert adapt(dict) is None


# Translation -----------------------------------------------------------------------------------


def factory(
    params: list[object],
    rate: float = 0.1,
    betas: tuple[float, float, float] = (0.9, 0.99, 0.5),
    eps: tuple[float | None, float] = (None, 1e-3),
    power: float = -0.8,
    text: str = "",
    *,
    rho: float | None = None,
    **rest: object,
) -> dict[str, object]:
    return {"rate": rate, "betas": betas, "eps": eps, "power": power, "rho": rho, **rest}


def translated(**fixed: object) -> Options:
    return Options(factory, {"rate": "lr", "power": "-beta2_power"}, fixed)


def test_pairs_signs_and_absent_defaults_are_read_from_the_signature() -> None:
    found = {e.field: e.default for e in translated().entries}
    assert found == {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps2": 1e-3, "beta2_power": 0.8, "rho": None}


def test_arguments_keep_what_a_tuple_holds_besides() -> None:
    given = translated().make({"beta2": 0.5, "eps2": 0.25, "beta2_power": 0.75, "momentum": 1.0}, [])
    assert given == {"rate": 0.1, "betas": (0.9, 0.5, 0.5), "eps": (None, 0.25), "power": -0.75, "rho": None}


def test_a_change_of_one_number_passes_the_tuple_whole() -> None:
    assert translated().changed({"beta1": 0.25}, {"beta2": 0.5, "lr": 3.0}) == {"betas": (0.25, 0.5, 0.5)}


def test_a_fixed_option_is_passed_on_and_not_declared() -> None:
    held = translated(betas=(0.1, 0.2, 0.3))
    assert held.fields == ("lr", "eps2", "beta2_power", "rho")
    assert held.make({"lr": 1.0, "beta1": 0.5}, [])["betas"] == (0.1, 0.2, 0.3)


# The user's settings ---------------------------------------------------------------------------

SETTINGS = """
import importlib, os, sys
import numpy as np
framework, module, name, settings = sys.argv[1:]
before = dict(os.environ)
from arrayopt.conformance import adapters
adapters.adapter(framework)
{read}
old = read()
candidate = adapters.adapt(getattr(importlib.import_module(module), name))
running = candidate.start({"a": np.ones((3, 2))}, {"lr": 0.1})
running.step({"a": np.ones((3, 2))})
new = read()
assert old == new, (old, new)
allowed = {"DEV", "TF_FORCE_GPU_ALLOW_GROWTH"}  # which keras sets by itself
changed = {k for k in {**before, **os.environ} if before.get(k) != os.environ.get(k)} - allowed
assert not changed, changed
print(candidate.source)
"""
READ = {
    "torch": """
import torch
def read():
    return torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled(), torch.random.initial_seed()
""",
    "optax": """
import jax, jax.numpy as jnp
def read():
    assert jnp.asarray(0.5).dtype == "float32"
    return jax.config.jax_enable_x64, jax.config.jax_disable_jit, jax.config.jax_default_device
""",
    "keras": """
import keras
def read():
    return keras.backend.backend(), keras.config.floatx(), keras.config.epsilon()
""",
    "mlx": """
import mlx.core as mx
def read():
    return str(mx.default_device()), str(mx.default_stream(mx.default_device()))
""",
    "tinygrad": """
from tinygrad.helpers import DEV, TRAINING
def read():
    return str(DEV.value), TRAINING.value
""",
}


@pytest.mark.parametrize("framework", READ)
def test_the_settings_of_the_user_are_left_alone(framework: str) -> None:
    if framework not in adapters.installed():
        pytest.skip(f"{framework} is not installed")
    module, name = ADAMS[framework].split(":")
    free = ("KERAS_BACKEND", "OPTIM_DTYPE", "DEV", "JAX_ENABLE_X64")
    clean = {k: v for k, v in os.environ.items() if k not in free}
    script = SETTINGS.replace("{read}", READ[framework])
    done = subprocess.run(
        [sys.executable, "-c", script, framework, module, name, ""],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(framework)
    if framework == "keras":
        assert done.stdout.strip().endswith(("on tensorflow", "on jax", "on torch", "on numpy"))
