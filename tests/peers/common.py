"""Run the optimizers of other libraries along given gradients, one function a library.

Every function takes `make`, which is given the rate of the first step (and, where the library wants them,
the parameters), the start, the gradients and the rate of every step; it returns the parameters after each
step as float64 NumPy arrays. A rate that changes tells "lr inside the velocity" from "outside".
The numbers below are exact in float32, so that libraries which keep their hyper-parameters in float32
can be compared in float64.
"""

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from arrayopt.core import options
from arrayopt.core.rule import Rule

# tinygrad's only device that needs no compiler, and the precision of its buffers; of Keras's frameworks, one in
# which it computes in float64 (on NumPy it does not). All are read when the libraries are imported.
os.environ.setdefault("DEV", "PYTHON")
os.environ.setdefault("OPTIM_DTYPE", "float64")
os.environ.setdefault("KERAS_BACKEND", "jax")

P0 = np.random.default_rng(7).normal(scale=2.0, size=(4, 3))
GRADIENTS = np.random.default_rng(8).normal(size=(6, 4, 3))
RATES = (0.125, 0.125, 0.5, 0.0625, 0.25, 0.125)
CONSTANT = (0.125,) * 6

Path = list[np.ndarray]


def follow_rates(rule: Rule, rates: Sequence[float] = RATES, p0: Any = P0, gradients: Any = GRADIENTS) -> Path:
    """Return the parameters after each step of `rule`, whose rate at step t is ``rates[t - 1]``."""
    rule = rule.replace(lr=lambda t: rates[t - 1])
    params, state, path = p0, rule.init(p0), []
    for g in gradients:
        params, state = rule.update(g, state, params)
        path.append(params)
    return path


def worst(ours: Path, theirs: Path, p0: Any = P0) -> float:
    """Return the largest relative error of a displacement p_t - p_0, over all steps."""
    assert len(ours) == len(theirs)
    pairs = zip(ours, theirs, strict=True)
    return float(max(np.max(np.abs(a - b)) / np.max(np.abs(np.asarray(a) - p0)) for a, b in pairs))


def torch_path(
    make: Callable[..., Any], rates: Sequence[float] = RATES, p0: Any = P0, gradients: Any = GRADIENTS
) -> Path:
    """``make([parameter], lr)`` returns a torch.optim.Optimizer."""
    import torch

    p = torch.nn.Parameter(torch.tensor(p0))
    optimizer, path = make([p], rates[0]), []
    for lr, g in zip(rates, gradients, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = lr
        p.grad = torch.tensor(g)
        optimizer.step()
        path.append(p.detach().numpy().copy())
    return path


def optax_path(
    make: Callable[..., Any], rates: Sequence[float] = RATES, p0: Any = P0, gradients: Any = GRADIENTS
) -> Path:
    """``make(schedule)`` returns an optax transformation; it runs in float64."""
    import jax
    import jax.numpy as jnp
    import optax

    with jax.enable_x64(True):
        p, path, table = jnp.asarray(p0), [], jnp.asarray(rates)
        transform = make(lambda count: table[count])
        state = transform.init(p)
        for g in gradients:
            updates, state = transform.update(jnp.asarray(g), state, p)
            p = optax.apply_updates(p, updates)
            path.append(np.asarray(p, dtype=float))
    return path


def keras_path(
    make: Callable[..., Any], rates: Sequence[float] = RATES, p0: Any = P0, gradients: Any = GRADIENTS
) -> Path:
    """``make(lr)`` returns a keras optimizer; it runs on jax in float64, the rate is float32."""
    import jax
    import keras

    with jax.enable_x64(True):
        variable, optimizer, path = keras.Variable(p0, dtype="float64"), make(rates[0]), []
        for lr, g in zip(rates, gradients, strict=True):
            optimizer.learning_rate = lr
            optimizer.apply([keras.ops.convert_to_tensor(g, dtype="float64")], [variable])
            path.append(np.array(keras.ops.convert_to_numpy(variable.value)))
    return path


def mlx_path(
    make: Callable[..., Any], rates: Sequence[float] = RATES, p0: Any = P0, gradients: Any = GRADIENTS
) -> Path:
    """``make(lr)`` returns an mlx optimizer; it runs on the CPU in float64, the rate is float32."""
    import mlx.core as mx

    mx.set_default_device(mx.cpu)
    params, optimizer, path = {"p": mx.array(p0, dtype=mx.float64)}, make(rates[0]), []
    for lr, g in zip(rates, gradients, strict=True):
        optimizer.learning_rate = lr
        params = optimizer.apply_gradients({"p": mx.array(g, dtype=mx.float64)}, params)
        mx.eval(params, optimizer.state)
        path.append(np.array(params["p"]))
    return path


def tinygrad_path(
    make: Callable[..., Any], rates: Sequence[float] = RATES, p0: Any = P0, gradients: Any = GRADIENTS
) -> Path:
    """``make([tensor], lr)`` returns a tinygrad optimizer; it runs in float64, the rate is float32."""
    from tinygrad import Tensor
    from tinygrad.helpers import Context

    p = Tensor(p0).realize()
    path = []
    with Context(TRAINING=1):
        optimizer = make([p], rates[0])
        for lr, g in zip(rates, gradients, strict=True):
            optimizer.lr.assign(Tensor([lr], dtype=optimizer.lr.dtype)).realize()
            p.grad = Tensor(g)
            optimizer.step()
            path.append(p.numpy().copy())
    return path


def peer(module: str) -> Any:
    """Import a module of another library, or skip the test that asks for it."""
    return pytest.importorskip(module, reason=f"{module.partition('.')[0]} is a peer")


def with_l2(transform: Callable[..., Any], weight_decay: float) -> Callable[..., Any]:
    """Put weight decay through the gradient before an optax transformation."""
    import optax

    return lambda lr: optax.chain(optax.add_decayed_weights(weight_decay), transform(lr))


NAMES = {
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "b1": "beta1",
    "b2": "beta2",
    "beta_1": "beta1",
    "beta_2": "beta2",
    "epsilon": "eps",
    "alpha": "rho",
    "decay": "rho",
    "initial_accumulator_value": "initial",
    "initial_scale": "initial",
}
"""What frameworks call the numbers of the adaptive rules."""


def assert_same_defaults(rule: Rule, optimizer: Callable[..., Any]) -> None:
    """Assert that the numbers which `optimizer` has as defaults are those of `rule`; None stands for 0."""
    compared = 0
    for name, parameter in inspect.signature(optimizer).parameters.items():
        default = parameter.default
        if default is inspect.Parameter.empty or (default is None and name == "learning_rate"):
            continue  # the caller must give it
        given = dict(zip(("beta1", "beta2"), default, strict=True)) if name == "betas" else {name: default}
        for field, value in given.items():
            field = NAMES.get(field, field)
            if field in options.numbers(type(rule)):
                assert getattr(rule, field) == (value or 0.0), f"{optimizer}: {name}"
                compared += 1
    assert compared
