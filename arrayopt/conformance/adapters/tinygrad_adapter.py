"""tinygrad.nn.optim, run on the device that needs no compiler."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tinygrad.nn.optim
from tinygrad import Tensor
from tinygrad.helpers import Context, getenv

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, listed, named, release
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate

NAMES = {"b1": "beta1", "b2": "beta2", "ns_steps": "ns_steps"}
"""Options of tinygrad -> fields."""


def _running() -> Any:
    """Let tinygrad train, on the device that runs in Python; outside of the context the user's settings stand."""
    return Context(DEV="PYTHON", TRAINING=1)


class Session:
    """An optimizer and its tensors, in the precision that tinygrad gives the state: OPTIM_DTYPE, else float32."""

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        self.dtype = getenv("OPTIM_DTYPE", "float32")
        with _running():
            self.params = {k: Tensor(p.astype(self.dtype)).realize() for k, p in params.items()}
            self.optimizer = options.make(hyper, list(self.params.values()))

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        with _running():
            for k, p in self.params.items():
                p.grad = Tensor(grads[k].astype(self.dtype))
            self.optimizer.step()
            return {k: np.array(p.numpy()) for k, p in self.params.items()}

    def set(self, *, lr: float) -> None:
        """Change the learning rate, the one hyper-parameter that is a tensor."""
        with _running():
            self.optimizer.lr.assign(Tensor([lr], dtype=self.optimizer.lr.dtype)).realize()


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a class or function that returns a tinygrad optimizer.

    Parameters
    ----------
    target : callable
        ``target(params, **options)``.
    **fixed
        Options that are held, under tinygrad's names.
    """
    options = Options(target, NAMES, fixed)

    def make(params: Arrays, **hyper: float) -> Session:
        return Session(options, params, hyper)

    return Candidate(named(target, fixed), make, options.fields, dtype="float32", source=release("tinygrad"))


def peers() -> list[Peer]:
    """List the optimizers of tinygrad that arrayopt has a rule for."""
    rows = [
        Row("SGD", rules.SGD),
        Row("SGD", rules.Momentum, numbers={"momentum": 0.9}),
        Row("SGD", rules.Momentum, {"classic": True}, {"momentum": 0.9}, {"lr_place": "inside"}),
        Row("SGD", rules.Nesterov, {"nesterov": True}, {"momentum": 0.9}),
        Row("Adam", rules.Adam),
        Row("AdamW", rules.AdamW),
        Row("LAMB", rules.LAMB),
        Row("Muon", rules.Muon),
        Row("Muon", rules.Muon, {"nesterov": False}, dialect={"nesterov": "none"}),
    ]
    return listed("tinygrad", tinygrad.nn.optim, rows, NAMES, candidate)
