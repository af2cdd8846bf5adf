"""tinygrad.nn.optim, run on the device that needs no compiler."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tinygrad.nn.optim
from tinygrad import Tensor
from tinygrad.helpers import Context, getenv
from tinygrad.nn.state import get_state_dict

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release
from arrayopt.conformance.adapters.assembly import Assembly, Way, public
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.reports.scripts.apis import TINYGRAD

NAMES = {"b1": "beta1", "b2": "beta2", "ns_steps": "ns_steps"}
"""Options of tinygrad -> fields."""


def _running() -> Any:
    """Let tinygrad train, on the device that runs in Python; outside of the context the user's settings stand."""
    return Context(DEV="PYTHON", TRAINING=1)


REASONS = {"OptimizerGroup": "takes other optimizers, one for each part of a model"}
"""Why an optimizer cannot be driven with gradients."""


class Session:
    """An optimizer and its tensors, in the precision that tinygrad gives the state: OPTIM_DTYPE, else float32.

    Leaves in another precision than float32 keep it.
    """

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        self.dtype = getenv("OPTIM_DTYPE", "float32")
        with _running():
            self.params = {k: self._tensor(p).realize() for k, p in params.items()}
            self.optimizer = options.make(hyper, list(self.params.values()))

    def _tensor(self, array: np.ndarray) -> Tensor:
        # a copy: a tensor may go on reading the memory of the array that it was made from
        return Tensor(array.astype(self.dtype if array.dtype == np.float32 else array.dtype))

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        with _running():
            for k, p in self.params.items():
                p.grad = self._tensor(grads[k])
            self.optimizer.step()
            return {k: np.array(p.numpy()) for k, p in self.params.items()}

    def set(self, *, lr: float) -> None:
        """Change the learning rate, the one hyper-parameter that is a tensor."""
        with _running():
            self.optimizer.lr.assign(Tensor([lr], dtype=self.optimizer.lr.dtype)).realize()

    def save(self) -> dict[str, np.ndarray]:
        """Return copies of the parameters and of all tensors of the optimizer."""
        with _running():
            return {k: np.array(x.numpy()) for k, x in self._tensors().items()}

    def load(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state that `save` returned."""
        with _running():
            for k, x in self._tensors().items():
                x.assign(Tensor(state[k].copy(), dtype=x.dtype)).realize()

    def _tensors(self) -> dict[str, Tensor]:
        held = {f"state.{k}": x for k, x in get_state_dict(self.optimizer).items()}
        return {**held, **{f"params.{k}": p for k, p in self.params.items()}}


ASSEMBLY = Assembly(
    Session,
    release("tinygrad"),
    NAMES,
    dtype="float32",
    dtypes=("float16", "float64"),
    ways={"fused=True": Way(Session, {"fused": True})},
    inert=("fused",),
    api=lambda options: TINYGRAD,
)


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a class or function that returns a tinygrad optimizer.

    Parameters
    ----------
    target : callable
        ``target(params, **options)``.
    **fixed
        Options that are held, under tinygrad's names.
    """
    return ASSEMBLY.candidate(target, named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find the optimizers of tinygrad.nn.optim: what is defined there, but the base class."""
    module = tinygrad.nn.optim
    own = public(module, lambda x: getattr(x, "__module__", "") == module.__name__ and x is not module.Optimizer)
    return exported(module.__name__, own, ASSEMBLY, reasons=REASONS)


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
