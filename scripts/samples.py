"""Stochastic, mini-batch and full-batch gradient descent against the samples that they have seen.

`python -m scripts.samples [-o DIR]` writes samples.png and samples.json, on logistic regression. Some steps along one
sample raise the loss; on the whole they lower it long before a full pass is over.
"""

import sys
from collections.abc import Sequence

import numpy as np

from arrayopt import SGD, InverseSqrt
from arrayopt.firstorder import minibatches
from arrayopt.problems import LogisticRegression, logistic_on
from scripts.experiment import arguments, figure, save


def run(loss: LogisticRegression, batch: int, epochs: int, seed: int) -> dict[str, object]:
    """Return the loss on all rows after each step, and the samples seen until then."""
    rng = np.random.default_rng(seed)
    rows = np.arange(loss.m)
    rule = SGD(lr=InverseSqrt(0.5)) if batch < loss.m else SGD(lr=1 / loss.smoothness)
    w = loss.start
    state = rule.init(w)
    seen, values = [0], [float(loss.value(w))]
    for _ in range(epochs):
        for (part,) in minibatches(rows, batch_size=batch, rng=rng):
            w, state = rule.update(loss.on(part).gradient(w), state, w)
            seen.append(seen[-1] + len(part))
            values.append(float(loss.value(w)))
    rises = float(np.mean(np.diff(values) > 0))
    return {"samples": seen, "loss": values, "share of steps that raise the loss": rises}


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments("samples", __doc__, argv)
    loss = logistic_on("breast_cancer")
    epochs = 1 if given.quick else 8
    batches = {"SGD, one sample": 1, "mini-batch, 16": 16, "mini-batch, 128": 128, "full batch": loss.m}
    data = {name: run(loss, batch, epochs, given.seed) for name, batch in batches.items()}
    made, axes = figure(1, 2, (14, 5.5))
    for k, (name, found) in enumerate(data.items()):
        passes = np.asarray(found["samples"]) / loss.m
        for panel in axes[0]:
            panel.semilogy(passes, found["loss"], ".-" if k == 3 else "-", lw=0.8, color=f"C{k}", label=name)
    axes[0][0].set(title=repr(loss), xlabel="passes over the data", ylabel="loss on all rows")
    axes[0][1].set(title="the first pass", xlabel="passes over the data", xlim=(0, 1))
    axes[0][0].legend()
    save(made, data, "samples", given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
