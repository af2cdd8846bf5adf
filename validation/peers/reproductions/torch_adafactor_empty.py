"""torch.optim.Adafactor divides by zero on a parameter without elements, which the other optimizers step over."""

import sys

import torch

failed = {}
for cls in (torch.optim.Adam, torch.optim.Adagrad, torch.optim.RMSprop, torch.optim.Adafactor):
    p = torch.nn.Parameter(torch.zeros(0))
    p.grad = torch.zeros(0)
    try:
        cls([p]).step()
    except ZeroDivisionError as error:
        failed[cls.__name__] = repr(error)
print(f"torch {torch.__version__}: {failed or 'all run'}")
sys.exit(bool(failed))
