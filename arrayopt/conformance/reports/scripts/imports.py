"""Imports: the lines with which a script gets at a class or function."""

import functools
import importlib
import inspect
import os
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from arrayopt.errors import ArrayOptError


class UnwritableError(ArrayOptError):
    """No script can be written for a candidate; the text says why."""


def imported(target: Callable[..., Any], homes: Sequence[str] = ()) -> tuple[list[str], str]:
    """Return the lines that import a class or function, and the expression that is it afterwards.

    What is installed is taken from `homes` if it is there, else from the outermost package that shows it; all else
    from the file that defines it.

    Raises
    ------
    UnwritableError
        If it cannot be imported.
    """
    target = bare(target)
    module = inspect.getmodule(target)
    # some decorators keep the name of what they wrap, but not its qualified name
    names = [getattr(target, attribute, type(target).__name__) for attribute in ("__qualname__", "__name__")]
    name = next((n for n in names if module is not None and _has(module, n, target)), None)
    if module is None or module.__name__ == "__main__" or name is None:
        raise UnwritableError(f"{names[0]} cannot be imported: define it at the top of a file or module of its own")
    file = getattr(module, "__file__", None)
    if file is None or any(Path(file).is_relative_to(sysconfig.get_path(k)) for k in ("purelib", "platlib", "stdlib")):
        packages = module.__name__.split(".")
        outwards = [".".join(packages[:n]) for n in range(1, len(packages) + 1)]
        place = next(m for m in [*homes, *outwards] if _has(importlib.import_module(m), name, target))
        return [f"import {place}"], f"{place}.{name}"
    return _from_file(Path(file).resolve(), module.__name__.split("."), name)


def bare(target: Any) -> Any:
    """Return what a partial or a wrapper is of."""
    while isinstance(target, functools.partial) or hasattr(target, "__wrapped__"):
        target = target.func if isinstance(target, functools.partial) else target.__wrapped__
    return target


def _has(module: ModuleType, name: str, target: Any) -> bool:
    try:
        return bare(functools.reduce(getattr, name.split("."), module)) is target
    except AttributeError:
        return False


def _from_file(file: Path, packages: list[str], name: str) -> tuple[list[str], str]:
    """Import a name from a file that is not installed, told from the current folder if it is below."""
    place = file.parent if file.stem == "__init__" else file.with_suffix("")
    if place.parts[-len(packages) :] != tuple(packages):  # it was loaded under another name than its own
        packages = [file.stem]
    folder = place.parents[len(packages) - 1]
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    lines, dotted = ["import sys", f"sys.path.insert(0, {os.fspath(shown)!r})"], ".".join(packages)
    if all(p.isidentifier() for p in packages):
        return [*lines, f"import {dotted}"], f"{dotted}.{name}"
    outer = name.partition(".")[0]
    path = os.fspath(shown / file.name)
    return [*lines, "import runpy", f"{outer} = runpy.run_path({path!r})[{outer!r}]"], name
