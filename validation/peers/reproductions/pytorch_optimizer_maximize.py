"""pytorch_optimizer: maximize=True with -g is not what minimizing with g is: a first buffer misses the sign."""

import sys

import pytorch_optimizer
import torch


def last(name, maximize, **options):
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.zeros(2, 3, dtype=torch.float64))
    optimizer = getattr(pytorch_optimizer, name)([p], maximize=maximize, **options)
    for _ in range(3):
        g = torch.randn(2, 3, dtype=torch.float64)
        p.grad = -g if maximize else g
        optimizer.step()
    return p.detach()


name, options = sys.argv[1] if len(sys.argv) > 1 else "Adan", {}
if name == "Shampoo":
    options["momentum"] = 0.9
down, up = last(name, False, **options), last(name, True, **options)
off = float((down - up).abs().max() / down.abs().max())
print(f"{name}: minimizing along g and maximizing along -g end {off:.0%} of the way apart")
sys.exit(int(off > 1e-6))
