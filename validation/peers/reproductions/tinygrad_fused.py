"""tinygrad: fused=True makes the trust ratio one of all parameters together, where it is one of each."""

import os
import sys

os.environ.setdefault("DEV", "PYTHON")
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn import optim


def last(name, fused):
    with Context(TRAINING=1):
        params = [Tensor([1.0, 2.0]).realize(), Tensor([30.0]).realize()]
        optimizer = getattr(optim, name)(params, lr=0.1, fused=fused)
        for p, g in zip(params, ([0.5, -1.0], [3.0]), strict=True):
            p.grad = Tensor(g)
        optimizer.step()
        return [x for p in params for x in p.tolist()]


name = sys.argv[1] if len(sys.argv) > 1 else "LAMB"
apart, together = last(name, False), last(name, True)
print(f"{name}: fused=False gives {apart}, fused=True gives {together}")
sys.exit(int(max(abs(a - b) for a, b in zip(apart, together, strict=True)) > 1e-6))
