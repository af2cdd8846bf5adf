"""tinygrad.nn.optim: Adam, AdamW and LAMB cannot take a 0-d parameter."""

import importlib.metadata
import os
import sys

os.environ.setdefault("DEV", "PYTHON")
from tinygrad import Tensor
from tinygrad.helpers import Context
from tinygrad.nn import optim


def last(name):
    p = Tensor(1.0).realize()
    optimizer = getattr(optim, name)([p], lr=0.1)
    p.grad = Tensor(1.0)
    with Context(TRAINING=1):  # without it every step is refused
        optimizer.step()
    return p.tolist()


name = sys.argv[1] if len(sys.argv) > 1 else "Adam"
try:
    print(f"tinygrad {importlib.metadata.version('tinygrad')} {name}: {last(name)}")
except (ValueError, RuntimeError) as error:
    print(f"tinygrad {importlib.metadata.version('tinygrad')} {name}: {type(error).__name__}: {error}")
    sys.exit("broadcast" in str(error))
