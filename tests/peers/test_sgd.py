"""SGD, Momentum and Nesterov against the frameworks, which mostly have one class for the three."""

import inspect

import numpy as np
import pytest

from arrayopt.firstorder.momentum import Momentum
from arrayopt.firstorder.nesterov import Nesterov
from arrayopt.firstorder.sgd import SGD
from tests.peers.common import (
    CONSTANT,
    GRADIENTS,
    P0,
    RATES,
    follow_rates,
    keras_path,
    mlx_path,
    optax_path,
    tinygrad_path,
    torch_path,
    worst,
)

# Exact in binary, as the rates are, and far from every default.
MU, DAMPENING, DECAY = 0.5, 0.25, 0.25
TOLERANCE = 1e-14


def torch(**options):
    torch = pytest.importorskip("torch", reason="torch is a peer")
    return torch_path(lambda p, lr: torch.optim.SGD(p, lr, **options))


def pytorch_optimizer(**options):
    peer = pytest.importorskip("pytorch_optimizer", reason="pytorch_optimizer is a peer")
    return torch_path(lambda p, lr: peer.SGDW(p, lr, **options))


def optax(**options):
    optax = pytest.importorskip("optax", reason="optax is a peer")
    return optax_path(lambda lr: optax.sgd(lr, **options))


def keras(**options):
    keras = pytest.importorskip("keras", reason="keras is a peer")
    return keras_path(lambda lr: keras.optimizers.SGD(lr, **options))


def mlx(**options):
    mlx = pytest.importorskip("mlx.optimizers", reason="mlx is a peer")
    return mlx_path(lambda lr: mlx.SGD(lr, **options))


def tinygrad(**options):
    tinygrad = pytest.importorskip("tinygrad.nn.optim", reason="tinygrad is a peer")
    return tinygrad_path(lambda p, lr: tinygrad.SGD(p, lr, **options))


def sklearn(momentum=0.0, nesterov=False):
    name = "sklearn.neural_network._stochastic_optimizers"
    peer = pytest.importorskip(name, reason="scikit-learn is a peer")
    p, path = P0.copy(), []
    optimizer = peer.SGDOptimizer([p], RATES[0], momentum=momentum, nesterov=nesterov)
    for lr, g in zip(RATES, GRADIENTS, strict=True):
        optimizer.learning_rate = lr
        optimizer.update_params([p], [g])
        path.append(p.copy())
    return path


def autograd(momentum=0.0):
    peer = pytest.importorskip("autograd.misc.optimizers", reason="autograd is a peer")
    steps = range(1, len(GRADIENTS) + 1)
    lr = CONSTANT[0]
    return [peer.sgd(lambda x, i: GRADIENTS[i], P0, num_iters=n, step_size=lr, mass=momentum) for n in steps]


DECAYING = [torch, pytorch_optimizer, keras, mlx, tinygrad]
ALL = [*DECAYING, optax, sklearn]


def assert_same(rule, path, rates=RATES):
    assert worst(follow_rates(rule, rates), path) <= TOLERANCE


@pytest.mark.parametrize("peer", ALL)
def test_sgd(peer):
    assert_same(SGD.preset(peer.__name__), peer())


@pytest.mark.parametrize("peer", DECAYING)
def test_sgd_with_decay(peer):
    assert_same(SGD.preset(peer.__name__, weight_decay=DECAY), peer(weight_decay=DECAY))


@pytest.mark.parametrize("peer", ALL)
def test_momentum(peer):
    assert_same(Momentum.preset(peer.__name__, momentum=MU), peer(momentum=MU))


@pytest.mark.parametrize("peer", ALL)
def test_nesterov(peer):
    assert_same(Nesterov.preset(peer.__name__, momentum=MU), peer(momentum=MU, nesterov=True))


@pytest.mark.parametrize("peer", DECAYING)
def test_momentum_with_decay(peer):
    rule = Momentum.preset(peer.__name__, momentum=MU, weight_decay=DECAY)
    assert_same(rule, peer(momentum=MU, weight_decay=DECAY))


@pytest.mark.parametrize("peer", DECAYING)
def test_nesterov_with_decay(peer):
    rule = Nesterov.preset(peer.__name__, momentum=MU, weight_decay=DECAY)
    assert_same(rule, peer(momentum=MU, nesterov=True, weight_decay=DECAY))


@pytest.mark.parametrize("peer", [torch, pytorch_optimizer, mlx])
def test_a_dampened_momentum_and_its_first_step(peer):
    rule = Momentum.preset(peer.__name__, momentum=MU, dampening=DAMPENING, weight_decay=DECAY)
    path = peer(momentum=MU, dampening=DAMPENING, weight_decay=DECAY)
    assert_same(rule, path)
    other = rule.replace(first="gradient" if rule.first == "zero" else "zero")
    assert worst(follow_rates(other, RATES), path) > 1e-2


