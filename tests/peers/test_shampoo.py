"""Shampoo against pytorch_optimizer, at exaggerated settings."""

import numpy as np
import pytest

from arrayopt.firstorder.shampoo import Shampoo
from tests.peers.common import RATES, follow_rates, torch_path, worst


@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (3, 4), (1, 4), (2, 3, 4), (4, 2, 3, 2)])
@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("decoupled", [False, True])
def test_pytorch_optimizer(shape, momentum, decoupled):
    peer = pytest.importorskip("pytorch_optimizer", reason="needs pytorch_optimizer")
    rng = np.random.default_rng(7)
    p0, gradients = np.asarray(rng.normal(scale=2.0, size=shape)), rng.normal(size=(6, *shape))

    def make(p, lr):
        return peer.Shampoo(p, lr, momentum=momentum, weight_decay=0.25, weight_decouple=decoupled, matrix_eps=0.05)

    decay = "decoupled" if decoupled else "l2"
    rule = Shampoo.preset("pytorch_optimizer", eps=0.05, momentum=momentum, weight_decay=0.25, decay=decay)
    gradients = [np.asarray(g) for g in gradients]
    assert worst(follow_rates(rule, RATES, p0, gradients), torch_path(make, RATES, p0, gradients), p0) < 1e-12
