"""Smooth approximations of the ReLU and of the floor, and how far SquarePlus is from SoftPlus (archives 8718, 8833)."""

from typing import Any

import numpy as np

from arrayopt.smooth import Logistic, gaussian_relu, gelu, smooth_floor, softplus, squareplus, squareplus_minimax, swish
from scripts.experiment import figure


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    x = np.linspace(-6, 6, 201 if quick else 2001)
    fit = squareplus_minimax()
    made, axes = figure(1, 3, (18, 5))
    left, middle, right = axes[0]
    named = f"SquarePlus, b = {fit.b:.4f}"
    curves = {"SoftPlus": softplus(x), "Gaussian ReLU": gaussian_relu(x), named: squareplus(x, fit.b),
              "Swish": swish(x), "GELU": gelu(x)}  # fmt: skip
    for k, (name, y) in enumerate(curves.items()):
        left.plot(x, y, "--" if k > 2 else "-", label=name)
    left.plot(x, np.maximum(x, 0), "k:", label="ReLU")
    left.set(title="smooth ReLUs (dashed: products, not convolutions)", xlim=(-3, 3), ylim=(-0.4, 3), xlabel="x")
    left.legend()
    errors = {}
    for b, name in ((fit.b, "min-max"), (4 * np.log(2) ** 2, "least b that is never below"), (1.0, "too small")):
        errors[name] = squareplus(x, b) - softplus(x)
        middle.plot(x, errors[name], label=f"{name}: b = {b:.4f}")
    for s in (-1, 1):
        middle.axhline(s * fit.error, color="black", lw=0.6, ls=":")
        middle.axvline(s * fit.at, color="black", lw=0.6, ls=":")
    middle.set(title=f"SquarePlus - SoftPlus; the least maximum is {fit.error:.6f}", xlabel="x")
    middle.set_ylim(bottom=-0.3)  # room for the legend
    middle.legend(loc="lower center")
    z = np.linspace(-2.5, 3.5, 201 if quick else 2001)
    for t in (4.0, 10.0, 40.0):
        right.plot(z, smooth_floor(z, Logistic(1 / t)), label=f"logistic kernel, t = {t:g}")
    right.plot(z, np.floor(z), "k:", label="floor")
    right.plot([-1, 0, 1, 2], [-1.5, -0.5, 0.5, 1.5], "k.", label="at integers k: k - 1/2")
    right.set(title="a smooth floor", xlabel="x")
    right.legend()
    worst = {name: float(np.abs(e).max()) for name, e in errors.items()}
    return made, {"b": fit.b, "error": fit.error, "at": fit.at, "largest error on the grid": worst}
