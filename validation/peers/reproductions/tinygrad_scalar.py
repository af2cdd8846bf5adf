"""tinygrad.nn.optim.Adam cannot take a 0-d parameter, which SGD takes."""

import importlib.metadata
import os
import sys

os.environ.setdefault("DEV", "PYTHON")
from tinygrad import Tensor
from tinygrad.nn.optim import SGD, Adam

Tensor.training = True
for make in (SGD, Adam):
    p = Tensor(1.0)
    optimizer = make([p], lr=0.1)
    p.grad = Tensor(1.0)
    try:
        optimizer.step()
        print(f"tinygrad {importlib.metadata.version('tinygrad')} {make.__name__}: {p.item()}")
    except Exception as error:
        print(f"tinygrad {importlib.metadata.version('tinygrad')} {make.__name__}: {type(error).__name__}: {error}")
        sys.exit(1)
