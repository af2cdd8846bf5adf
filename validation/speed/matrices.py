"""Orthogonalisation of one matrix, and normal numbers, against the loops that are in use elsewhere."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from arrayopt.core import random
from arrayopt.core.orthogonal import msign, named, take
from arrayopt.core.orthogonal.buffered import buffered
from arrayopt.readers.blocks import threads
from validation.speed.rounds import Run

STEPS, EPS = 5, 1e-7
NORMALS = 10**6


def cells(scale: float) -> list[tuple[str, int, Callable[[], dict[str, Run | str]]]]:
    """Return names, elements and alternatives."""
    side = scale**0.5
    wide, square = (max(4, round(768 * side)), max(4, round(3072 * side))), (max(4, round(768 * side)),) * 2
    found: list[tuple[str, int, Any]] = [
        (f"ns/768x{label}", s[0] * s[1], partial(_newton_schulz, s)) for label, s in (("3072", wide), ("768", square))
    ]
    found.append(("msign/768x3072", wide[0] * wide[1], partial(_exact, wide)))
    n = max(100, round(NORMALS * scale))
    found.append(("normals/1e6", n, partial(_normals, n)))
    return found


def _matrix(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def five_lines(x: Any, norm: Any) -> Any:
    """Orthogonalise as the loop that is copied from port to port does, in any library with `@` and `.T`."""
    x = x / (norm(x) + EPS)
    for a, b, c in take(named("keller"), STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def _newton_schulz(shape: tuple[int, int]) -> dict[str, Run | str]:
    x = _matrix(shape)
    out = np.empty_like(x)
    compute = buffered(shape, x.dtype, take(named("keller"), STEPS), "add")
    return {
        "arrayopt": lambda: compute(x, EPS, out),
        "numpy loop": lambda: five_lines(x, np.linalg.norm),
        "torch loop": _torch_loop(x),
    }


def _torch_loop(x: np.ndarray) -> Run | str:
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    tensor = torch.from_numpy(x)
    return lambda: five_lines(tensor, torch.linalg.norm)


def _exact(shape: tuple[int, int]) -> dict[str, Run | str]:
    x = _matrix(shape)
    return {"arrayopt": lambda: msign(np, x), "numpy loop": lambda: five_lines(x, np.linalg.norm)}


def error_of_msign(scale: float = 1.0) -> float:
    """Return the relative error of `msign` in the Frobenius norm, against singular values in float64."""
    x = _matrix((max(4, round(768 * scale**0.5)), max(4, round(3072 * scale**0.5))))
    u, _, vh = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    exact = u @ vh
    return float(np.linalg.norm(msign(np, x) - exact) / np.linalg.norm(exact))


def _normals(n: int) -> dict[str, Run | str]:
    rng = np.random.default_rng(0)
    out = np.empty(n, np.float32)
    ways: dict[str, Run | str] = {
        "arrayopt": _ours(out),
        "numpy": lambda: rng.standard_normal(out=out, dtype=np.float32),
    }
    try:
        import torch
    except ImportError:
        return {**ways, "torch normal_": "torch is not installed"}
    tensor = torch.empty(n)
    return {**ways, "torch normal_": tensor.normal_}


def _ours(out: np.ndarray) -> Run:
    blocks = range(-(-out.size // random.NORMAL_BLOCK))
    parts = [p for p in (blocks[: len(blocks) // 2], blocks[len(blocks) // 2 :]) if p]
    jobs = [[partial(random.fill_normal, out, 0, 1, 2, part)] for part in parts]
    return lambda: threads.run(jobs)
