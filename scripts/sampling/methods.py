"""What the two experiments on metrics compare: four ways to train parameters on a score that has no gradient.

A task has `score(x)` of parameters, from 0 to 1, on training rows, `test(x)` on others, `likelihood(x)`, the gradient
of the surrogate, and `policy(x, rng)`, a gradient estimate of the expected score of sampled outputs. All methods may
take the same number of evaluations of the score; the surrogate alone takes as many gradients as guided search.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from arrayopt import Adam
from arrayopt.sampling import Guided, ZerothOrder

DIRECTIONS = 8
"""Of zeroth order: twice as many evaluations a step."""
GUIDED = 4
SAMPLES = 16
"""Of the policy a step."""


class Task(Protocol):
    """Something to train."""

    start: np.ndarray

    def score(self, x: np.ndarray) -> float: ...
    def test(self, x: np.ndarray) -> float: ...
    def likelihood(self, x: np.ndarray) -> np.ndarray: ...
    def policy(self, x: np.ndarray, rng: Any) -> np.ndarray: ...


def adam(x: np.ndarray, gradient: Callable[[np.ndarray], np.ndarray], steps: int, lr: float) -> np.ndarray:
    """Return x after steps of Adam."""
    rule = Adam(lr=lr)
    state = rule.init(x)
    for _ in range(steps):
        x, state = rule.update(gradient(x), state, x)
    return x


def surrogate(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
    """The likelihood alone: the score is never looked at."""
    return adam(x, task.likelihood, evaluations // GUIDED, 0.02)


def guided(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
    """Importance sampling around the likelihood's step."""
    method = Guided(alpha=0.005, n=GUIDED, share=0.5, sigma=0.03)
    rng = np.random.default_rng(seed)
    best, highest = x, task.score(x)
    for _ in range(evaluations // GUIDED):
        found = method.gradient(lambda points: np.asarray([-task.score(p) for p in points]), x,
                                0.5 * task.likelihood(x), rng=rng)  # fmt: skip
        x = x - found.gradient
        if -found.f.min() > highest:
            highest, best = -float(found.f.min()), x
    return best if task.score(x) < task.score(best) else x


def zeroth_order(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
    """Antithetic differences of the score, shaped by ranks."""
    jac = ZerothOrder(lambda p: -task.score(p), sigma=0.1, n=DIRECTIONS, shaping="centred", seed=seed)
    return adam(x, jac, evaluations // (2 * DIRECTIONS), 0.02)


def policy_gradient(task: Task, x: np.ndarray, evaluations: int, seed: int) -> np.ndarray:
    """REINFORCE on sampled outputs."""
    rng = np.random.default_rng(seed)
    return adam(x, lambda p: -task.policy(p, rng), evaluations // SAMPLES, 0.02)


METHODS: dict[str, Callable[[Task, np.ndarray, int, int], np.ndarray]] = {
    "likelihood alone": surrogate,
    "importance sampling": guided,
    "zeroth order": zeroth_order,
    "policy gradient": policy_gradient,
}
PRETRAINING = 60


def compared(task_of: Callable[[int], Task], seeds: range, evaluations: int) -> dict[str, Any]:
    """Return the scores of every method, from scratch and after pre-training on the likelihood, by seed."""
    found: dict[str, Any] = {}
    for start in ("from scratch", "pre-trained"):
        for name, train in METHODS.items():
            ends = []
            for seed in seeds:
                task = task_of(seed)
                x = task.start if start == "from scratch" else adam(task.start, task.likelihood, PRETRAINING, 0.02)
                end = train(task, x, evaluations, seed)
                ends.append([task.score(x), task.score(end), task.test(end)])
            found[f"{name}, {start}"] = ends
    return found


def bars(panel: Any, found: dict[str, Any], title: str) -> None:
    """Draw training and test scores with their spread over seeds."""
    names = list(found)
    for k, (column, label) in enumerate(((1, "training"), (2, "test"))):
        values = np.asarray([[end[column] for end in found[name]] for name in names])
        panel.barh(np.arange(len(names)) + 0.2 - 0.4 * k, values.mean(axis=1), 0.38, xerr=values.std(axis=1),
                   color=f"C{k}", label=label, error_kw={"lw": 1})  # fmt: skip
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    least = min(end[column] for ends in found.values() for end in ends for column in (1, 2))
    panel.set(title=title, xlim=(max(0.0, least - 0.1), 1.02))
    panel.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.06))
