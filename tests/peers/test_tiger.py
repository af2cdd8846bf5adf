"""Tiger against pytorch_optimizer, at exaggerated settings."""

import pytest

from arrayopt.firstorder.tiger import Tiger
from tests.peers.common import follow_rates, torch_path, worst

pytest.importorskip("pytorch_optimizer", reason="needs pytorch_optimizer")


@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize(
    ("decay", "theirs"),
    [
        ({"decay": "decoupled"}, {}),
        ({"decay": "decoupled", "decay_scale": "independent"}, {"fixed_decay": True}),
        ({"decay": "l2"}, {"weight_decouple": False}),
    ],
)
def test_pytorch_optimizer(decay, theirs, foreach):
    import pytorch_optimizer

    hyper = {"beta": 0.5, "weight_decay": 0.25}
    path = torch_path(lambda p, lr: pytorch_optimizer.Tiger(p, lr, foreach=foreach, **hyper, **theirs))
    assert worst(follow_rates(Tiger.preset("pytorch_optimizer", **hyper, **decay)), path) < 1e-15


def test_pytorch_optimizer_lacks_what_makes_tiger_out_of_signum():
    import pytorch_optimizer

    path = torch_path(lambda p, lr: pytorch_optimizer.Tiger(p, lr, beta=0.5, weight_decay=0.25))
    assert worst(follow_rates(Tiger(beta=0.5, weight_decay=0.25)), path) > 0.1


def test_the_defaults_of_the_preset_are_those_of_pytorch_optimizer():
    import pytorch_optimizer
    import torch

    theirs = pytorch_optimizer.Tiger([torch.nn.Parameter(torch.zeros(1))]).defaults
    ours = Tiger.preset("pytorch_optimizer")
    assert {k: theirs[k] for k in ("lr", "beta", "weight_decay")} == {
        k: getattr(ours, k) for k in ("lr", "beta", "weight_decay")
    }
