"""pytorch_optimizer: step() fails on the weight of a channels_last convolution, whose gradient is not contiguous."""

import importlib.metadata
import sys

import pytorch_optimizer
import torch

name = sys.argv[1] if len(sys.argv) > 1 else "AdamP"
layer = torch.nn.Conv2d(8, 16, 3).to(memory_format=torch.channels_last)
optimizer = getattr(pytorch_optimizer, name)(layer.parameters(), lr=1e-3)
layer(torch.randn(2, 8, 9, 9).to(memory_format=torch.channels_last)).sum().backward()
try:
    optimizer.step()
except RuntimeError as error:
    print(f"pytorch_optimizer {importlib.metadata.version('pytorch_optimizer')} {name}: {str(error).splitlines()[0]}")
    sys.exit(1)
