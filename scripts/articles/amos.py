"""The schedules that follow from Amos' idea against a simulation of what they assume (archive 9344)."""

from typing import Any

import numpy as np

from arrayopt.theory import amos_decay, simulate_amos
from scripts.experiment import figure

ALPHA, P = 5e-3, 0.1


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    k, steps = (200, 1000) if quick else (2000, 4000)
    rng = np.random.default_rng(seed)
    start, optimum = rng.standard_normal((2, k))
    t = np.arange(steps + 1)
    made, axes = figure(1, 2, (13, 5))
    left, right = axes[0]
    data: dict[str, Any] = {"alpha0": ALPHA, "p": P}
    for i, (cosine, what) in enumerate((("constant", "constant cosine"), ("decaying", "decaying cosine"))):
        predicted = amos_decay(t, ALPHA, P, cosine)
        left.semilogy(t, predicted, "k--" if i == 0 else "k:", label=f"predicted, {what}")
        for j, (name, at) in enumerate((("optimum 0: q = 1", 0 * start), ("random optimum: q = 1/2", optimum))):
            squares, q = simulate_amos(start, at, ALPHA, P, steps, cosine, rng=seed)
            left.semilogy(t, squares, color=f"C{2 * i + j}", lw=1, label=f"{what}, {name}")
            right.plot(t, q, color=f"C{2 * i + j}", lw=1, label=f"{what}, {name}")
            data[f"{what}, {name}"] = {"squares": squares[:: steps // 20].tolist(), "q": q[:: steps // 20].tolist()}
    left.set(title=f"squared distance to the optimum, {k} parameters", xlabel="step", ylabel="relative to the first")
    right.set(title="q, which the derivation takes for 1: below 0, weight decay leads away", xlabel="step")
    right.axhline(0, color="black", lw=0.6)
    left.legend(fontsize=8)
    right.legend(fontsize=8)
    return made, data
