"""schedulefree: RAdamScheduleFree takes lr as a tensor, by its signature, and then computes 0 / 0 = NaN."""

import sys

import schedulefree
import torch

p = torch.nn.Parameter(torch.ones(2))
optimizer = schedulefree.RAdamScheduleFree([p], lr=torch.tensor(0.1))
optimizer.train()
p.grad = torch.ones(2)
optimizer.step()
print(f"after the first step with lr=torch.tensor(0.1) the parameters are {p.tolist()}")
sys.exit(int(bool(torch.isnan(p).any())))
