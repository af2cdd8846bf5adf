"""schedulefree: ScheduleFreeWrapper swaps two tensors as bytes, and fails where memory does not end with an axis."""

import sys

import schedulefree
import torch

which = sys.argv[1] if len(sys.argv) > 1 else "scalar"
p = torch.nn.Parameter(torch.tensor(1.0) if which == "scalar" else torch.ones(3, 2).t())
for make in (
    lambda: schedulefree.SGDScheduleFree([p], lr=0.1),
    lambda: schedulefree.ScheduleFreeWrapper(torch.optim.SGD([p], lr=0.1)),
):
    optimizer = make()
    optimizer.train()
    p.grad = torch.ones_like(p)
    try:
        optimizer.step()
        print(f"{type(optimizer).__name__} takes a {which} parameter")
    except RuntimeError as error:
        print(f"{type(optimizer).__name__} on a {which} parameter: {error}")
        sys.exit(1)
