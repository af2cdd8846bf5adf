"""Times of AdamW on a device: this engine, torch's fused step and a copy, in shuffled rounds of one process."""

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from arrayopt import AdamW
from arrayopt.core.rule import Rule
from arrayopt.readers.kernel.engine import Engine

ROUNDS = 15
CALLS = 20
"""Steps in one sample, which ends with a wait for the device."""
BYTES = 28
"""Traffic of AdamW per element in float32: p, g, m and v are read, p, m and v written."""
COPIED = 1 << 28
"""Elements of the array whose copying gives the bandwidth: 1 GiB."""

_BLOCK = [(768,), (768,), (768, 2304), (2304,), (768, 768), (768,), (768,), (768,), (768, 3072), (3072,),
          (3072, 768), (768,)]  # fmt: skip
GPT2 = [(50257, 768), (1024, 768), *(_BLOCK * 12), (768,), (768,)]
assert len(GPT2) == 148
SIZES = {"1e8": [(10**8,)], "148 leaves of GPT-2": GPT2}


def alternatives(shapes: list[tuple[int, ...]]) -> tuple[dict[str, Callable[[], None]], str]:
    """Return what is timed, and why torch is not among it."""
    import cupy

    rule: Rule = AdamW()
    params = {str(i): cupy.random.standard_normal(s, dtype=cupy.float32) for i, s in enumerate(shapes)}
    grads = [cupy.random.standard_normal(s, dtype=cupy.float32) for s in shapes]
    step, t = Engine().prepare(rule, params, rule.init(params).slots), iter(range(1, 10**9))
    found: dict[str, Callable[[], None]] = {"arrayopt": lambda: step(next(t), grads)}
    source, target = cupy.ones(COPIED, cupy.float32), cupy.empty(COPIED, cupy.float32)
    found["copy"] = lambda: cupy.copyto(target, source)
    try:
        import torch
    except ImportError:
        return found, "torch is not installed"
    if not torch.cuda.is_available():
        return found, "torch has no CUDA device"
    tensors = [torch.nn.Parameter(torch.randn(s, device="cuda")) for s in shapes]
    for p in tensors:
        p.grad = torch.randn_like(p)
    found["torch fused"] = torch.optim.AdamW(tensors, fused=True).step
    return found, ""


def timed(run: Callable[[], None], wait: Callable[[], None]) -> float:
    wait()
    began = time.perf_counter()
    for _ in range(CALLS):
        run()
    wait()
    return (time.perf_counter() - began) / CALLS


def measure(name: str) -> Mapping[str, Any]:
    """Time one size; return a line of the table."""
    import cupy

    shapes = SIZES[name]
    runs, missing = alternatives(shapes)
    wait = cupy.cuda.Device().synchronize
    for run in runs.values():
        run()
    shuffle, samples = random.Random(0), {k: list[float]() for k in runs}
    for _ in range(ROUNDS):
        for k in shuffle.sample(list(runs), len(runs)):
            samples[k].append(timed(runs[k], wait))
    elements = sum(map(math.prod, shapes))
    bound = [BYTES * elements * s / (8 * COPIED) for s in samples["copy"]]
    ours, fused = samples["arrayopt"], samples.get("torch fused")
    return {
        "case": name,
        "elements": elements,
        "ms": {k: 1e3 * statistics.median(s) for k, s in samples.items()},
        "copy_GB_per_s": 8e-9 * COPIED / statistics.median(samples["copy"]),
        "GB_per_s": 1e-9 * BYTES * elements / statistics.median(ours),
        "of_copy_bandwidth": statistics.median(b / s for b, s in zip(bound, ours, strict=True)),
        "to_torch_fused": statistics.median(s / f for s, f in zip(ours, fused, strict=True)) if fused else None,
        "torch_missing": missing,
    }
