"""pytorch_optimizer: eps, documented to be added to the denominator, is checked and stored, and never read."""

import sys

import pytorch_optimizer
import torch


def last(name, eps):
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = getattr(pytorch_optimizer, name)([p], eps=eps)
    for _ in range(20):
        p.grad = torch.randn(3)
        optimizer.step()
    return p.detach()


name = sys.argv[1] if len(sys.argv) > 1 else "PNM"
print(f"{name}: eps=1e-8 gives {last(name, 1e-8).tolist()}, eps=1000 gives {last(name, 1000.0).tolist()}")
sys.exit(int(torch.equal(last(name, 1e-8), last(name, 1000.0))))
