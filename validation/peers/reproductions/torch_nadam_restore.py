"""torch: NAdam keeps mu_product in float32, and load_state_dict turns it to float64: the run goes on elsewhere."""

import copy
import sys

import torch


def step(p, optimizer, t):
    p.grad = torch.tensor([1.0, -0.5], dtype=torch.float64) / (t + 1)
    optimizer.step()


p = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
optimizer = torch.optim.NAdam([p], lr=0.1)
for t in range(3):
    step(p, optimizer, t)
q = torch.nn.Parameter(p.detach().clone())
restored = torch.optim.NAdam([q], lr=0.1)
restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
before, after = (next(iter(o.state.values()))["mu_product"].dtype for o in (optimizer, restored))
step(p, optimizer, 3)
step(q, restored, 3)
off = float((p - q).detach().abs().max())
print(f"mu_product was {before} and is {after} once loaded; the next step differs by {off:.1e}")
sys.exit(int(off > 0))
