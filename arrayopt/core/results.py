"""Results as plain data: what reports and experiments write to JSON."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def plain(x: Any) -> Any:
    """Turn a value into what JSON can hold.

    Dataclasses become objects with their class's name under ``type``; numbers that JSON lacks (NaN and
    infinities) and whatever else is unknown become strings.

    Examples
    --------
    >>> from arrayopt import SGD
    >>> plain({"rule": SGD(lr=0.5), "error": float("inf")})["rule"]["lr"]
    0.5
    """
    if x is None or isinstance(x, (bool, int, str)):
        return x
    if isinstance(x, float):
        return x if math.isfinite(x) else str(x)
    if isinstance(x, Mapping):
        return {str(k): plain(v) for k, v in x.items()}
    if isinstance(x, (tuple, list)):
        return [plain(v) for v in x]
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return {"type": type(x).__name__} | {f.name: plain(getattr(x, f.name)) for f in dataclasses.fields(x)}
    return str(x)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write plain data to a file, with one item a line so that two files can be compared."""
    path.write_text(json.dumps(plain(data), indent=1) + "\n", encoding="utf-8")
