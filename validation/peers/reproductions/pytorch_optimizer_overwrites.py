"""pytorch_optimizer: step() computes in place on p.grad, so that what reads it afterwards gets something else."""

import sys

import pytorch_optimizer
import torch

name = sys.argv[1] if len(sys.argv) > 1 else "AdaMax"
p = torch.nn.Parameter(torch.ones(2, 3, dtype=torch.float64))
given = [{"params": [p], "use_muon": True}] if name == "Muon" else [p]
options = {} if name == "Muon" else {"weight_decay": 0.1}
optimizer = getattr(pytorch_optimizer, name)(given, **options)
g = torch.arange(1.0, 7.0, dtype=torch.float64).reshape(2, 3)
for _ in range(2):
    p.grad = g.clone()
    optimizer.step()
print(f"{name}: the gradient {g.tolist()} is {p.grad.tolist()} after the step")
sys.exit(int(not torch.equal(p.grad, g)))
