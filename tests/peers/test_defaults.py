"""The numbers of the presets are the defaults of the frameworks that they name."""

import pytest

from arrayopt import AdaBelief, Adadelta, Adagrad, Adam, AdaMax, AdamW, NAdam, RAdam, RMSProp
from tests.peers.common import assert_same_defaults, peer


@pytest.mark.parametrize(
    ("cls", "framework", "module", "name"),
    [
        (AdaBelief, "optax", "optax", "adabelief"),
        (AdaBelief, "pytorch_optimizer", "pytorch_optimizer", "AdaBelief"),
        (Adadelta, "torch", "torch.optim", "Adadelta"),
        (Adadelta, "optax", "optax", "adadelta"),
        (Adadelta, "keras", "keras.optimizers", "Adadelta"),
        (Adadelta, "mlx", "mlx.optimizers", "AdaDelta"),
        (Adadelta, "pytorch_optimizer", "pytorch_optimizer", "AdaDelta"),
        (Adagrad, "torch", "torch.optim", "Adagrad"),
        (Adagrad, "optax", "optax", "adagrad"),
        (Adagrad, "keras", "keras.optimizers", "Adagrad"),
        (Adagrad, "mlx", "mlx.optimizers", "Adagrad"),
        (Adam, "torch", "torch.optim", "Adam"),
        (Adam, "optax", "optax", "adam"),
        (Adam, "keras", "keras.optimizers", "Adam"),
        (Adam, "mlx", "mlx.optimizers", "Adam"),
        (Adam, "tinygrad", "tinygrad.nn.optim", "Adam"),
        (Adam, "sklearn", "sklearn.neural_network._stochastic_optimizers", "AdamOptimizer"),
        (AdaMax, "torch", "torch.optim", "Adamax"),
        (AdaMax, "optax", "optax", "adamax"),
        (AdaMax, "keras", "keras.optimizers", "Adamax"),
        (AdaMax, "mlx", "mlx.optimizers", "Adamax"),
        (AdaMax, "pytorch_optimizer", "pytorch_optimizer", "AdaMax"),
        (AdamW, "torch", "torch.optim", "AdamW"),
        (AdamW, "optax", "optax", "adamw"),
        (AdamW, "keras", "keras.optimizers", "AdamW"),
        (AdamW, "mlx", "mlx.optimizers", "AdamW"),
        (AdamW, "tinygrad", "tinygrad.nn.optim", "AdamW"),
        (NAdam, "torch", "torch.optim", "NAdam"),
        (NAdam, "optax", "optax", "adam"),  # nadam is adam(nesterov=True)
        (NAdam, "keras", "keras.optimizers", "Nadam"),
        (RAdam, "torch", "torch.optim", "RAdam"),
        (RAdam, "optax", "optax", "radam"),
        (RAdam, "pytorch_optimizer", "pytorch_optimizer", "RAdam"),
        (RMSProp, "torch", "torch.optim", "RMSprop"),
        (RMSProp, "optax", "optax", "rmsprop"),
        (RMSProp, "keras", "keras.optimizers", "RMSprop"),
        (RMSProp, "mlx", "mlx.optimizers", "RMSprop"),
    ],
)
def test_the_defaults_of_a_preset_are_theirs(cls, framework, module, name):
    assert_same_defaults(cls.preset(framework), getattr(peer(module), name))
