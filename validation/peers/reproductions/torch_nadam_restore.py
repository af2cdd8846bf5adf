"""torch.optim.NAdam.load_state_dict casts mu_product, kept in float32, to the dtype of the parameter."""

import sys

import torch

p = torch.nn.Parameter(torch.zeros(3, dtype=torch.bfloat16))
optimizer = torch.optim.NAdam([p])
for _ in range(5):
    p.grad = torch.ones_like(p)
    optimizer.step()
again = torch.optim.NAdam([p])
again.load_state_dict(optimizer.state_dict())
before, after = (o.state[p]["mu_product"] for o in (optimizer, again))
print(f"torch {torch.__version__}: saved {before.item()!r} ({before.dtype}), loaded {after.item()!r} ({after.dtype})")
sys.exit(before.item() != after.item())
