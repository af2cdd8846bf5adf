"""Rule: an optimizer as data (its fields) and one pure function of arrays (its `step`).

A rule is written once, as whole-array code in the notation of its paper. Its `update`, which it has from `PerLeaf`,
is the pure reader: it calls that text on the caller's arrays. The readers of `arrayopt.readers` trace the same text.

Where numbers may come from: `step` reads numbers from `h` only and dialects from `self` only;
`scalars` alone sees the step count, the path and the shape of a leaf, and runs on the host in float64.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, Self, final

import numpy as np

from arrayopt.backend import Array, Namespace
from arrayopt.core import options, trees
from arrayopt.core.optimizer import PerLeaf, Slot
from arrayopt.core.options import NonNegative, Rate
from arrayopt.core.schedules import at
from arrayopt.core.trees import Leaf, label
from arrayopt.errors import LeafError, OptionError


@dataclass(frozen=True)
class Preset:
    """One row of a rule's table of presets: what a framework's optimizer computes, as fields of the rule."""

    source: str
    """The class or function, and the release it was read and run at."""
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rule(PerLeaf):
    r"""Base of every first-order rule; also the home of the weight decay that all of them share.

    Parameters
    ----------
    lr : float or schedule
        Learning rate :math:`\eta \ge 0`.
    weight_decay : float or schedule
        Decay coefficient :math:`\lambda \ge 0`.
    decay : {"l2", "decoupled", "in_update"}
        Where the decay enters. "l2": :math:`g \leftarrow g + \lambda\theta` before any moment (torch SGD, Adam).
        "decoupled": :math:`\theta \leftarrow \theta - s\theta` beside the update (AdamW, arXiv 1711.05101).
        "in_update": :math:`u \leftarrow u + \lambda\theta` before the rate, a trust ratio or a scale (LAMB,
        Tiger).
    decay_scale : {"lr", "independent", "relative", "squared"}
        The factor s of the decoupled decay. "lr": :math:`\eta\lambda` (torch, optax, Keras, MLX).
        "independent": :math:`\lambda` (pytorch_optimizer's ``fixed_decay``).
        "relative": :math:`\lambda\eta/\eta_{peak}` (the AdamW paper's schedule multiplier; lion-pytorch's
        ``decoupled_weight_decay``). "squared": :math:`\lambda\eta^2/\eta_{peak}` (timm's
        ``corrected_weight_decay``).
    lr_peak : float, optional
        :math:`\eta_{peak}` of the last two; by default the rate at t = 1.
    decay_point : {"before", "after"}
        Whether the decoupled decay is taken of the parameter before or after the update.
    """

    lr: Rate
    weight_decay: NonNegative = 0.0
    decay: Literal["l2", "decoupled", "in_update"] = "l2"
    decay_scale: Literal["lr", "independent", "relative", "squared"] = "lr"
    lr_peak: float | None = None
    decay_point: Literal["before", "after"] = "before"

    presets: ClassVar[Mapping[str, Preset]] = {}
    constants: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """Fields that belong to the dialect rather than to the caller, with the values met in frameworks."""
    inert: ClassVar[Mapping[str, str]] = {}
    """Dialect fields that cannot change any output, with the reason."""

    @classmethod
    @final
    def preset(cls, framework: str, **hyper: Any) -> Self:
        """Return the rule as a framework computes it, with its defaults; `hyper` overrides fields.

        Raises
        ------
        OptionError
            If the framework has no such optimizer, or an option is unknown.
        """
        if framework not in cls.presets:
            known = ", ".join(cls.presets) or "none"
            raise OptionError(f"{cls.__name__}: no preset {framework!r}; the presets are {known}")
        return cls(**{**cls.presets[framework].fields, **hyper})

    # What a concrete rule writes -------------------------------------------------------------

    def slots(self, leaf: Leaf) -> Mapping[str, float | Slot]:
        """Return the slots of a leaf: name -> fill value or `Slot`."""
        return {}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return what `step` reads from `h` beside the hyper-parameters themselves.

        It runs on the host in float64 and is a pure function of its arguments. Floats become arguments of
        the tape; bools, ints, strings and tuples are static, part of what distinguishes one tape from another.
        """
        return {}

    @abstractmethod
    def step(self, *args: Any, **slots: Any) -> tuple[Array, dict[str, Array | None]]:
        """Return the new parameter and the new slots by name; called as ``step(xp, h, g, p, **slots)``.

        `xp` is the array namespace, `h` holds the numbers of this step, `g` and `p` are gradient and parameter. Each
        rule names its slots as keyword arguments, with the default None for those that a dialect does without.
        """

    @final
    def for_leaf(self, leaf: Leaf) -> "Rule":
        """Return the rule itself, which is in charge of every leaf."""
        return self

    # What concrete rules share ---------------------------------------------------------------

    def l2(self, h: SimpleNamespace, g: Array, p: Array) -> Array:
        """Add weight decay to the gradient, where it enters as "l2"."""
        return g + h.weight_decay * p if h.decays and self.decay == "l2" else g

    def inside(self, h: SimpleNamespace, u: Array, p: Array) -> Array:
        """Add weight decay to the update, where it enters as "in_update"."""
        return u + h.weight_decay * p if h.decays and self.decay == "in_update" else u

    def before(self, h: SimpleNamespace, p: Array) -> Array:
        """Take a "decoupled" decay of the parameter ahead of the update."""
        decays = h.decays and self.decay == "decoupled" and self.decay_point == "before"
        return p - h.shrink * p if decays else p

    def after(self, h: SimpleNamespace, p: Array) -> Array:
        """Take a "decoupled" decay of the updated parameter."""
        decays = h.decays and self.decay == "decoupled" and self.decay_point == "after"
        return p - h.shrink * p if decays else p

    def outside(self, h: SimpleNamespace, p: Array, d: Array) -> Array:
        """Subtract the displacement `d`, and the decay of the parameter where it is "decoupled"."""
        return self.after(h, self.before(h, p) - d)

    def descend(self, h: SimpleNamespace, p: Array, u: Array) -> Array:
        """Move `p` against the update `u` by the learning rate, with the decay that enters there."""
        return self.outside(h, p, h.lr * self.inside(h, u, p))

    # What readers use ------------------------------------------------------------------------

    @final
    def on_leaf(
        self, xp: Namespace, t: int, leaf: Leaf, g: Array, p: Array, before: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        """Call the rule's text on one leaf; bfloat16 is computed in float32 and rounded back."""
        own = p.dtype
        if leaf.dtype == "bfloat16":
            g, p, *wide = (xp.astype(x, xp.float32) for x in (g, p, *before.values()))
            before = dict(zip(before, wide, strict=True))
        after, slots = self.step(xp, SimpleNamespace(**self.numbers_at(t, leaf)), g, p, **before)
        given = {s: x for s, x in slots.items() if x is not None}
        if given.keys() != before.keys():
            raise LeafError(f"{type(self).__name__}.step returned the slots {sorted(given)}, expected {sorted(before)}")
        new = {s: _kept(xp, self, leaf, s, x, before[s], own) for s, x in given.items()}
        return _kept(xp, self, leaf, "p", after, p, own), new

    @final
    def slot_shapes(self, leaf: Leaf) -> dict[str, tuple[int, ...]]:
        """Return the shape of each slot of a leaf."""
        starts = self.slots(leaf).items()
        return {s: x.shape if isinstance(x, Slot) and x.shape is not None else leaf.shape for s, x in starts}

    @final
    def structure(self) -> tuple[Any, ...]:
        """Return the values of the fields that are not numbers: what can change the text of the tape."""
        return tuple(
            getattr(self, name) for name in options.hints(type(self)) if name not in options.numbers(type(self))
        )

    @final
    def numbers_at(self, t: int, leaf: Leaf) -> dict[str, Any]:
        """Return everything `step` may read from `h` at step t: hyper-parameters, decay factors and `scalars`."""
        cls = type(self)
        given = {name: options.check_number(cls, name, at(getattr(self, name), t), t) if callable(getattr(self, name))
                 else getattr(self, name) for name in options.numbers(cls)}  # fmt: skip
        h = SimpleNamespace(**given)
        h.decays = self.weight_decay != 0  # a schedule decays, too
        peak = self.lr_peak if self.lr_peak is not None else at(self.lr, 1)
        relative = h.lr / peak if peak else 0.0
        h.shrink = (
            h.weight_decay
            * {"lr": h.lr, "independent": 1.0, "relative": relative, "squared": h.lr * relative}[self.decay_scale]
        )
        h.__dict__.update(self.scalars(h, t, leaf))
        return dict(h.__dict__)


def ema(beta: Any, mean: Array, x: Array) -> Array:
    """Return the running mean beta * mean + (1 - beta) * x."""
    return beta * mean + (1 - beta) * x


def _kept(xp: Namespace, rule: Rule, leaf: Leaf, what: str, x: Array, like: Array, dtype: Any) -> Array:
    """Return `x` as an array of the dtype it is stored in; a step must keep shape and dtype."""
    if isinstance(x, np.generic):  # NumPy turns 0-d results into scalars
        x = np.asarray(x)
    if tuple(x.shape) != tuple(like.shape) or x.dtype != like.dtype:
        raise LeafError(
            f"{type(rule).__name__}.step turned {what} of {label(leaf.path)} from "
            f"{trees.dtype_name(like)}{tuple(like.shape)} "
            f"into {trees.dtype_name(x)}{tuple(x.shape)}; a step must keep both"
        )
    return x if x.dtype == dtype else xp.astype(x, dtype)
