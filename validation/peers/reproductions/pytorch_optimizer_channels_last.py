"""pytorch_optimizer.AdamP, SGDP, SWATS fail on the weight of a channels_last convolution."""

import importlib.metadata
import sys

import pytorch_optimizer
import torch

failed = {}
for name in ("AdaBelief", "AdamP", "SGDP", "SWATS"):
    layer = torch.nn.Conv2d(8, 16, 3).to(memory_format=torch.channels_last)
    optimizer = getattr(pytorch_optimizer, name)(layer.parameters(), lr=1e-3)
    layer(torch.randn(2, 8, 9, 9).to(memory_format=torch.channels_last)).sum().backward()
    try:
        optimizer.step()
    except RuntimeError as error:
        failed[name] = str(error).splitlines()[0]
print(f"pytorch_optimizer {importlib.metadata.version('pytorch_optimizer')}: {failed or 'all run'}")
sys.exit(bool(failed))
