"""scikit-learn: the two optimizers that train its neural networks, which are not public."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import sklearn.neural_network._stochastic_optimizers as stochastic

from arrayopt import firstorder as rules
from arrayopt.conformance.adapters import Peer, Row, exported, listed, named, release
from arrayopt.conformance.adapters.assembly import Assembly, public
from arrayopt.conformance.adapters.translation import Options
from arrayopt.conformance.candidate import Arrays, Candidate
from arrayopt.conformance.reports.scripts.apis import SKLEARN

NAMES = {"learning_rate_init": "lr", "beta_1": "beta1", "beta_2": "beta2", "epsilon": "eps"}
"""Options of scikit-learn -> fields."""


class Session:
    """An optimizer and the arrays that it updates in place."""

    def __init__(self, options: Options, params: Arrays, hyper: Mapping[str, float]) -> None:
        self.options, self.hyper = options, dict(hyper)
        self.params = params
        self.optimizer = options.make(hyper, list(params.values()))

    def step(self, grads: Arrays) -> Arrays:
        """Take a step."""
        self.optimizer.update_params(list(self.params.values()), [grads[k] for k in self.params])
        return self.params

    def set(self, **hyper: float) -> None:
        """Change hyper-parameters, which are attributes; SGD reads its rate from another one than Adam."""
        self.hyper |= hyper
        for option, value in self.options.changed(hyper, self.hyper).items():
            setattr(self.optimizer, option, value)
        self.optimizer.learning_rate = self.optimizer.learning_rate_init

    def save(self) -> tuple[Arrays, Any]:
        """Return copies of the parameters and of the optimizer."""
        return copy.deepcopy((self.params, self.optimizer))

    def load(self, state: tuple[Arrays, Any]) -> None:
        """Go on from a state that `save` returned."""
        self.params, self.optimizer = copy.deepcopy(state)


# power_t is read between epochs, not in a step
ASSEMBLY = Assembly(
    Session, release("sklearn"), NAMES, dtypes=("float32",), inert=("power_t",), api=lambda options: SKLEARN
)


def candidate(target: Callable[..., Any], **fixed: Any) -> Candidate:
    """Adapt a class that has scikit-learn's ``update_params(params, grads)``.

    Parameters
    ----------
    target : callable
        ``target(params, **options)``.
    **fixed
        Options that are held, under scikit-learn's names.
    """
    return ASSEMBLY.candidate(target, named(target, fixed), fixed)


def exports() -> list[Peer]:
    """Find the optimizers of scikit-learn: every subclass of their base class."""
    base = stochastic.BaseOptimizer
    classes = public(stochastic, lambda x: isinstance(x, type) and issubclass(x, base) and x is not base)
    return exported(stochastic.__name__, classes, ASSEMBLY)


def peers() -> list[Peer]:
    """List the optimizers of scikit-learn."""
    rows = [
        Row("SGDOptimizer", rules.SGD, {"nesterov": False, "momentum": 0.0}),
        Row("SGDOptimizer", rules.Momentum, {"nesterov": False}),
        Row("SGDOptimizer", rules.Nesterov),
        Row("AdamOptimizer", rules.Adam),
    ]
    return listed("sklearn", stochastic, rows, NAMES, candidate)
