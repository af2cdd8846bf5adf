"""pytorch_optimizer: RAdam(weight_decay=0.5, weight_decouple=False) decays nothing; L2 regularization is documented."""

import sys

import pytorch_optimizer
import torch


def last(weight_decay):
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = pytorch_optimizer.RAdam([p], lr=0.1, weight_decay=weight_decay, weight_decouple=False)
    for _ in range(20):
        p.grad = torch.randn(3)
        optimizer.step()
    return p.detach()


print(f"weight_decay=0 gives {last(0.0).tolist()}, weight_decay=0.5 gives {last(0.5).tolist()}")
sys.exit(int(torch.equal(last(0.0), last(0.5))))
