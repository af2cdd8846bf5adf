"""arrayopt: the executable reference for optimisation.

Every method is one short pure function of arrays. Call it from any array code, hold other
implementations against it with `arrayopt.conformance`, and script experiments with it.
"""

from arrayopt import firstorder as _firstorder
from arrayopt.backend import namespace, to_numpy, use
from arrayopt.core.rule import Rule
from arrayopt.core.state import State
from arrayopt.errors import (
    ArrayOptError,
    BackendError,
    LeafError,
    MissingPeerError,
    OptionError,
    TraceError,
)
from arrayopt.firstorder import *  # noqa: F403 (its __all__ is the one list of the rules)

__all__ = [  # noqa: F405 (inplace is loaded when asked for)
    *_firstorder.__all__,
    "ArrayOptError",
    "BackendError",
    "LeafError",
    "MissingPeerError",
    "OptionError",
    "Rule",
    "State",
    "TraceError",
    "inplace",
    "namespace",
    "to_numpy",
    "use",
]


def __getattr__(name: str) -> object:
    """Load what most programs do not need when it is asked for."""
    if name == "inplace":
        from arrayopt.readers.blocked import inplace

        return inplace
    if name == "__version__":
        from importlib.metadata import version

        return version("arrayopt")
    raise AttributeError(f"module 'arrayopt' has no attribute {name!r}")
