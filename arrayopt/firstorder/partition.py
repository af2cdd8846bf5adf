"""Partition: different rules for different leaves, chosen by path, shape and dtype."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from arrayopt.core.optimizer import PerLeaf
from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.errors import OptionError

Predicate = Callable[[Leaf], bool]


@final
@dataclass(frozen=True)
class Named:
    """The predicate of leaves whose name, the last component of the path, contains one of some parts.

    Examples
    --------
    >>> Named(("bias", "gamma"))(Leaf("layer1/bias", (3,), "float32"))
    True
    """

    parts: tuple[str, ...]

    def __call__(self, leaf: Leaf) -> bool:
        """Tell whether the leaf is meant."""
        return any(part in leaf.name for part in self.parts)


@final
@dataclass(frozen=True)
class HasAxes:
    """The predicate of leaves with a number of axes in [least, most]; ``HasAxes(2, 2)`` are the matrices."""

    least: int = 0
    most: int = 64

    def __call__(self, leaf: Leaf) -> bool:
        """Tell whether the leaf is meant."""
        return self.least <= leaf.ndim <= self.most


@final
@dataclass(frozen=True, kw_only=True)
class Partition(PerLeaf):
    r"""Partition: every leaf is stepped by the first rule whose predicate holds for it.

    Parameters
    ----------
    rules : tuple of (predicate, Rule or Partition)
        A predicate is a function of the `Leaf` (path, name, shape, ndim, dtype) to bool, asked in this order.
        `Named` and `HasAxes` are predicates that compare and print as data.
    default : Rule or Partition
        The rule of all other leaves.

    Notes
    -----
    State: the slots of the rules; leaves differ in which they have. All rules share the step count. A wrapper
    goes around a Partition, not into it: ``Clip(rule=Partition(...))``.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.adam import Adam
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule = Partition.by(lambda leaf: leaf.ndim == 2, SGD(lr=0.5), Adam(lr=0.1))
    >>> params = {"w": np.ones((1, 1)), "b": np.ones(1)}
    >>> params, state = rule.update({"w": np.ones((1, 1)), "b": np.ones(1)}, rule.init(params), params)
    >>> params, sorted(state.slots["m"])
    ({'w': array([[0.5]]), 'b': array([0.9])}, ['b'])
    """

    rules: tuple[tuple[Predicate, PerLeaf], ...]
    default: PerLeaf

    def __post_init__(self) -> None:
        """Check that predicates are functions and rules are rules."""
        super().__post_init__()
        pairs: Any = self.rules
        if not isinstance(pairs, tuple) or not all(
            isinstance(pair, tuple) and len(pair) == 2 and callable(pair[0]) for pair in pairs
        ):
            raise OptionError(f"Partition: rules must be a tuple of pairs (predicate, rule), got {pairs!r}")
        for rule in (*(rule for _, rule in pairs), self.default):
            if not isinstance(rule, PerLeaf):
                raise OptionError(
                    f"Partition: expected a rule or a Partition, got {rule!r}; a wrapper goes around the Partition"
                )

    @classmethod
    def by(cls, where: Predicate, rule: PerLeaf, otherwise: PerLeaf) -> "Partition":
        """Return the partition into leaves of which `where` holds and all others."""
        return cls(rules=((where, rule),), default=otherwise)

    def for_leaf(self, leaf: Leaf) -> Rule:
        """Return the first rule whose predicate holds for the leaf, else the default."""
        chosen = next((rule for where, rule in self.rules if where(leaf)), self.default)
        return chosen.for_leaf(leaf)


BIASES = Named(("bias", "beta", "gamma"))
"""The leaves that Tiger's author spares the decay; a gamma is called "scale" in Flax."""


def no_decay(rule: Rule, where: Predicate = BIASES) -> Partition:
    """Return `rule` for all leaves, without weight decay where `where` holds.

    Parameters
    ----------
    rule : Rule
        Any rule with a `weight_decay`.
    where : predicate
        By default biases, beta and gamma by name; ``HasAxes(most=1)`` spares every vector instead.

    Examples
    --------
    >>> import numpy as np
    >>> from arrayopt.firstorder.sgd import SGD
    >>> rule, params = no_decay(SGD(lr=1.0, weight_decay=0.5)), {"w": np.ones(1), "bias": np.ones(1)}
    >>> params, state = rule.update({"w": np.zeros(1), "bias": np.zeros(1)}, rule.init(params), params)
    >>> params
    {'w': array([0.5]), 'bias': array([1.])}
    """
    return Partition.by(where, rule.replace(weight_decay=0.0), rule)
