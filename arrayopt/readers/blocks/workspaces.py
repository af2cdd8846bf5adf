"""Matrix helpers with memory of their own, so that a step does not allocate."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from arrayopt.core.orthogonal import newton_schulz
from arrayopt.core.orthogonal.buffered import buffered, supported

NEWTON_SCHULZ: Any = vars(newton_schulz)["__wrapped__"]
"""What the tape records."""


def workspace(
    helper: Callable[..., Any], shape: tuple[int, ...], dtype: Any, attrs: Mapping[str, Any]
) -> Callable[[], Callable[..., np.ndarray]] | None:
    """Return what makes ``f(*arguments, out)``, the in-place form of an opaque helper; None where there is none."""
    if helper is not NEWTON_SCHULZ or not supported(dtype, attrs.get("norm", "add"), attrs.get("bfloat16", False)):
        return None
    return lambda: buffered(shape, dtype, attrs["polynomials"], attrs.get("norm", "add"))
