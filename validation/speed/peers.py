"""Other libraries' steps of the same rule, as calls; where there is none, the reason."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Run = Callable[[], object]
KINDS = {"torch for-loop": {"foreach": False}, "torch foreach": {"foreach": True}, "torch fused": {"fused": True}}

TORCH: Mapping[str, tuple[str, Mapping[str, Any], tuple[str, ...]]] = {
    "momentum": ("SGD", {"lr": 1e-3, "momentum": 0.9}, tuple(KINDS)),
    "adamw": ("AdamW", {"lr": 1e-3, "weight_decay": 0.01}, tuple(KINDS)),
    "adadelta": ("Adadelta", {"lr": 1.0}, ("torch for-loop", "torch foreach")),
    "muon": ("Muon", {"lr": 1e-3}, ("torch for-loop",)),
}
"""Class, options, and which of the three ways it has."""
OPTAX: Mapping[str, Callable[[Any], Any]] = {
    "momentum": lambda optax: optax.sgd(1e-3, momentum=0.9),
    "adamw": lambda optax: optax.adamw(1e-3, weight_decay=0.01),
    "lion": lambda optax: optax.lion(1e-4),
    "adadelta": lambda optax: optax.adadelta(1.0),
    "muon": lambda optax: optax.contrib.muon(1e-3),
    "lamb": lambda optax: optax.lamb(1e-3),
}


def torch_steps(
    name: str, params: Sequence[np.ndarray], grads: Sequence[np.ndarray], threads: int
) -> dict[str, Run | str]:
    """Return `step` of each kind, on the memory of the arrays; the state is torch's own."""
    try:
        import torch
    except ImportError:
        return dict.fromkeys(KINDS, "torch is not installed")
    if name not in TORCH:
        return dict.fromkeys(KINDS, f"torch has no {name}")
    torch.set_num_threads(threads)
    cls, options, kinds = TORCH[name]
    made: dict[str, Run | str] = {}
    for kind, how in KINDS.items():
        if kind not in kinds:
            made[kind] = f"torch's {cls} has none"
            continue
        tensors = [torch.nn.Parameter(torch.from_numpy(p)) for p in params]
        for p, g in zip(tensors, grads, strict=True):
            p.grad = torch.from_numpy(g)
        made[kind] = getattr(torch.optim, cls)(tensors, **options, **(how if len(kinds) > 1 else {})).step
    return made


def optax_step(name: str, params: Sequence[np.ndarray], grads: Sequence[np.ndarray]) -> Run | str:
    """Return a step under `jit` that is given its arrays away; on copies, since they are written."""
    try:
        import jax
        import optax
        import optax.contrib
    except ImportError as error:
        return f"{error.name} is not installed"
    rule = OPTAX[name](optax)
    held = [jax.numpy.array(p, copy=True) for p in params]
    g = [jax.numpy.array(x, copy=True) for x in grads]
    kept = [held, jax.jit(rule.init)(held)]

    def step(g: Any, state: Any, params: Any) -> Any:
        updates, state = rule.update(g, state, params)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(step, donate_argnums=(1, 2))

    def run() -> None:
        kept[0], kept[1] = jax.block_until_ready(compiled(g, kept[1], kept[0]))

    return run
