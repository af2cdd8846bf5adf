"""pytorch_optimizer: SWATS gives all parameters the rate of the last one that wants SGD: their order matters."""

import sys

import pytorch_optimizer
import torch


def last(order):
    params = {k: torch.nn.Parameter(torch.zeros(2)) for k in "ab"}
    optimizer = pytorch_optimizer.SWATS([params[k] for k in order], lr=0.1, betas=(0.9, 0.9), eps=1e-3)
    for _ in range(4):
        params["a"].grad, params["b"].grad = torch.full((2,), 1.0), torch.full((2,), 4.0)
        optimizer.step()
    return params["a"].tolist()


one, other = last("ab"), last("ba")
print(f"a is {one} after four steps where it stands before b, and {other} where it stands after b")
sys.exit(int(max(abs(x - y) for x, y in zip(one, other, strict=True)) > 1e-3))
