"""torch: Adafactor divides by the number of elements, and fails on a parameter that has none; the others take it."""

import sys

import torch

p = torch.nn.Parameter(torch.zeros(0))
for cls in (torch.optim.Adam, torch.optim.Adafactor):
    p.grad = torch.zeros(0)
    try:
        cls([p]).step()
        print(f"{cls.__name__} takes an empty parameter")
    except ZeroDivisionError as error:
        print(f"{cls.__name__} on an empty parameter: {error}")
        sys.exit(1)
