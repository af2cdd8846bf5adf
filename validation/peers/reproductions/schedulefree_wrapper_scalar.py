"""schedulefree: ScheduleFreeWrapper swaps two tensors as bytes, and fails where a parameter has no axis."""

import sys

import schedulefree
import torch

p = torch.nn.Parameter(torch.tensor(1.0))
optimizer = schedulefree.ScheduleFreeWrapper(torch.optim.SGD([p], lr=0.1))
optimizer.train()
p.grad = torch.tensor(1.0)
try:
    optimizer.step()
    print(f"takes a 0-d parameter: {p.item()}")
except RuntimeError as error:
    print(f"ScheduleFreeWrapper on a 0-d parameter: {error}")
    sys.exit(1)
