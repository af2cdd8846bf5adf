"""Targets: what a user names on the command line, loaded as a candidate with the rule to hold it against."""

import contextlib
import dataclasses
import difflib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from arrayopt.conformance import adapters
from arrayopt.conformance.adapters.translation import NUMBERS
from arrayopt.conformance.candidate import Candidate
from arrayopt.conformance.models import Model, numbers, rule_in
from arrayopt.conformance.naming import UnknownReferenceError, reference_from_name
from arrayopt.errors import ArrayOptError


class TargetError(ArrayOptError):
    """A target is not written as one, does not exist, or cannot be loaded."""


def load(target: str, against: Model | None = None, anything: bool = False) -> tuple[Candidate, Model | None, str]:
    """Load a target.

    Parameters
    ----------
    target : str
        ``module:attribute``, ``path.py:name``, or ``path.py`` alone if one public class or function is defined there.
        It names an optimizer class or factory of a framework that has an adapter, a `Candidate`, or anything
        that `Candidate.from_step` accepts. In the latter the annotation of the first parameter says whether it wants
        a dict, a list or a single array of leaves; without one they are tried in this order.
    against : Rule or Clip, optional
        The rule that it claims to follow; by default told from the target's names.
    anything : bool
        Whether to leave the rule open whatever the names say.

    Returns
    -------
    candidate, reference, note : Candidate, Rule or Clip or None, str
        What is checked, the rule to hold it against, and how that was chosen; None if no name tells a rule, so that
        all are to be tried; the note also lists the parameters of
        the candidate that are none of the rule, which no probe can vary.

    Raises
    ------
    TargetError
        If the target is not there, is ambiguous, or raises when it is imported.
    MissingPeerError
        If it belongs to a framework that cannot be adapted.
    """
    place, attribute = _parted(target)
    module = _from_file(place) if isinstance(place, Path) else _imported(place)
    if not attribute:
        attribute = _only_public(target, module)
    made = _attribute(target, module, attribute)
    if not callable(made) and not isinstance(made, Candidate):
        raise TargetError(
            f"{target} is a {type(made).__name__}, expected a class or a function that makes an optimizer"
        )
    where = place.stem if isinstance(place, Path) else place
    names = {} if anything else {"name": attribute, "module": where}
    candidate = _candidate(target, made, _told(against, names)[0], _source(place, module))
    return candidate, *referred(candidate, against, names)


# Reading the target ----------------------------------------------------------------------------


def _parted(target: str) -> tuple[Path | str, str]:
    """Part a target into file or module, and attribute."""
    if target.endswith(".py"):
        return Path(target), ""
    place, _, attribute = target.rpartition(":")
    identifiers = all(part.isidentifier() for part in attribute.split("."))
    if place.endswith(".py") and identifiers:
        return Path(place), attribute
    if identifiers and all(part.isidentifier() for part in place.split(".")):
        return place, attribute
    hint = ""
    if ":" not in target and "." in target.strip("."):
        hint = f"; did you mean {':'.join(target.rsplit('.', 1))}?"
    raise TargetError(f"a target is module:attribute, path.py:name or path.py, got {target!r}{hint}")


def _imported(name: str) -> ModuleType:
    """Import a module; the current folder counts too, as with ``python -m``."""
    with _first_on_path(Path.cwd()), _foreign(f"importing {name}"):
        try:
            framework = name.partition(".")[0]
            if framework in adapters.FRAMEWORKS and importlib.util.find_spec(framework) is not None:
                adapters.adapter(framework)  # first, as it may choose a backend: keras would ask for tensorflow
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise TargetError(
                f"no module {error.name!r}; install it, or write path.py:name to load from a file"
            ) from error


