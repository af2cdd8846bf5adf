"""The form of vectors and results: JSON with exact numbers, and the errors of what is none.

A float is written as the shortest decimal that reads back as the same float64. JSON has no NaN and no infinities: they
are the strings "NaN", "Infinity" and "-Infinity", which JavaScript's ``Number``, C's ``strtod`` and Python's ``float``
all read. docs/vectors.md has the schemas field by field.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from arrayopt.errors import ArrayOptError

VERSION = 1
"""Version of the three schemas: a reader refuses every other one."""
INDEX, VECTOR, RESULTS = "arrayopt.vectors", "arrayopt.vector", "arrayopt.results"
DTYPES = ("float64", "float32")
"""The precisions that have tolerances."""
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

T = TypeVar("T")


class VectorError(ArrayOptError):
    """Vectors or results cannot be written or read, or are not what their schema says."""


class _TwiceError(Exception):
    """An object of a JSON text has a name twice."""


# Writing ---------------------------------------------------------------------------------------


def number(x: float) -> float | str:
    """Return what stands for a float in JSON."""
    if math.isfinite(x):
        return float(x)
    return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"


def numbers(x: np.ndarray) -> list[float | str]:
    """Return an array as a flat list, row by row."""
    return [number(v) for v in x.ravel().tolist()]


def render(data: Any, indent: str = "") -> str:
    """Return plain data as JSON in which a list without lists or objects in it stands on one line."""
    inner = indent + " "
    if isinstance(data, dict) and data:
        lines = [f"{inner}{json.dumps(k)}: {render(v, inner)}" for k, v in data.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(data, (list, tuple)) and any(isinstance(x, (Mapping, list, tuple)) for x in data):
        return "[\n" + ",\n".join(inner + render(x, inner) for x in data) + f"\n{indent}]"
    return json.dumps(data, allow_nan=False)


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all: under another name first, then renamed."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        raise VectorError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


# Reading ---------------------------------------------------------------------------------------


def read(path: Path) -> str:
    """Return the text of a file, with the line ends of Unix."""
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows likes to begin with a mark
    except UnicodeDecodeError as error:
        raise VectorError(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}") from error
    except (OSError, ValueError) as error:  # a ValueError for a name that cannot be one
        raise VectorError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def parse(text: str, where: str, schema: str) -> Mapping[str, Any]:
    """Return the object in a JSON text, which must be of `schema` in this version."""
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise VectorError(f"{where} is no JSON: {error}") from error
    except _TwiceError as error:
        raise VectorError(f"{where} has {error} twice in one object") from error
    except RecursionError as error:
        raise VectorError(f"{where} is nested too deeply") from error
    if not isinstance(data, dict):
        raise VectorError(f"{where}: expected a JSON object, got {kind_of(data)}")
    if data.get("schema") != schema:
        raise VectorError(f'{where}: expected "schema": "{schema}", got {data.get("schema")!r}')
    if data.get("version") != VERSION:
        raise VectorError(
            f'{where}: expected "version": {VERSION}, got {data.get("version")!r}; write it anew with this arrayopt'
        )
    return data


def get(data: Mapping[str, Any], key: str, kind: type[T], where: str) -> T:
    """Return an entry of a JSON object, which must be there and of a kind."""
    if key not in data:
        raise VectorError(f"{where}: no {key!r}; it has {', '.join(map(str, data)) or 'nothing'}")
    value = data[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise VectorError(f"{where}: {key!r} must be {_KINDS.get(kind, kind.__name__)}, got {kind_of(value)}")
    return value


def array(data: Any, shape: tuple[int, ...], where: str, missing: float | None = None) -> np.ndarray:
    """Return the array that a flat list stands for; `missing` is what null stands for, if anything."""
    size = math.prod(shape)
    expected = f"a flat list of {size} numbers, row by row" + (f" (shape {list(shape)})" if len(shape) != 1 else "")
    if not isinstance(data, list):
        raise VectorError(f"{where}: expected {expected}, got {kind_of(data)}")
    if len(data) != size:
        raise VectorError(f"{where}: expected {expected}, got {len(data)} of them")
    values = [
        missing if x is None and missing is not None else as_float(x, f"{where}[{i}]") for i, x in enumerate(data)
    ]
    return np.array(values, dtype=np.float64).reshape(shape)


def as_float(x: Any, where: str) -> float:
    """Return the float that a JSON value stands for."""
    if isinstance(x, (int, float)) and not isinstance(x, bool):
        return float(x)
    if isinstance(x, str) and x in WORDS:
        return WORDS[x]
    hint = "; NaN and infinities are written " + ", ".join(f'"{w}"' for w in WORDS) if x is None else ""
    raise VectorError(f"{where}: expected a number, got {kind_of(x)}{hint}")


_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "a string", int: "an integer"}


def kind_of(value: Any) -> str:
    """Say what a JSON value is."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float, str)):
        return repr(value) if len(repr(value)) < 40 else f"a {type(value).__name__}"
    return "a list" if isinstance(value, list) else "an object"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object with a name in it twice, of which a reader would see the last."""
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [k for k, _ in pairs]
        twice = next(k for k in names if names.count(k) > 1)
        raise _TwiceError(repr(twice))
    return data


def _integer(text: str) -> float:
    """Read an integer; one that is longer than any count is a float written without a point."""
    return int(text) if len(text) < 18 else float(text)
