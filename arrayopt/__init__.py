"""arrayopt: the executable reference for optimisation.

Every method is one short pure function of arrays. Call it from any array code, hold other
implementations against it with `arrayopt.conformance`, and script experiments with it.

The rules and wrappers of `arrayopt.firstorder` are names of this module too, and so are `minimize` and `find_root`; all
are loaded when they are asked for, so that ``import arrayopt`` costs little.
"""

from typing import TYPE_CHECKING

# `X as X` tells type checkers that X is exported
from arrayopt.backend import namespace as namespace
from arrayopt.backend import to_numpy as to_numpy
from arrayopt.backend import use as use
from arrayopt.errors import ArrayOptError as ArrayOptError
from arrayopt.errors import BackendError as BackendError
from arrayopt.errors import LeafError as LeafError
from arrayopt.errors import MissingPeerError as MissingPeerError
from arrayopt.errors import OptionError as OptionError
from arrayopt.errors import TraceError as TraceError

if TYPE_CHECKING:
    from arrayopt import conformance as conformance
    from arrayopt.core.rule import Rule as Rule
    from arrayopt.core.schedules import Constant as Constant
    from arrayopt.core.schedules import InverseSqrt as InverseSqrt
    from arrayopt.core.schedules import InverseTime as InverseTime
    from arrayopt.core.schedules import PiecewiseLinear as PiecewiseLinear
    from arrayopt.core.schedules import WarmupDecay as WarmupDecay
    from arrayopt.core.state import State as State
    from arrayopt.firstorder import *  # noqa: F403 (its __all__ is the one list of rules and wrappers)
    from arrayopt.readers.blocks.layout import flatten_leaves as flatten_leaves
    from arrayopt.readers.inplace import inplace as inplace
    from arrayopt.secondorder.linear_conjugate_gradient import linear_cg as linear_cg
    from arrayopt.secondorder.root import find_root as find_root
    from arrayopt.solve import METHODS as METHODS
    from arrayopt.solve import for_scipy as for_scipy
    from arrayopt.solve import minimize as minimize
    from arrayopt.solve import minimize_batch as minimize_batch

_SCHEDULES = ("Constant", "InverseSqrt", "InverseTime", "PiecewiseLinear", "WarmupDecay")
_HOMES = {
    "Rule": "arrayopt.core.rule",
    "State": "arrayopt.core.state",
    "flatten_leaves": "arrayopt.readers.blocks.layout",
    "find_root": "arrayopt.secondorder.root",
    "linear_cg": "arrayopt.secondorder.linear_conjugate_gradient",
    "inplace": "arrayopt.readers.inplace",
    **dict.fromkeys(("METHODS", "for_scipy", "minimize", "minimize_batch"), "arrayopt.solve"),
    **dict.fromkeys(_SCHEDULES, "arrayopt.core.schedules"),
}
_MODULES = (
    "claims",
    "conformance",
    "core",
    "firstorder",
    "learn",
    "problems",
    "readers",
    "sampling",
    "secondorder",
    "sketch",
    "smooth",
    "solve",
    "theory",
)


def __getattr__(name: str) -> object:
    """Load what is asked for, and remember it."""
    from importlib import import_module

    value: object
    if name == "__version__":
        from importlib.metadata import version

        value = version("arrayopt")
    elif name == "__all__":
        here = {k for k, x in globals().items() if callable(x) and not k.startswith("_")}
        value = sorted({*here, *_HOMES, *import_module("arrayopt.firstorder").__all__})
    elif name in _MODULES:
        value = import_module(f"arrayopt.{name}")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name.startswith("_") or name not in import_module("arrayopt.firstorder").__all__:
        raise AttributeError(f"module 'arrayopt' has no attribute {name!r}")
    else:
        value = getattr(import_module("arrayopt.firstorder"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__getattr__("__all__")]  # type: ignore[misc]
