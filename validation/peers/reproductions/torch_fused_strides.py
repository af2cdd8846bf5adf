"""torch.optim.SGD, Adam, AdamW with fused=True on the CPU read a transposed gradient in the order of its memory."""

import sys

import torch

wrong = []
for cls in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
    after = []
    for fused in (False, True):
        p = torch.nn.Parameter(torch.zeros(2, 3))
        p.grad = torch.tensor([[1.0, -2.0], [-3.0, 4.0], [5.0, 6.0]]).t()
        cls([p], lr=0.1, fused=fused).step()
        after.append(p.detach())
    if not torch.allclose(*after):
        wrong.append(cls.__name__)
        print(f"torch {torch.__version__} {cls.__name__}\nfused=False\n{after[0]}\nfused=True\n{after[1]}")
sys.exit(bool(wrong))
