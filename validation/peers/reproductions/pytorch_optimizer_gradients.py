"""pytorch_optimizer: Muon, LARS, AdaDelta, AdaMax write into p.grad: who reads it next sees other numbers."""

import importlib.metadata
import sys

import pytorch_optimizer
import torch

overwritten = []
for name in ("SGDW", "Muon", "LARS", "AdaDelta", "AdaMax"):
    p = torch.nn.Parameter(torch.ones(4, 3))
    groups = [{"params": [p], "use_muon": True}] if name == "Muon" else [p]
    optimizer = getattr(pytorch_optimizer, name)(groups, lr=0.1, weight_decay=0.1)
    for _ in range(2):
        p.grad = torch.full((4, 3), 0.5)
        optimizer.step()
    if not torch.equal(p.grad, torch.full((4, 3), 0.5)):
        overwritten.append(name)
print(f"pytorch_optimizer {importlib.metadata.version('pytorch_optimizer')}: p.grad is overwritten by {overwritten}")
sys.exit(bool(overwritten))
