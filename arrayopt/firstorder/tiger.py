"""Tiger: sign momentum at a rate relative to the parameter, with accumulation folded into the momentum."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core import options, random
from arrayopt.core.options import NonNegative, Rate, UnitInterval
from arrayopt.core.rule import Preset, Rule
from arrayopt.core.tape import opaque
from arrayopt.core.trees import Leaf
from arrayopt.firstorder.layerwise import rms


@opaque()
def white_noise(xp: Namespace, like: Array, step: float, stream: float, *, seed: int) -> Array:
    """Draw standard normal numbers of the shape and dtype of an array, keyed by (seed, step, stream)."""
    z = random.normal(seed, int(step), int(stream), tuple(like.shape))
    return xp.asarray(z, dtype=like.dtype, device=getattr(like, "device", None))


@final
@dataclass(frozen=True, kw_only=True)
class Tiger(Rule):
    r"""Tiger: a step of fixed relative size along the sign of one momentum, which also accumulates gradients.

    .. math::

        m_t &= \beta m_{t-1} + (1 - \beta) g_t \\
        \theta_t &= \theta_{t-1} - \eta \, \mathrm{RMS}(\theta_{t-1})
            \left(\operatorname{sign}(m_t) + \lambda \theta_{t-1}\right)

    With `accumulate` = k > 1, :math:`\beta` multiplies m in the first of each k calls only,
    :math:`(1 - \beta) g_t / k` enters in every call, and :math:`\theta` moves in the last: the mean
    gradient of the k micro-batches, without a buffer for it.

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`, the relative change of a parameter per step; its peak is best in [0.001, 0.002],
        with a warm-up (`PiecewiseLinear`, counted in calls).
    beta : float or schedule
        :math:`\beta` in [0, 1): 0.965 for language, 0.945 for vision.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; :math:`\lambda` is 0.01 "in_update", so that the relative rate multiplies it too. As
        "decoupled" it is multiplied by lr alone.
    scale : {"rms", "none"}
        Factor of the rate. "rms": :math:`\mathrm{RMS}(\theta)` (the author's). "none": 1, plain Signum
        (pytorch_optimizer).
    accumulate : int
        Calls per step of the parameters, k >= 1; gradients must be taken at the same, resting parameters.
    nan : {"shrink", "propagate"}
        What a NaN in a leaf's gradient does to that leaf. "shrink": m rests, and the update is
        :math:`\theta \leftarrow s(\theta - c) + c` (the author's). "propagate": nothing is checked.
    shrink_ratio : float or schedule
        s, usually 0.99; 1 only skips the step.
    noise : float or schedule
        Standard deviation of normal noise added after shrinking, 0 for none. Drawn at every step by
        `seed`, step and path, so the numbers do not depend on the array library.
    seed : int
        Seed of the noise.
    half_rate : tuple of str
        Leaves whose name (last component of the path) contains one of these take half the rate, without
        RMS, and a decay of `special_decay` times `weight_decay`. Flax calls its gamma "scale".
    special_decay : float or schedule
        0, or 0.1 for a tenth of the decay.
    rows : tuple of str
        Leaves whose path has one of these as a component take the RMS of each row, along the last axis.
    ones : tuple of str
        Leaves whose name contains one of these have the centre c = 1, all others c = 0.

    Notes
    -----
    State: m, of the parameter's shape, starting at zero; the least that momentum can do with. There is no
    floor under the RMS: a leaf that starts at zero never moves. In low precision a step is absorbed where
    :math:`\eta\,\mathrm{RMS}(\theta)` is under half the spacing of numbers at :math:`\theta`; in float16 at
    :math:`\eta` = 0.001 that is about every entry above 4 RMS. As in the author's code, a NaN in the first call
    of an accumulation also skips the factor :math:`\beta`, and a leaf shrinks in calls that do not move it.
    That code looks its schedule up at t - 1: write ``lr=lambda t: schedule(t - 1)`` to follow it exactly.

    References
    ----------
    archive 9512 and 8634 (accumulation); github.com/bojone/tiger 8af9865.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Tiger(lr=0.1, weight_decay=0.0), np.array([3.0, -4.0, 5.0])
    >>> params, state = rule.update(np.array([1e-3, 20.0, 0.0]), rule.init(params), params)
    >>> params.round(4)
    array([ 2.5918, -4.4082,  5.    ])
    """

    lr: Rate = 1e-3
    beta: UnitInterval = 0.965
    weight_decay: NonNegative = 0.01
    decay: Literal["l2", "decoupled", "in_update"] = "in_update"
    scale: Literal["rms", "none"] = "rms"
    accumulate: int = 1
    nan: Literal["shrink", "propagate"] = "shrink"
    shrink_ratio: NonNegative = 0.99
    noise: NonNegative = 0.0
    seed: int = 0
    half_rate: tuple[str, ...] = ("bias", "beta", "gamma")
    special_decay: NonNegative = 0.0
    rows: tuple[str, ...] = ("embedding", "embeddings")
    ones: tuple[str, ...] = ("gamma",)

    constants: ClassVar[Mapping[str, tuple[float, ...]]] = {"special_decay": (0.0, 0.1)}
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("archive 9512 and github.com/bojone/tiger 8af9865 (read)", {}),
        "pytorch_optimizer": Preset(
            "pytorch_optimizer.Tiger 4.1.0",
            {"decay": "decoupled", "scale": "none", "nan": "propagate", "half_rate": ()},
        ),
    }

    def __post_init__(self) -> None:
        """Check the count of calls too."""
        super().__post_init__()
        options.check_count("Tiger", "accumulate", self.accumulate)

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """One running mean."""
        return {"m": 0.0}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Where t stands in an accumulation, and what the path of the leaf asks for."""
        special = any(part in leaf.name for part in self.half_rate)
        share = h.special_decay if special else 1.0
        by_row = leaf.ndim > 0 and any(part in self.rows for part in leaf.path.split("/"))
        noisy = self.nan == "shrink" and (callable(self.noise) or self.noise > 0)
        return {
            "kept": h.beta if (t - 1) % self.accumulate == 0 else 1.0,
            "taken": (1 - h.beta) / self.accumulate,
            "moves": t % self.accumulate == 0,
            "lr": h.lr / 2 if special else h.lr,
            "measure": "none" if special or self.scale == "none" else "rows" if by_row else "leaf",
            "weight_decay": h.weight_decay * share,
            "shrink": h.shrink * share,
            "decays": h.decays and share > 0,
            "centre": 1.0 if any(part in leaf.name for part in self.ones) else 0.0,
            "noisy": noisy,
            "call": float(t),
            "stream": float(random.stream(leaf.path)) if noisy else 0.0,
            "empty": leaf.size == 0,
        }

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Su, archive 9512, in the order of the author's code."""
        if h.empty:  # has no mean
            return p, {"m": m}
        resting = m
        m = h.kept * m + h.taken * self.l2(h, g, p)
        after = p
        if h.moves:
            after = self.outside(h, p, self.rate(xp, h, p) * self.inside(h, xp.sign(m), p))
        if self.nan == "shrink":
            bad = xp.any(xp.isnan(g))
            m = xp.where(bad, resting, m)
            shrunk = (p - h.centre) * h.shrink_ratio + h.centre
            if h.noisy:
                shrunk = shrunk + h.noise * white_noise(xp, p, h.call, h.stream, seed=self.seed)
            after = xp.where(bad, shrunk, after)
        return after, {"m": m}

    def rate(self, xp: Namespace, h: SimpleNamespace, p: Array) -> Any:
        """Return the learning rate of a leaf, of each of its rows, or of no measure at all."""
        if h.measure == "none":
            return h.lr
        return h.lr * (rms(xp, p, axis=-1, keepdims=True) if h.measure == "rows" else rms(xp, p))
