"""Lion, SignSGD and Signum against the frameworks."""

import inspect

import pytest

from arrayopt.firstorder.lion import Lion
from arrayopt.firstorder.signsgd import SignSGD
from arrayopt.firstorder.signum import Signum
from tests.peers.common import RATES, follow_rates, keras_path, mlx_path, optax_path, torch_path, worst

# Exact in binary, as the rates are, and far from every default.
BETA1, BETA2, MU, DECAY = 0.5, 0.75, 0.5, 0.25
TOLERANCE = 1e-14


def optax(weight_decay, **options):
    optax = pytest.importorskip("optax", reason="optax is a peer")
    return optax_path(lambda lr: optax.lion(lr, BETA1, BETA2, weight_decay=weight_decay, **options))


def keras(weight_decay):
    keras = pytest.importorskip("keras", reason="keras is a peer")
    return keras_path(lambda lr: keras.optimizers.Lion(lr, BETA1, BETA2, weight_decay=weight_decay))


def mlx(weight_decay):
    mlx = pytest.importorskip("mlx.optimizers", reason="mlx is a peer")
    return mlx_path(lambda lr: mlx.Lion(lr, [BETA1, BETA2], weight_decay))


def pytorch_optimizer(weight_decay, **options):
    peer = pytest.importorskip("pytorch_optimizer", reason="pytorch_optimizer is a peer")
    return torch_path(lambda p, lr: peer.Lion(p, lr, (BETA1, BETA2), weight_decay, **options))


def lion_pytorch(weight_decay, **options):
    pytest.importorskip("torch", reason="torch is a peer")
    peer = pytest.importorskip("lion_pytorch", reason="lion_pytorch is a peer")
    return torch_path(lambda p, lr: peer.Lion(p, lr, (BETA1, BETA2), weight_decay, **options))


def lion(framework, **fields):
    return follow_rates(Lion.preset(framework, beta1=BETA1, beta2=BETA2, **fields), RATES)


@pytest.mark.parametrize("decay", [0.0, DECAY])
@pytest.mark.parametrize("peer", [optax, keras, mlx, pytorch_optimizer, lion_pytorch])
def test_lion(peer, decay):
    path = peer(decay)
    assert worst(lion(peer.__name__, weight_decay=decay), path) <= TOLERANCE
    swapped = Lion.preset(peer.__name__, beta1=BETA2, beta2=BETA1, weight_decay=decay)
    assert worst(follow_rates(swapped, RATES), path) > 1e-2


def test_the_decoupled_weight_decay_of_lion_pytorch_is_relative_to_the_first_rate():
    path = lion_pytorch(DECAY, decoupled_weight_decay=True)
    assert worst(lion("lion_pytorch", weight_decay=DECAY, decay_scale="relative"), path) <= TOLERANCE
    assert worst(lion("lion_pytorch", weight_decay=DECAY), path) > 1e-2


def test_the_fixed_decay_of_pytorch_optimizer_is_independent_of_the_rate():
    path = pytorch_optimizer(DECAY, fixed_decay=True)
    assert worst(lion("pytorch_optimizer", weight_decay=DECAY, decay_scale="independent"), path) <= TOLERANCE


def test_the_coupled_decay_of_pytorch_optimizer_enters_the_mean():
    path = pytorch_optimizer(DECAY, weight_decouple=False)
    assert worst(lion("pytorch_optimizer", weight_decay=DECAY, decay="l2"), path) <= TOLERANCE


def test_sign_sgd_of_optax():
    optax = pytest.importorskip("optax", reason="optax is a peer")
    path = optax_path(optax.sign_sgd)
    assert worst(follow_rates(SignSGD.preset("optax"), RATES), path) <= TOLERANCE


def test_signum_of_optax():
    optax = pytest.importorskip("optax", reason="optax is a peer")
    path = optax_path(lambda lr: optax.signum(lr, MU))
    assert worst(follow_rates(Signum.preset("optax", momentum=MU), RATES), path) <= TOLERANCE


@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("momentum", [0.0, MU])
def test_sign_sgd_of_pytorch_optimizer_is_signsgd_and_signum(momentum, coupled):
    peer = pytest.importorskip("pytorch_optimizer", reason="pytorch_optimizer is a peer")
    path = torch_path(lambda p, lr: peer.SignSGD(p, lr, momentum, DECAY, weight_decouple=not coupled))
    fields = dict(weight_decay=DECAY, decay="l2" if coupled else "decoupled")
    signum = Signum.preset("pytorch_optimizer", momentum=momentum, **fields)
    assert worst(follow_rates(signum, RATES), path) <= TOLERANCE
    if not momentum:
        signsgd = SignSGD.preset("pytorch_optimizer", **fields)
        assert worst(follow_rates(signsgd, RATES), path) <= TOLERANCE


DEFAULTS = [
    (Lion, "optax", "optax", "lion", {"b1": "beta1", "b2": "beta2", "weight_decay": "weight_decay"}),
    (Lion, "keras", "keras.optimizers", "Lion", {"learning_rate": "lr", "beta_1": "beta1", "beta_2": "beta2"}),
    (Lion, "mlx", "mlx.optimizers", "Lion", {"betas": ("beta1", "beta2"), "weight_decay": "weight_decay"}),
    (Lion, "pytorch_optimizer", "pytorch_optimizer", "Lion", {"lr": "lr", "betas": ("beta1", "beta2")}),
    (Lion, "lion_pytorch", "lion_pytorch", "Lion", {"lr": "lr", "betas": ("beta1", "beta2")}),
    (Signum, "optax", "optax", "signum", {"beta": "momentum"}),
    (Signum, "pytorch_optimizer", "pytorch_optimizer", "SignSGD", {"lr": "lr", "momentum": "momentum"}),
    (SignSGD, "pytorch_optimizer", "pytorch_optimizer", "SignSGD", {"lr": "lr", "weight_decay": "weight_decay"}),
]


@pytest.mark.parametrize(("cls", "framework", "module", "name", "fields"), DEFAULTS)
def test_the_presets_have_the_frameworks_defaults(cls, framework, module, name, fields):
    module = pytest.importorskip(module, reason=f"{framework} is a peer")
    parameters, rule = inspect.signature(getattr(module, name)).parameters, cls.preset(framework)
    for theirs, ours in fields.items():
        expected = tuple(getattr(rule, f) for f in ours) if isinstance(ours, tuple) else getattr(rule, ours)
        default = parameters[theirs].default
        assert (tuple(default) if isinstance(default, list) else default) == expected
