"""The error of zeroth-order gradients against the dimension, with the laws that it follows on linear functions.

Of n antithetic directions in d dimensions all errors are about d / n: the right panel takes that away. Orthogonal
directions are worth it while n is near d; as many as there are dimensions make no error at all.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from arrayopt.sampling import antithetic_gradient, draw_directions
from scripts.experiment import figure

N = 8
LAWS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "gaussian": ("(d + 1) / n", lambda d: (d + 1) / N),
    "rademacher": ("(d - 1) / n", lambda d: (d - 1) / N),
    "sphere": ("(d - 1) / n", lambda d: (d - 1) / N),
    "orthogonal": ("(d - n) / n", lambda d: (d - N) / N),
}
"""Relative mean squared errors of N antithetic directions, from d = N on."""


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    dimensions = [8, 32] if quick else [8, 12, 16, 32, 64, 128, 256]
    repeats = 200 if quick else 1500
    rng = np.random.default_rng(seed)
    made, axes = figure(1, 2, (14, 5.5))
    data: dict[str, Any] = {"dimensions": dimensions, "directions": N, "repeats": repeats}
    at, fine = np.asarray(dimensions), np.geomspace(8, dimensions[-1], 200)
    for k, (kind, (formula, law)) in enumerate(LAWS.items()):
        errors, spread = [], []
        for d in dimensions:
            g = rng.standard_normal(d)
            g /= np.linalg.norm(g)
            u = np.asarray(draw_directions(N, d, kind, rng, draws=repeats))
            f = u @ g
            squares = ((antithetic_gradient(f, -f, u, 1.0) - g) ** 2).sum(axis=-1)
            errors.append(float(squares.mean()))
            spread.append(float(squares.std(ddof=1) / np.sqrt(repeats)))
        data[kind] = {"error": errors, "standard error": spread, "law": law(at).tolist()}
        style = {"color": f"C{k}", "marker": "os^v"[k], "ls": "", "ms": 6, "mfc": "none"}
        shifted = at * 1.02 ** (k - 1.5)  # or they lie on one another
        shown = law(at) > 0  # an error of 0 has no place on a logarithmic axis
        axes[0][0].plot(at[shown], np.asarray(errors)[shown], **style, label=f"{kind}: {formula}")
        ratio, bars = np.asarray(errors) * N / at, 2 * np.asarray(spread) * N / at
        axes[0][1].errorbar(shifted, ratio, bars, **style, capsize=2, label=kind)
        for panel, unit in zip(axes[0], (1, N / fine), strict=True):
            values = law(fine) * unit
            panel.plot(fine[values > 0], values[values > 0], "--" if kind == "sphere" else "-", color=f"C{k}", lw=1)
    axes[0][0].set(title=f"error of {N} antithetic directions (lines: the laws)", xlabel="dimensions d", xscale="log",
                   ylabel="mean squared error, relative", yscale="log", ylim=(0.1, None))  # fmt: skip
    axes[0][1].set(title="the same over d / n, with two standard errors", xlabel="dimensions d", xscale="log",
                   ylabel="relative error / (d / n)")  # fmt: skip
    for panel in axes[0]:
        panel.set_xticks(dimensions, [str(d) for d in dimensions])
        panel.minorticks_off()
        panel.legend(loc="lower right")
    return made, data
