"""The wrappers of optax, around Adam: with arguments at which they must compute what Adam computes alone."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import optax
import optax.contrib


def _in_two_parts(inner: Any) -> Any:
    """Accumulate every gradient from two equal parts, whose mean it is."""
    steps = optax.MultiSteps(inner, 2)

    def update(grads: Any, state: Any, params: Any) -> Any:
        _, state = steps.update(grads, state, params)
        return steps.update(grads, state, params)

    return optax.GradientTransformation(steps.init, update)


AROUND: Mapping[str, Callable[[Any], Any]] = {
    "MultiSteps": _in_two_parts,
    "apply_if_finite": lambda inner: optax.apply_if_finite(inner, 5),
    "conditionally_mask": lambda inner: optax.conditionally_mask(inner, lambda step: True),
    "conditionally_transform": lambda inner: optax.conditionally_transform(inner, lambda step: True),
    "flatten": optax.flatten,
    "masked": lambda inner: optax.masked(inner, True),
    "multi_transform": lambda inner: optax.multi_transform({"all": inner}, "all"),
    "partition": lambda inner: optax.partition({"all": inner}, "all"),
    "selective_transform": lambda inner: optax.selective_transform(inner, freeze_mask=False),
    "split_real_and_imaginary": optax.contrib.split_real_and_imaginary,
    "with_extra_args_support": optax.with_extra_args_support,
}
"""Those that are given an optimizer."""
FACTORIES: Mapping[str, Callable[..., Any]] = {
    "inject_hyperparams": optax.inject_hyperparams,
    "inject_stateful_hyperparams": optax.inject_stateful_hyperparams,
}
"""Those that are given the function that makes one."""


def around_adam(name: str) -> Callable[..., Any] | None:
    """Return a function with the arguments of Adam that makes the wrapper, and knows what is in it; None for others."""
    if name not in AROUND and name not in FACTORIES:
        return None

    @functools.wraps(optax.adam)
    def target(*args: Any, **kwargs: Any) -> Any:
        if name in FACTORIES:
            return FACTORIES[name](optax.adam)(*args, **kwargs)
        return AROUND[name](optax.adam(*args, **kwargs))

    target.alone = optax.adam  # type: ignore[attr-defined]
    return target
