"""What the rules of Wolfe's kind have in common."""

from typing import Any

from arrayopt.errors import OptionError


def check_wolfe(rule: Any, decrease: float, curvature: float, names: str = "c1 < c2") -> None:
    """Raise OptionError unless the share of the decrease is below that of the slope, without which steps may not exist.

    Examples
    --------
    >>> check_wolfe(None, 0.1, 0.9)
    """
    if not decrease < curvature:
        raise OptionError(f"{type(rule).__name__}: {names} must hold, got {decrease} and {curvature}")
