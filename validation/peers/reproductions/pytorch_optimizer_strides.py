"""pytorch_optimizer: a gradient that is not contiguous, such as that of x @ w.T, makes the step fail."""

import sys

import pytorch_optimizer
import torch

name = sys.argv[1] if len(sys.argv) > 1 else "AdamP"
w = torch.nn.Parameter(torch.ones(2, 3))
options = {"momentum": 0.9} if name == "SGDP" else {}
optimizer = getattr(pytorch_optimizer, name)([w], **options)
w.grad = torch.randn(3, 2).t()
try:
    optimizer.step()
except RuntimeError as error:
    print(f"{name}.step() with a transposed gradient: {error}")
    sys.exit(1)
