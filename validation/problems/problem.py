"""What is minimised."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Problem:
    """A smooth function with a start and derivatives, in float64.

    Attributes
    ----------
    name : str
        What tables call it.
    x0 : array, shape (n,)
        Where runs start.
    value_and_gradient : callable
        ``x -> (float, array)``.
    hessian : callable
        ``x -> array``, shape (n, n), symmetric.
    """

    name: str
    x0: Array
    value_and_gradient: Callable[[Array], tuple[float, Array]]
    hessian: Callable[[Array], Array]

    @property
    def n(self) -> int:
        """How many variables it has."""
        return self.x0.size
