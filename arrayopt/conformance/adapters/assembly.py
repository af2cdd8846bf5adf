"""Assemble candidates: an optimizer with its options, code paths and switches, for every framework alike."""

import dataclasses
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate, Session
from arrayopt.conformance.reports.scripts.apis import Api
from arrayopt.conformance.reports.scripts.writing import Python
from arrayopt.errors import ArrayOptError

SessionType = Callable[[Options, Arrays, Mapping[str, float]], Session]
"""``session(options, params, hyper)``: makes the optimizer and holds it."""


class NotDrivenError(ArrayOptError):
    """An optimizer needs more than parameters and gradients; the text says what."""


@dataclass(frozen=True)
class Way:
    """Another way to run an optimizer that is documented to compute the same.

    Attributes
    ----------
    session : type
        What runs it.
    fixed : dict
        Options that choose it.
    suits : callable
        Whether the optimizer has it; by default it does if it has the options of `fixed`, at other values.
    """

    session: SessionType
    fixed: Mapping[str, Any] = field(default_factory=dict)
    suits: Callable[[Options], bool] = lambda options: True

    def offered(self, options: Options) -> bool:
        """Tell whether an optimizer can be run this way, and is not already."""
        there = all(k in options.signature and options.signature[k] != x for k, x in self.fixed.items())
        return there and self.suits(options)


@dataclass(frozen=True)
class Assembly:
    """What the candidates of one framework share.

    Attributes
    ----------
    session : type
        What runs an optimizer.
    source : str
        Package and release.
    names : dict of str to str
        Option -> field, where they are called differently.
    dtype : str
        The precision of the leaves, unless they are given another one.
    dtypes : tuple of str
        Other precisions that leaves can have.
    ways : dict of Way
        Code paths, by name.
    inert : container of str
        Options that are neither declared nor turned: those that choose a code path, and those that change no number
        of a step, such as what is printed.
    missing : bool
        Whether gradients may be missing.
    api : callable
        How a script uses the optimizer with such options, in `session`; None where none can be written.
    """

    session: SessionType
    source: str
    names: Mapping[str, str]
    dtype: str = "float64"
    dtypes: tuple[str, ...] = ()
    ways: Mapping[str, Way] = field(default_factory=dict)
    inert: Container[str] = ()
    missing: bool = False
    api: Callable[[Options], Api | None] = lambda options: None

    def candidate(
        self, target: Callable[..., Any], name: str, fixed: Mapping[str, Any], every: bool = False
    ) -> Candidate:
        """Return an optimizer as a candidate, with its variants and switches.

        Parameters
        ----------
        target : callable
            The class or factory.
        name : str
            What reports call it.
        fixed : dict
            Options that are held, under the framework's names.
        every : bool
            Whether to declare the numbers that arrayopt has no field for.
        """
        return self._whole(Options(target, self.names, fixed, every, self.inert), name)

    def _whole(self, options: Options, name: str) -> Candidate:
        def run(way: Way, label: str) -> Callable[[], Candidate]:
            return lambda: self._bare(way.session, options.holding(**way.fixed), f"{name} [{label}]")

        def turn(option: str, value: Any, label: str) -> Callable[[], Candidate]:
            return lambda: self._whole(options.holding(**{option: value}), f"{name} [{label}]")

        return dataclasses.replace(
            self._bare(self.session, options, name),
            variants={k: run(w, k) for k, w in self.ways.items() if w.offered(options)},
            switches={k: turn(option, value, k) for k, (option, value) in options.turned().items()},
        )

    def _bare(self, session: SessionType, options: Options, name: str) -> Candidate:
        def make(params: Arrays, **hyper: float) -> Session:
            return session(options, params, hyper)

        api = self.api(options) if session is self.session else None
        return Candidate(
            name,
            make,
            options.fields,
            self.dtype,
            source=self.source,
            dtypes=self.dtypes,
            defaults=options.defaults,
            missing=self.missing,
            script=None if api is None else Python(api, options.target, options),
        )


def not_driven(name: str, source: str, reason: str) -> Candidate:
    """Return a candidate that cannot be made, for the reason given."""

    def make(params: Arrays, **hyper: float) -> Session:
        raise NotDrivenError(f"{name} {reason}")

    return Candidate(name, make, (), source=source)


def public(module: Any, kind: Callable[[Any], bool]) -> dict[str, Callable[..., Any]]:
    """Return the public attributes of a module that are of a kind, in alphabetic order."""
    names: Iterable[str] = (n for n in sorted(dir(module), key=str.lower) if not n.startswith("_"))
    return {n: x for n in names if kind(x := getattr(module, n))}
