"""Methods that use second derivatives or model them: line searches, Newton, quasi-Newton, conjugate gradients."""

from collections.abc import Callable, Mapping

from arrayopt.core.method import Method
from arrayopt.secondorder.steepest import SteepestDescent

METHODS: Mapping[str, Callable[..., Method]] = {
    "steepest_descent": SteepestDescent,
}
"""Names that `minimize` takes."""

__all__ = ["METHODS", "SteepestDescent"]
