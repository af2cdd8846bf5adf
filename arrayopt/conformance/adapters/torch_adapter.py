"""torch.optim, and what every optimizer that derives from torch.optim.Optimizer shares."""

import copy
import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release
from arrayopt.conformance.adapters.assembly import Assembly, Way, public
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.reports.scripts.apis import TORCH, Api

NAMES = {
    "alpha": "rho",  # RMSprop
    "initial_accumulator_value": "initial",  # Adagrad
    "beta2_decay": "-beta2_power", "d": "clip_threshold",  # Adafactor
    "ns_steps": "ns_steps",  # Muon
}  # fmt: skip
"""Options of torch -> fields."""
SPARSE = ("SparseAdam",)
"""Optimizers that take no gradients but sparse ones."""
INNER = ("optimizer", "base")
"""What the first argument of an optimizer is called that wraps another one."""
REASONS = {"LBFGS": "evaluates the loss again within a step (closure)"}
"""Why an optimizer of torch cannot be driven with gradients."""


class Session:
    """An optimizer of torch and its tensors, which share the memory of the arrays that they come from."""

    rate: Callable[[float], Any] | None = None
    """In what form the optimizer is given its learning rate."""

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        self.params = {k: self.parameter(_tensor(p)) for k, p in params.items()}
        self.sparse = getattr(options.target, "__name__", "") in SPARSE
        self.optimizer = self.make()
        train = getattr(self.optimizer, "train", None)  # schedule-free optimizers have a mode
        if callable(train):
            train()

    def parameter(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return what the optimizer is to update."""
        return torch.nn.Parameter(tensor)

    def given(self) -> list[Any]:
        """Return the parameters in the form in which the optimizer is given them."""
        return list(self.params.values())

    def make(self) -> Any:
        """Make the optimizer; its first argument is the parameters, a model that holds them, or another optimizer."""
        first = next(iter(inspect.signature(self.options.target).parameters))
        given: Any = self.given()
        if first == "model":
            given = torch.nn.ParameterList(self.params.values())
        elif first in INNER:
            given = torch.optim.SGD(given, lr=0.1, momentum=0.6)
        return self.options.make(self.hyper, given, instead=self.rate)

    def step(self, grads: Arrays) -> Arrays:
        """Take a step; the optimizer may overwrite `grads`."""
        for k, p in self.params.items():
            p.grad = self.gradient(_tensor(grads[k])) if k in grads else None
        self.optimizer.step()
        return self._arrays()

    def gradient(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a gradient as the optimizer is given it."""
        return _sparse(tensor) if self.sparse else tensor

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters in every group."""
        self.hyper |= hyper
        for group in self.optimizer.param_groups:
            group.update(self.options.changed(hyper, self.hyper))

    def save(self) -> tuple[Arrays, Any]:
        """Return copies of the parameters and of the state."""
        return self._arrays(), copy.deepcopy(self.optimizer.state_dict())

    def load(self, state: tuple[Arrays, Any]) -> None:
        """Go on from a state that `save` returned."""
        for k, p in self.params.items():
            p.data.copy_(_tensor(state[0][k]))
        self.optimizer.load_state_dict(copy.deepcopy(state[1]))

    def _arrays(self) -> Arrays:
        return {k: np.array(_array(p.detach())) for k, p in self.params.items()}


class Maximizing(Session):
    """Goes up the negative gradient."""

    def gradient(self, tensor: torch.Tensor) -> torch.Tensor:
        """Turn the sign."""
        return super().gradient(-tensor)


class Grouped(Session):
    """Gives the optimizer its parameters in two groups where there was one."""

    def given(self) -> list[Any]:
        """Part every group."""
        whole = super().given()
        groups = whole if whole and isinstance(whole[0], dict) else [{"params": whole}]
        halves = []
        for group in groups:
            half = (len(group["params"]) + 1) // 2
            halves += [{**group, "params": part} for part in (group["params"][:half], group["params"][half:]) if part]
        return halves


class Named(Session):
    """Gives the optimizer its parameters with their names."""

    def given(self) -> list[Any]:
        """Return pairs of name and parameter."""
        return list(self.params.items())


class Differentiable(Session):
    """Gives the optimizer tensors that come out of a computation, through which its steps can be differentiated."""

    def parameter(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a copy that is no leaf of the graph."""
        computed = torch.nn.Parameter(tensor).clone()
        computed.retain_grad()
        return computed


class RateAsTensor(Session):
    """Gives the optimizer its learning rate as a tensor."""

    rate = staticmethod(lambda lr: torch.tensor(lr, dtype=torch.float64))


def _in_groups(options: Options) -> bool:
    return next(iter(inspect.signature(options.target).parameters)) == "params"


WAYS = {
    "foreach=True": Way(Session, {"foreach": True}),
    "foreach=False": Way(Session, {"foreach": False}),
    "fused=True": Way(Session, {"fused": True}),
    # needs a device that records its work
    "capturable=True": Way(Session, {"capturable": True}, lambda options: torch.cuda.is_available()),
    "differentiable=True": Way(Differentiable, {"differentiable": True}),
    "maximize=True, gradients negated": Way(Maximizing, {"maximize": True}),
    "two parameter groups": Way(Grouped, suits=_in_groups),
    "named parameters": Way(Named, suits=_in_groups),
    "lr as a tensor": Way(
        RateAsTensor, suits=lambda options: "lr" in options.fields and "Tensor" in str(options.parameters["lr"])
    ),
}
"""Code paths that torch documents to compute the same."""
INERT = ("foreach", "fused", "capturable", "differentiable", "maximize")
"""Options that choose a code path."""


def api(options: Options) -> Api | None:
    """Return how a script uses an optimizer; None for one that is made from more than parameters."""
    if not _in_groups(options):
        return None
    sparse = getattr(options.target, "__name__", "") in SPARSE
    return dataclasses.replace(TORCH, gradient=f"{TORCH.gradient}.to_sparse()") if sparse else TORCH


def assembly(source: str, names: Mapping[str, str] = NAMES, inert: tuple[str, ...] = ()) -> Assembly:
    """Return what makes candidates of the optimizers of a package that builds on torch."""
    return Assembly(
        Session,
        source,
        names,
        dtypes=("float32", "bfloat16", "float16"),
        ways=WAYS,
        inert=(*INERT, *inert),
        missing=True,
        api=api,
    )


ASSEMBLY = assembly(release("torch"))


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a subclass of torch.optim.Optimizer, or a function that returns one.

    Parameters
    ----------
    target : callable
        ``target(params, **options)``.
    **fixed
        Options that are held, under torch's names.
    """
    return ASSEMBLY.candidate(target, named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find the optimizers of torch.optim."""
    return exported("torch.optim", found(torch.optim), ASSEMBLY, reasons=REASONS)


def found(module: Any) -> dict[str, Callable[..., Any]]:
    """Find the optimizers in a module: every class with the methods of torch's base class, which wrappers lack."""

    def kind(x: Any) -> bool:
        return isinstance(x, type) and all(callable(getattr(x, k, None)) for k in ("step", "zero_grad", "state_dict"))

    return {k: x for k, x in public(module, kind).items() if x is not torch.optim.Optimizer}


def _sparse(tensor: torch.Tensor) -> torch.Tensor:
    """Return a sparse tensor with every element, zeros too: what is left out is not updated."""
    everywhere = torch.ones_like(tensor).to_sparse().indices()
    return torch.sparse_coo_tensor(everywhere, tensor.flatten(), tensor.shape, is_coalesced=True, check_invariants=True)


def _tensor(array: np.ndarray) -> torch.Tensor:
    """Return a tensor on the memory of an array; torch cannot read NumPy's bfloat16 by itself."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _array(tensor: torch.Tensor) -> np.ndarray:
    """Return an array on the memory of a tensor."""
    array: np.ndarray
    if tensor.dtype == torch.bfloat16:
        import ml_dtypes

        array = tensor.cpu().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    else:
        array = tensor.cpu().numpy()
    return array


def peers() -> list[Peer]:
    """List the optimizers of torch.optim that arrayopt has a rule for."""
    rows = [
        Row("SGD", rules.SGD),
        Row("SGD", rules.Momentum, numbers={"momentum": 0.9}),
        Row("SGD", rules.Momentum, numbers={"momentum": 0.9, "dampening": 0.1}),
        # torch refuses dampening together with nesterov.
        Row("SGD", rules.Nesterov, {"nesterov": True, "dampening": 0.0}, {"momentum": 0.9}),
        Row("Adagrad", rules.Adagrad),
        Row("RMSprop", rules.RMSProp),
        Row("RMSprop", rules.RMSProp, {"centered": True}, dialect={"centered": True}),
        Row("RMSprop", rules.RMSProp, numbers={"momentum": 0.9}),
        Row("Adadelta", rules.Adadelta),
        Row("Adam", rules.Adam),
        Row("Adam", rules.Adam, {"amsgrad": True}, dialect={"amsgrad": "max_raw"}),
        Row("Adam", rules.AdamW, {"decoupled_weight_decay": True}, {"weight_decay": 0.01}),
        Row("SparseAdam", rules.Adam, dialect={"eps_place": "hat"}),
        Row("AdamW", rules.AdamW),
        Row("AdamW", rules.AdamW, {"amsgrad": True}, dialect={"amsgrad": "max_raw"}),
        Row("Adamax", rules.AdaMax),
        Row("NAdam", rules.NAdam),
        Row("NAdam", rules.NAdam, {"decoupled_weight_decay": True}, dialect={"decay": "decoupled"}),
        Row("RAdam", rules.RAdam),
        Row("RAdam", rules.RAdam, {"decoupled_weight_decay": True}, dialect={"decay": "decoupled"}),
        Row("Adafactor", rules.Adafactor),
        Row("Muon", rules.Muon),
        Row("Muon", rules.Muon, {"nesterov": False}, dialect={"nesterov": "none"}),
        Row("Muon", rules.Muon, {"adjust_lr_fn": "match_rms_adamw"}, dialect={"scale": "moonlight"}),
    ]
    return listed("torch", torch.optim, rows, NAMES, candidate)