def _from_file(path: Path) -> ModuleType:
    """Run a file as a module of a name of its own, able to import its neighbours as under ``python path.py``."""
    if not path.is_file():
        raise TargetError(f"no file {str(path)!r}" + (" (it is a folder)" if path.is_dir() else ""))
    path = path.resolve()
    name = f"arrayopt_target_{path.stem}_{hashlib.sha256(bytes(path)).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:  # never for a name in .py
        raise TargetError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = set(sys.modules)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        with _first_on_path(path.parent), _foreign(f"importing {path}"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        _forget_neighbours(path.parent, before)
    return module


def _forget_neighbours(folder: Path, before: set[str]) -> None:
    """Forget modules that were imported from a target's folder: the next target may have its own of that name."""
    tops = {name.partition(".")[0] for name in set(sys.modules) - before} - before
    ours = {t for t in tops if (folder / f"{t}.py").is_file() or (folder / t).is_dir()}
    for name in [n for n in sys.modules if n.partition(".")[0] in ours]:
        file = getattr(sys.modules[name], "__file__", None)
        if file is None or folder in Path(file).parents:
            del sys.modules[name]


@contextlib.contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()  # files may be younger than the listing of their folder
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(str(folder))


@contextlib.contextmanager
def _foreign(what: str) -> Iterator[None]:
    """Turn whatever foreign code raises, or its wish to end the program, into a TargetError."""
    try:
        yield
    except TargetError:
        raise
    except SyntaxError as error:
        raise TargetError(f"{what}: line {error.lineno} is no valid Python: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise TargetError(f"{what} raised {type(error).__name__}: {error}") from error


def _only_public(target: str, module: ModuleType) -> str:
    """Return the name of the one public class or function that is defined in a module."""
    classes_and_functions = {n: x for n, x in vars(module).items() if inspect.isclass(x) or inspect.isfunction(x)}
    own = [n for n, x in classes_and_functions.items() if not n.startswith("_") and x.__module__ == module.__name__]
    names: list[str] = [n for n in getattr(module, "__all__", own) if callable(getattr(module, n, None))]
    if len(names) == 1:
        return names[0]
    if not names:
        raise TargetError(f"{target} defines no public class or function")
    raise TargetError(f"{target} defines {len(names)}; say which: {', '.join(f'{target}:{n}' for n in names)}")


def _attribute(target: str, module: ModuleType, attribute: str) -> Any:
    try:
        return functools.reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        public = [n for n in vars(module) if not n.startswith("_")]
        near = difflib.get_close_matches(attribute, public, 1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise TargetError(f"{target.rpartition(':')[0]} has no {attribute!r}{hint}") from error


def _source(place: Path | str, module: ModuleType) -> str:
    if isinstance(place, Path):
        return str(place)
    package = place.partition(".")[0]
    return " ".join(filter(None, (package, str(getattr(sys.modules.get(package, module), "__version__", "")))))


# Choosing the rule -----------------------------------------------------------------------------


def referred(candidate: Candidate, against: Model | None, names: Mapping[str, str]) -> tuple[Model | None, str]:
    """Return the rule to hold a candidate against, and how it was chosen; None if no name tells one.

    `names` are those that may tell it, by what they are the names of, the best first.
    """
    reference, note = _told(against, names)
    unknown = [] if reference is None else [name for name in candidate.hyper if name not in numbers(reference)]
    if reference is not None and unknown:
        rule = type(rule_in(reference)).__name__
        note += f"; left at their defaults, since {rule} has no such field: {', '.join(unknown)}"
    return reference, note


def _told(against: Model | None, names: Mapping[str, str]) -> tuple[Model | None, str]:
    if against is not None:
        return against, "the reference was given"
    for what, name in names.items():
        with contextlib.suppress(UnknownReferenceError):
            rule = reference_from_name(name)
            return rule, f"reference {type(rule).__name__} told from the {what} {name!r}"
    return None, "no rule was named, so all were tried; name one with --against"


# Making the candidate --------------------------------------------------------------------------


def _candidate(target: str, made: Any, reference: Model | None, source: str) -> Candidate:
    if isinstance(made, Candidate):
        return made
    adapted = adapters.adapt(made)
    if adapted is not None:
        return adapted
    try:
        parameters = list(inspect.signature(made).parameters.values())
    except (TypeError, ValueError) as error:
        raise TargetError(f"{target} does not tell its parameters: {error}") from error
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise TargetError(f"{target} takes no parameters to optimise; expected name(params, lr, ...) with step(grads)")
    _check_required(target, parameters[1:], reference)
    return dataclasses.replace(Candidate.from_step(made, name=target), source=source)


def _check_required(target: str, parameters: list[inspect.Parameter], reference: Model | None) -> None:
    """Raise if something has no default that the reference, or any rule where there is none, has no number for."""
    known = numbers(reference) if reference is not None else dict.fromkeys(sorted(NUMBERS))
    variadic = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    missing = [p.name for p in parameters if p.default is p.empty and p.kind not in variadic and p.name not in known]
    if missing:
        rule = "no rule has" if reference is None else f"{type(rule_in(reference)).__name__} does not have"
        raise TargetError(
            f"{target} wants {', '.join(missing)}, which {rule}; give a default, "
            f"or call it by the name of the rule's: {', '.join(known)}"
        )
