"""schedulefree: step() computes in place on p.grad; AdamWScheduleFreeReference, its plain form, leaves it as it is."""

import sys

import schedulefree
import torch

name = sys.argv[1] if len(sys.argv) > 1 else "AdamWScheduleFree"
p = torch.nn.Parameter(torch.ones(3))
optimizer = getattr(schedulefree, name)([p], weight_decay=0.1)
optimizer.train()
p.grad = torch.full((3,), 0.5)
optimizer.step()
print(f"{name}: the gradient 0.5 is {p.grad.tolist()} after the step")
sys.exit(not torch.equal(p.grad, torch.full((3,), 0.5)))
