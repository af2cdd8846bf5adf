"""The average loss of projected SGD against its bound, for two schedules of the rate (archive 9902)."""

import math
from typing import Any

import numpy as np

from arrayopt.theory import project_ball, projected_sgd
from scripts.experiment import figure

D, DIMENSIONS = 2.0, 5
"""The diameter of the unit ball, and its dimensions."""


def draw(seed: int, quick: bool) -> tuple[Any, dict[str, Any]]:
    lengths = [10, 100] if quick else [10, 30, 100, 300, 1000, 3000]
    rng = np.random.default_rng(seed)
    target = project_ball(rng.standard_normal(DIMENSIONS))
    made, axes = figure(1, 1, (8, 5.5))
    panel, data = axes[0][0], {}
    for k, (name, rates) in enumerate({
        "constant, for this T": lambda T: np.full(T, D / math.sqrt(T)),
        "1 / sqrt(t)": lambda T: D / math.sqrt(2) / np.sqrt(np.arange(1, T + 1)),
    }.items()):  # fmt: skip
        regrets, bounds = [], []
        for T in lengths:
            directions = rng.standard_normal((T, DIMENSIONS))
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)  # so that gradients are at most 1

            def fun(t: int, x: Any, directions: np.ndarray = directions) -> tuple[float, Any]:
                off = float(directions[t - 1] @ (x - target))
                return abs(off), np.sign(off) * directions[t - 1]

            ledger = projected_sgd(fun, np.eye(DIMENSIONS)[0], rates(T), target, project_ball)
            regrets.append(float(ledger.regret))
            bounds.append(float(ledger.bound()))
        panel.loglog(lengths, bounds, "--", color=f"C{k}", label=f"bound, {name}")
        panel.loglog(lengths, regrets, "o-", color=f"C{k}", label=f"average loss above the comparator's, {name}")
        data[name] = {"regret": regrets, "bound": bounds}
    panel.set(title="projected SGD on absolute losses in a ball", xlabel="steps T")
    panel.legend()
    return made, {"steps": lengths, **data}
