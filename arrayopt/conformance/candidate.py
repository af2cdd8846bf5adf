"""A candidate: anybody's optimizer, as something that is made from parameters and takes steps."""

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from arrayopt.errors import ArrayOptError, OptionError

Arrays = dict[str, np.ndarray]
Form = Literal["dict", "list", "array"]


class CannotRunError(ArrayOptError):
    """A candidate could not be made, or did not return parameters of the shapes it was given."""


class Session(Protocol):
    """One run of a candidate. It may also offer ``set(**hyper)``, ``save()`` and ``load(state)``."""

    def step(self, grads: Any) -> Any:
        """Take a step and return the new parameters; None if they are the ones it was made with, written in place."""


@dataclass(frozen=True)
class Candidate:
    """An optimizer to be checked.

    Attributes
    ----------
    name : str
        What reports call it.
    make : callable
        ``make(params, **hyper) -> Session``.
    hyper : tuple of str
        Names of the hyper-parameters that `make` takes, as the reference's fields. Only these are declared,
        varied and probed for liveness; all others are taken to be fixed in the candidate at the reference's values.
    dtype : str
        The precision that it computes in: "float64" or "float32".
    tree : {"auto", "dict", "list", "array"}
        The form in which parameters and gradients are handed over. With "array" probes have one leaf. With "auto"
        the annotation of the first parameter of `make` decides, else the first form in which it runs.
    source : str
        What it is: package and release, or the file.
    dtypes : tuple of str
        Other precisions in which it can be run, of which the leaves of one run may have several.
    defaults : dict of float
        The values at which the hyper-parameters of `hyper` ship, where they are known.
    variants : dict of callable
        Other code paths, by name, that are documented to compute the same: each makes a candidate.
    switches : dict of callable
        Documented options turned another way, by name, which must change something: each makes a candidate.
    missing : bool
        Whether ``step`` takes gradients without some of the leaves.
    random : str
        What it draws random numbers for, if it is random by design, so that two of its runs differ.
    script : callable, optional
        Writes lines of Python that make and step it without arrayopt, see `arrayopt.conformance.reports.scripts`.
    """

    name: str
    make: Callable[..., Session]
    hyper: tuple[str, ...] = ("lr",)
    dtype: str = "float64"
    tree: Form | Literal["auto"] = "dict"
    source: str = ""
    dtypes: tuple[str, ...] = ()
    defaults: Mapping[str, float] = field(default_factory=dict, hash=False)
    variants: Mapping[str, Callable[[], "Candidate"]] = field(default_factory=dict, hash=False)
    switches: Mapping[str, Callable[[], "Candidate"]] = field(default_factory=dict, hash=False)
    missing: bool = False
    random: str = ""
    script: Callable[[Any], list[str]] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_step(
        cls,
        make: Callable[..., Session],
        hyper: Sequence[str] | None = None,
        *,
        name: str | None = None,
        dtype: str = "float64",
        tree: Form | Literal["auto"] = "auto",
    ) -> "Candidate":
        """Wrap ``make(params, **hyper)``, which returns an object with ``step(grads) -> params``.

        Parameters
        ----------
        make : callable
            A class or function. `params` is a dict (see `tree`) of writable NumPy arrays, which it may keep.
        hyper : sequence of str, optional
            The hyper-parameters that it takes; by default the named parameters of `make` after the first.
        name : str, optional
            What reports call it; by default the name of `make`.
        dtype : str
            The precision that it computes in.
        tree : {"auto", "dict", "list", "array"}
            The form of parameters and gradients: a dict if `make` can run with one, else a list, else one array.

        Examples
        --------
        >>> class Descent:
        ...     def __init__(self, params, lr):
        ...         self.params, self.lr = params, lr
        ...     def step(self, grads):
        ...         self.params = {k: p - self.lr * grads[k] for k, p in self.params.items()}
        ...         return self.params
        >>> Candidate.from_step(Descent).hyper
        ('lr',)
        """
        named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        defaults: dict[str, float] = {}
        with contextlib.suppress(TypeError, ValueError):  # built in: it does not tell its parameters
            every = [p for p in list(inspect.signature(make).parameters.values())[1:] if p.kind in named]
            hyper = [p.name for p in every] if hyper is None else hyper
            defaults = {p.name: float(p.default) for p in every if type(p.default) in (int, float)}
        if hyper is None:
            raise OptionError(f'{make!r} does not tell its parameters: give hyper=("lr", ...)')
        own = {k: defaults[k] for k in hyper if k in defaults}
        title = name or str(getattr(make, "__name__", type(make).__name__))
        return cls(title, make, tuple(hyper), dtype, tree, defaults=own)

    def start(
        self,
        params: Mapping[str, np.ndarray],
        hyper: Mapping[str, float],
        dtypes: Mapping[str, str] | None = None,
    ) -> "Running":
        """Make the candidate on copies of `params` with those of `hyper` that it declares.

        The leaves named in `dtypes` get the precision written there instead of `dtype`.
        """
        if self.tree == "array" and len(params) != 1:
            raise CannotRunError("takes one array, not several leaves")
        given = {k: v for k, v in hyper.items() if k in self.hyper}
        every = {k: (dtypes or {}).get(k, self.dtype) for k in params}
        handed = self._pack(_copies(params, every), list(params))
        session = _guarded("making it", self.make, handed, **given)
        return Running(self, session, handed, {k: p.shape for k, p in params.items()}, every)

    def _pack(self, arrays: Arrays, names: Sequence[str]) -> Any:
        """Put leaves into the candidate's form; in a list, one that is missing is None."""
        if self.tree == "dict":
            return arrays
        leaves = [arrays.get(name) for name in names]
        return leaves if self.tree == "list" else leaves[0]

    def _unpack(self, tree: Any, names: Sequence[str]) -> Mapping[str, Any]:
        if self.tree == "array":
            return {names[0]: tree}
        if self.tree == "list":
            return dict(zip(names, tree, strict=True))
        if not isinstance(tree, Mapping):
            raise CannotRunError(f"step returned a {type(tree).__name__}, expected a dict of arrays as it was given")
        return tree


