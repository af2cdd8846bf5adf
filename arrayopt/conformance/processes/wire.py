"""Numbers and lines of the process protocol: what JSON can hold, exactly, and names for what it cannot."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

NOT_FINITE = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
BARE = re.compile(rf"(?<=[\[,])\s*({NOT_FINITE.pattern})\s*(?=[\],])", re.IGNORECASE)
"""What is not finite as C, Rust and others print it, which is no JSON."""
QUOTED = 200
"""Characters of a line that are quoted."""


def numbers(x: np.ndarray) -> list[float | str]:
    """Return the elements of an array row by row, as JSON can hold them: exactly, with names for what is not finite."""
    return [v if math.isfinite(v) else _name(v) for v in x.astype(np.float64).ravel().tolist()]


def array(data: Any, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return the array of some numbers of an answer.

    Raises
    ------
    ValueError
        If they are no numbers, or more or fewer than the shape has.
    """
    if not isinstance(data, list):
        raise ValueError(f"{quoted(written(data))}, expected a flat list of numbers")
    if len(data) != math.prod(shape):
        raise ValueError(f"{len(data)} numbers, expected {math.prod(shape)}, row by row, for shape {shape}")
    with np.errstate(over="ignore"):
        return np.array([_number(v) for v in data], dtype=np.float64).astype(dtype).reshape(shape)


def _number(value: Any) -> float:
    if isinstance(value, float):  # all numbers are, see parsed
        return value
    if isinstance(value, str) and NOT_FINITE.fullmatch(value):
        return float(value)
    hint = '; JSON.stringify writes null for NaN and Infinity, for which "NaN" and "Infinity" are expected'
    raise ValueError(f"{quoted(written(value))}, expected a number{hint if value is None else ''}")


def _name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def values(hyper: Mapping[str, float]) -> dict[str, float | str]:
    """Return hyper-parameters as JSON can hold them."""
    return {k: numbers(np.array(v))[0] for k, v in hyper.items()}


def written(value: Any) -> str:
    """Write an object as one line, without spaces, its keys in the order they are in."""
    return json.dumps(value, separators=(",", ":"))


def parsed(line: str) -> Any:
    """Parse an answer; None if it is no JSON. All numbers become floats, so that -0 keeps its sign."""
    for text in (line, BARE.sub(r'"\1"', line)):
        try:
            return json.loads(text, parse_int=float)
        except (ValueError, RecursionError):
            continue
    return None


def quoted(line: str) -> str:
    """Quote a line that a process wrote, cut short."""
    return repr(line if len(line) <= QUOTED else line[:QUOTED] + "...")
