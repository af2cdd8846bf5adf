"""torch.optim.SGD(momentum=..., fused=True) fails where a parameter gets its first gradient in a later step."""

import sys

import torch

for fused in (False, True):
    a, b = (torch.nn.Parameter(torch.ones(2)) for _ in "ab")
    optimizer = torch.optim.SGD([a, b], lr=0.1, momentum=0.9, fused=fused)
    a.grad = torch.ones(2)
    optimizer.step()
    b.grad = torch.ones(2)
    try:
        optimizer.step()
        print(f"torch {torch.__version__} fused={fused}: b = {b.tolist()}")
    except TypeError as error:
        print(f"torch {torch.__version__} fused={fused}: {type(error).__name__}: {str(error).splitlines()[0]}")
        sys.exit(1)
