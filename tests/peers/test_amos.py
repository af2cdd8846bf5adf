"""Amos against pytorch_optimizer, at exaggerated settings; jestimator needs flax and is only read."""

import numpy as np
import pytest

from arrayopt.firstorder.amos import Amos
from tests.peers.common import GRADIENTS, P0, follow_rates, torch_path, worst

pytest.importorskip("pytorch_optimizer", reason="needs pytorch_optimizer")

RNG = np.random.default_rng(9)
DATA = {
    "vector": (RNG.normal(scale=2, size=5), RNG.normal(size=(6, 5))),
    "matrix": (P0, GRADIENTS),
    "kernel": (RNG.normal(scale=2, size=(3, 5, 2)), RNG.normal(size=(6, 3, 5, 2))),
}


@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize(("momentum", "extra_l2"), [(0.0, 0.0), (0.5, 0.25)])
def test_pytorch_optimizer(data, momentum, extra_l2, foreach):
    import pytorch_optimizer

    p0, gradients = DATA[data]
    hyper = dict(beta=0.75, momentum=momentum, extra_l2=extra_l2, c_coef=0.5, d_coef=0.75, eps=0.0625)
    path = torch_path(lambda p, lr: pytorch_optimizer.Amos(p, lr, foreach=foreach, **hyper), p0=p0, gradients=gradients)
    ours = follow_rates(Amos.preset("pytorch_optimizer", **hyper), p0=p0, gradients=gradients)
    assert worst(ours, path, p0) < 1e-14


def test_the_extra_decay_of_pytorch_optimizer_makes_parameters_grow():
    import pytorch_optimizer

    path = torch_path(lambda p, lr: pytorch_optimizer.Amos(p, lr, extra_l2=0.5), gradients=0 * GRADIENTS)
    np.testing.assert_allclose(path[0], 1.25 * P0, rtol=1e-15)


def test_the_defaults_of_the_preset_are_those_of_pytorch_optimizer():
    import pytorch_optimizer
    import torch

    theirs = pytorch_optimizer.Amos([torch.nn.Parameter(torch.zeros(1))])
    ours = Amos.preset("pytorch_optimizer")
    found = theirs.defaults | {"c_coef": theirs.c_coef, "d_coef": theirs.d_coef}
    for name in ("lr", "beta", "momentum", "extra_l2", "c_coef", "d_coef", "eps"):
        assert getattr(ours, name) == found[name], name