def test_a_dampened_nesterov():  # which torch and MLX refuse
    rule = Nesterov.preset("pytorch_optimizer", momentum=MU, dampening=DAMPENING, weight_decay=DECAY)
    options = dict(momentum=MU, dampening=DAMPENING, weight_decay=DECAY, nesterov=True)
    assert_same(rule, pytorch_optimizer(**options))


@pytest.mark.parametrize("cls", [SGD, Momentum, Nesterov])
def test_the_coupled_decay_of_sgdw(cls):
    momentum = {} if cls is SGD else {"momentum": MU}
    rule = cls.preset("pytorch_optimizer", weight_decay=DECAY, decay="l2", **momentum)
    options = dict(weight_decay=DECAY, weight_decouple=False, nesterov=cls is Nesterov)
    assert_same(rule, pytorch_optimizer(**options, **momentum))


@pytest.mark.parametrize("cls", [Momentum, Nesterov])
def test_the_classic_momentum_of_tinygrad_has_the_rate_inside(cls):
    rule = cls.preset("tinygrad", momentum=MU, weight_decay=DECAY, lr_place="inside")
    options = dict(momentum=MU, weight_decay=DECAY, nesterov=cls is Nesterov)
    assert_same(rule, tinygrad(classic=True, **options))


def test_autograd_has_a_running_mean():
    assert_same(Momentum.preset("autograd", momentum=MU), autograd(MU), CONSTANT)
    assert_same(SGD.preset("autograd"), autograd(), CONSTANT)


@pytest.mark.parametrize("peer", ALL)
def test_the_gradients_tell_where_the_rate_stands(peer):
    rule = Momentum.preset(peer.__name__, momentum=MU)
    other = rule.replace(lr_place="inside" if rule.lr_place == "outside" else "outside")
    assert worst(follow_rates(other, RATES), peer(momentum=MU)) > 1e-2


def test_the_bias_corrected_form_is_the_numerator_of_nadam():
    """Optax's NAdam with beta2 = 0 and eps = 0 divides it by |g|."""
    optax = pytest.importorskip("optax", reason="optax is a peer")
    import jax.numpy as jnp

    def numerator(lr):
        nadam = optax.scale_by_adam(b1=MU, b2=0.0, eps=0.0, nesterov=True)

        def update(g, state, params=None):
            u, state = nadam.update(g, state, params)
            return u * jnp.abs(g), state

        scaled = optax.GradientTransformation(nadam.init, update)
        return optax.chain(scaled, optax.scale_by_learning_rate(lr))

    assert_same(Nesterov(form="bias_corrected", momentum=MU), optax_path(numerator))


def test_the_damped_form_is_torch_muon_s_before_orthogonalisation():
    """Follow torch's two lerps, on torch tensors."""
    torch = pytest.importorskip("torch", reason="torch is a peer")
    p, buffer, path = torch.tensor(P0), torch.zeros(P0.shape, dtype=torch.float64), []
    for lr, g in zip(RATES, torch.tensor(GRADIENTS), strict=True):
        buffer.lerp_(g, 1 - MU)
        p = p - lr * g.lerp(buffer, MU)
        path.append(p.numpy())
    assert_same(Nesterov(form="damped", momentum=MU), path)


DEFAULTS = [
    ("torch", "torch.optim", "SGD", "lr"),
    ("keras", "keras.optimizers", "SGD", "learning_rate"),
    ("tinygrad", "tinygrad.nn.optim", "SGD", "lr"),
    ("pytorch_optimizer", "pytorch_optimizer", "SGDW", "lr"),
    ("sklearn", "sklearn.neural_network._stochastic_optimizers", "SGDOptimizer", "learning_rate_init"),
]


@pytest.mark.parametrize(("framework", "module", "name", "lr"), DEFAULTS)
def test_the_presets_have_the_frameworks_default_rate(framework, module, name, lr):
    module = pytest.importorskip(module, reason=f"{framework} is a peer")
    default = inspect.signature(getattr(module, name)).parameters[lr].default
    assert {cls.preset(framework).lr for cls in (SGD, Momentum, Nesterov)} == {default}


def test_the_presets_of_scikit_learn_and_autograd_have_their_default_momentum():
    peer = pytest.importorskip("sklearn.neural_network._stochastic_optimizers", reason="scikit-learn is a peer")
    assert inspect.signature(peer.SGDOptimizer).parameters["momentum"].default == Nesterov.preset("sklearn").momentum
    pytest.importorskip("autograd", reason="autograd is a peer")
    from autograd.misc.optimizers import sgd

    rule = Momentum.preset("autograd")
    (mine,) = follow_rates(rule, [rule.lr], gradients=GRADIENTS[:1])
    np.testing.assert_allclose(sgd(lambda x, i: GRADIENTS[0], P0, num_iters=1), mine, rtol=1e-15)
