"""What the rules that measure a whole leaf share: its root mean square."""

from typing import Any

from arrayopt.backend import Array, Namespace


def rms(xp: Namespace, x: Array, **axes: Any) -> Array:
    """Return the root mean square of an array, or along some axes.

    It is the Euclidean norm over the root of the size, and stays in range where the sum of squares of a
    large float16 leaf would not.
    """
    return xp.sqrt(xp.mean(x * x, **axes))