@dataclass
class Running:
    """A candidate on its way: what `Candidate.start` returns."""

    candidate: Candidate
    session: Any
    handed: Any
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]

    def can(self, what: str) -> bool:
        """Tell whether the session offers "set", "save" or "load"."""
        return callable(getattr(self.session, what, None))

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters from the next step on."""
        _guarded(f"set({', '.join(hyper)})", self.session.set, **hyper)

    def save(self) -> Any:
        """Return what the session saves."""
        return _guarded("save()", self.session.save)

    def load(self, state: Any) -> None:
        """Go on from what `save` of another run returned."""
        _guarded("load(state)", self.session.load, state)

    def step(
        self, grads: Mapping[str, np.ndarray], after: Callable[[Arrays], None] | None = None
    ) -> tuple[Arrays, list[str]]:
        """Take a step; return copies of the parameters, and the leaves whose gradient was overwritten.

        The candidate gets copies of the gradients with their memory layout; the same array for leaves that share one.
        `after` may do to them what a caller who owns them may do once the step is over.
        """
        names = list(self.shapes)
        handed = _copies(grads, self.dtypes)
        before = {k: np.array(g) for k, g in handed.items()}
        result = _guarded("step", self.session.step, self.candidate._pack(handed, names))
        overwritten = [k for k in handed if not np.array_equal(handed[k], before[k], equal_nan=True)]
        params = self._read(result, names)
        if after is not None:
            after(handed)
        return params, overwritten

    def _read(self, result: Any, names: list[str]) -> Arrays:
        # a port that returns nothing has written into the parameters it was made with
        tree = self.candidate._unpack(self.handed if result is None else result, names)
        params: Arrays = {}
        for name in names:
            if name not in tree:
                raise CannotRunError(f"step returned no leaf {name!r}; it returned {', '.join(map(str, tree))}")
            x = np.array(tree[name], dtype=np.float64)
            if x.shape != self.shapes[name]:
                raise CannotRunError(f"step returned leaf {name!r} with shape {x.shape}, expected {self.shapes[name]}")
            params[name] = x
        return params


def _copies(arrays: Mapping[str, np.ndarray], dtypes: Mapping[str, str]) -> Arrays:
    """Copy arrays in their memory layout; those that are one array and get one precision stay one."""
    made: dict[tuple[int, str], np.ndarray] = {}
    for k, x in arrays.items():
        key = id(x), dtypes[k]
        if key not in made:
            made[key] = np.array(x, dtype=dtype_of(dtypes[k]), order="K")
    return {k: made[id(x), dtypes[k]] for k, x in arrays.items()}


def epsilon(dtype: str) -> float:
    """Return the machine epsilon of a precision by its name."""
    return 2.0**-7 if dtype == "bfloat16" else float(np.finfo(dtype).eps)


def dtype_of(name: str) -> Any:
    """Return the NumPy dtype of a precision by its name."""
    if name == "bfloat16":
        import ml_dtypes

        return ml_dtypes.bfloat16
    return np.dtype(name)


def _guarded(what: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run foreign code: whatever it raises is the reason why it cannot run, told to the user in the report."""
    try:
        with np.errstate(all="ignore"):
            return call(*args, **kwargs)
    except CannotRunError:
        raise
    except Exception as error:
        raise CannotRunError(f"{what} raised {type(error).__name__}: {error}") from error
