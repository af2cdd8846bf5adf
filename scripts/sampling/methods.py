"""What the two experiments on metrics compare: ways to train parameters on a score that has no gradient.

A task has `score(x)` of parameters, from 0 to 1, on training rows, `test(x)` on others, `likelihood(x)`, the gradient
of the surrogate, and `policy(x, rng)`, a gradient estimate of the expected score of sampled outputs. All methods may
take the same number of evaluations of the score, and all return their last iterate. The likelihood alone takes as many
gradients as guided search. Rates and widths are those of one try, the same for all tasks: differences of some
hundredths say more about them than about the methods.

Two rows are there to say what a difference is due to. "no further" is the pre-training, or nothing, alone: what has a
lower test score than it has unlearned. "no score" is guided search with a constant in place of the score: noise and the
likelihood's steps.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import numpy as np

from arrayopt import Adam
from arrayopt.sampling import Guided, ZerothOrder
from scripts.experiment import figure

DIRECTIONS = 8
"""Of zeroth order: twice as many evaluations a step."""
GUIDED = 4
SAMPLES = 16
"""Of the policy a step."""
RATE = 0.02
"""Of Adam."""


class Task(Protocol):
    """Something to train."""

    start: np.ndarray

    def score(self, x: np.ndarray) -> float: ...
    def test(self, x: np.ndarray) -> float: ...
    def likelihood(self, x: np.ndarray) -> np.ndarray: ...
    def policy(self, x: np.ndarray, rng: Any) -> np.ndarray: ...


Train = Callable[[Task, np.ndarray, int, int], np.ndarray]


def adam(x: np.ndarray, gradient: Callable[[np.ndarray], np.ndarray], steps: int) -> np.ndarray:
    """Return x after steps of Adam."""
    rule = Adam(lr=RATE)
    state = rule.init(x)
    for _ in range(steps):
        x, state = rule.update(gradient(x), state, x)
    return x


def nothing(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
    """Stay."""
    return x


def surrogate(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
    """The likelihood alone: the score is never looked at."""
    return adam(x, task.likelihood, evaluations // GUIDED)


def guided(density: Literal["true", "unit"], scored: bool = True) -> Train:
    """Return importance sampling around the likelihood's step.

    In hundreds of dimensions the true densities of the steps differ by so many powers of e that they alone, not the
    scores, say which of the four counts. The variance 1 in the density, as in the public code, leaves it to the scores.
    """

    def train(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
        method = Guided(alpha=0.005, n=GUIDED, share=0.5, sigma=0.03, density=density)
        rng = np.random.default_rng([seed, 1])
        for _ in range(evaluations // GUIDED):
            x = x - method.gradient(
                lambda points: np.asarray([-task.score(p) if scored else 0.0 for p in points]),
                x, 0.5 * task.likelihood(x), rng=rng,
            ).gradient  # fmt: skip
        return x

    return train


def zeroth_order(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
    """Antithetic differences of the score, shaped by ranks."""
    jac = ZerothOrder(lambda p: -task.score(p), sigma=0.1, n=DIRECTIONS, shaping="centred", seed=seed)
    return adam(x, jac, evaluations // (2 * DIRECTIONS))


def policy_gradient(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
    """REINFORCE on sampled outputs."""
    rng = np.random.default_rng([seed, 2])
    return adam(x, lambda p: -task.policy(p, rng), evaluations // SAMPLES)


BASELINE = "likelihood alone"
METHODS: dict[str, Train] = {
    "no further": nothing,
    BASELINE: surrogate,
    "guided, true density": guided("true"),
    "guided, unit density": guided("unit"),
    "guided, no score": guided("unit", scored=False),
    "zeroth order": zeroth_order,
    "policy gradient": policy_gradient,
}
PRETRAINING = 60
STARTS = ("from scratch", "pre-trained")


def compared(task_of: Callable[[int], Task], seeds: range, evaluations: int) -> dict[str, Any]:
    """Return, of every start and method, training and test scores by seed, and by how much they beat the baseline.

    All methods of a seed have the same rows, so that the difference is taken seed by seed: its mean and standard error.
    """
    found: dict[str, Any] = {start: {name: {"training": [], "test": []} for name in METHODS} for start in STARTS}
    for seed in seeds:
        task = task_of(seed)
        for start in STARTS:
            x = task.start if start == STARTS[0] else adam(task.start, task.likelihood, PRETRAINING)
            for name, train in METHODS.items():
                end = train(task, x, evaluations, seed)
                found[start][name]["training"].append(task.score(end))
                found[start][name]["test"].append(task.test(end))
    for rows in found.values():
        for row in rows.values():
            for part in ("training", "test"):
                over = np.subtract(row[part], rows[BASELINE][part])
                error = float(over.std(ddof=1) / np.sqrt(over.size)) if over.size > 1 else None
                row[f"{part} over the baseline"] = [float(over.mean()), error]
    return found


def drawn(tables: Mapping[str, Mapping[str, Any]], seeds: int) -> Any:
    """Return a figure: a column for each table, training above test, every seed a dot, their means a bar.

    What a table has beside the two starts becomes a line, named in the legend if the last table has it.
    """
    made, axes = figure(2, len(tables), (1.5 + 5.5 * len(tables), 8))
    places = range(len(METHODS))
    for column, (title, found) in enumerate(tables.items()):
        for panel, part in zip(axes[:, column], ("training", "test"), strict=True):
            shown = []
            for k, start in enumerate(STARTS):
                values = np.asarray([found[start][name][part] for name in METHODS])
                at = np.asarray(places) + 0.3 * k - 0.15
                used = slice(1, None) if k == 0 else slice(None)  # a start of zeros is no score to compare with
                panel.plot(values[used], at[used, None].repeat(values.shape[1], 1), ".", ms=4, alpha=0.5, color=f"C{k}")
                panel.plot(values[used].mean(axis=1), at[used], "|", ms=13, mew=2.5, color=f"C{k}", label=start)
                shown.append(values[used])
            for k, start in enumerate(STARTS):
                panel.axvline(np.mean(found[start][BASELINE][part]), color=f"C{k}", ls=":", lw=0.9)
            for name, values in found.items():
                if name not in STARTS:
                    panel.axvline(np.mean(values[part]), color="black", ls="--", lw=0.9, label=name)
            panel.set_yticks(places, METHODS if column == 0 else [])
            least, most = min(v.min() for v in shown), max(v.max() for v in shown)
            room = 0.05 * (most - least) + 0.002
            panel.set(title=f"{title}: {part}", ylim=(len(METHODS) - 0.5, -0.5), xlim=(least - room, most + room))
            panel.grid(axis="y", alpha=0.25)
    handles, labels = axes[0, -1].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside lower center", ncols=3,
                title=f"dots: {seeds} seeds, bars: means, dotted lines: the likelihood alone")  # fmt: skip
    return made
