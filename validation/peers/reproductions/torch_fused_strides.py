"""torch.optim: fused=True on the CPU reads a transposed gradient in the order of its memory."""

import sys

import torch

name = sys.argv[1] if len(sys.argv) > 1 else "SGD"
after = []
for fused in (False, True):
    p = torch.nn.Parameter(torch.zeros(2, 3))
    p.grad = torch.tensor([[1.0, -2.0], [-3.0, 4.0], [5.0, 6.0]]).t()
    getattr(torch.optim, name)([p], lr=0.1, fused=fused).step()
    after.append(p.detach())
print(f"torch {torch.__version__} {name}: fused=False {after[0].tolist()}, fused=True {after[1].tolist()}")
sys.exit(not torch.allclose(*after))
