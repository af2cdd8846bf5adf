"""MeZO: zeroth-order steps in place, with the memory of evaluating the function."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, final

from array_api_compat import device

from arrayopt.backend import Array, Namespace, fetch, is_array
from arrayopt.core import trees
from arrayopt.core.options import Checked, NonNegative, Rate
from arrayopt.core.random import keyed, stream
from arrayopt.core.schedules import at
from arrayopt.core.state import State
from arrayopt.core.trees import Tree, label
from arrayopt.errors import LeafError, OptionError
from arrayopt.sampling.directions import run_seed

BLOCK = 1 << 16
"""Elements that are perturbed at a time, where a leaf can be cut: what bounds the memory beside the parameters."""


class MeZOStep(NamedTuple):
    r"""What a step leaves behind.

    Attributes
    ----------
    state : State
        For the next step.
    slope : float
        :math:`(f_+ - f_-) / 2 \sigma`, the one number that, with the seed and t, says what the step was.
    value : float
        :math:`(f_+ + f_-) / 2`.
    """

    state: State
    slope: float
    value: float


@final
@dataclass(frozen=True, kw_only=True)
class MeZO(Checked):
    r"""Memory-efficient zeroth-order steps: SPSA in one Gaussian direction, drawn anew whenever it is needed.

    .. math:: \theta \leftarrow \theta + \sigma z; \quad f_+; \quad \theta \leftarrow \theta - 2 \sigma z; \quad f_-;
              \quad \theta \leftarrow \theta + \sigma z; \quad
              \theta \leftarrow \theta - \eta \frac{f_+ - f_-}{2 \sigma} z

    Parameters
    ----------
    sigma : float or schedule
        How far the parameters are moved, > 0.
    lr : float or schedule
        :math:`\eta \ge 0`.
    seed : int
        In [0, 2^64).
    restore : {"walk", "compensated"}
        "walk": as above; the three moves round, and :math:`\theta` drifts by at most
        :math:`\epsilon (3 |\theta| + 2 \sigma |z|) / 2` a step and terms in :math:`\epsilon^2`, where
        :math:`\epsilon` is the distance from 1 to the next number. "compensated": what each move and each step rounds
        off is kept in one more array for each leaf and put back in the end, so that :math:`\theta` does not drift, and
        steps far below its last digit add up.

    Notes
    -----
    State: none, but with "compensated" c, of the parameter's shape. Beside that a step of contiguous NumPy or CuPy
    leaves takes `BLOCK` numbers at a time; of other arrays one leaf at a time. z of a leaf is
    ``normal(seed, t, stream(path), shape)`` of `arrayopt.core.random`, in the dtype of the leaf.

    A step whose values are not finite leaves the parameters where they are.

    References
    ----------
    Malladi and others, Fine-tuning language models with just forward passes, arXiv 2305.17333, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> params, mezo = {"w": np.array([1.0, -2.0])}, MeZO(sigma=1e-3, lr=0.05)
    >>> state = mezo.init(params)
    >>> for _ in range(300):
    ...     state, slope, value = mezo.step(lambda p: (p["w"] ** 2).sum(), params, state)
    >>> bool(abs(params["w"]).max() < 1e-3)
    True
    """

    sigma: NonNegative = 1e-3
    lr: Rate = 1e-6
    seed: int = 0
    restore: Literal["walk", "compensated"] = "walk"

    def __post_init__(self) -> None:
        """Check the seed, too."""
        super().__post_init__()
        run_seed(self.seed, 0)

    def init(self, params: Tree) -> State:
        """Return the state before the first step.

        Raises
        ------
        LeafError
            If a leaf is no array of real floating-point numbers.
        """
        leaves, _ = trees.flatten(params, "params")
        xp = trees.common_namespace(params=leaves)
        trees.check_real(leaves, xp)
        if self.restore == "walk":
            return State(0, {})
        return State(0, {"c": {path: xp.zeros_like(p) for path, p in leaves.items()}})

    def step(self, fun: Callable[..., Any], params: Tree, state: State, *args: Any) -> MeZOStep:
        """Take a step in place: the arrays of `params`, and of the state, are written.

        Parameters
        ----------
        fun : callable
            ``fun(params, *args)``, a number. It is called twice, with the moved parameters.
        params : tree of arrays
            NumPy, CuPy, torch or others that can be written.
        state : State
            What `init` or the last step returned.

        Raises
        ------
        LeafError
            If a leaf cannot be written.
        """
        leaves, _ = trees.flatten(params, "params")
        xp = trees.common_namespace(params=leaves)
        for path, p in leaves.items():
            _check_writable(path, p)
        t, kept = state.t, state.slots.get("c", {})
        sigma, lr = at(self.sigma, t + 1), at(self.lr, t + 1)
        if not 0 < sigma < math.inf:
            raise OptionError(f"MeZO: sigma must be a finite number > 0, got {sigma!r} at step {t + 1}")
        self._move(xp, t, sigma, leaves, kept)
        above = _number(xp, fun(params, *args))
        self._move(xp, t, -2 * sigma, leaves, kept)
        below = _number(xp, fun(params, *args))
        self._move(xp, t, sigma, leaves, kept)
        slope = (above - below) / (2 * sigma)
        if math.isfinite(slope):
            self._move(xp, t, -(lr * slope), leaves, kept)
        self._put_back(leaves, kept)
        return MeZOStep(State(t + 1, state.slots), slope, (above + below) / 2)

    def _move(self, xp: Namespace, t: int, by: float, leaves: Mapping[str, Array], kept: Mapping[str, Array]) -> None:
        """Add by * z to every leaf."""
        for path, p in leaves.items():
            rng = keyed(self.seed, t, stream(path))
            for part, rest in _parts(p, kept.get(path)):
                z = rng.standard_normal(tuple(part.shape))
                a = by * xp.asarray(z, dtype=p.dtype, device=device(p))
                if rest is None:
                    part[...] = part + a
                else:
                    s, e = two_sum(part, a)
                    part[...] = s
                    rest[...] = rest + e

    def _put_back(self, leaves: Mapping[str, Array], kept: Mapping[str, Array]) -> None:
        """Add to the parameters what was rounded off, and keep what is rounded off now."""
        for path, rest in kept.items():
            for part, c in _parts(leaves[path], rest):
                s, e = two_sum(part, c)
                part[...] = s
                c[...] = e


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return the sum of a and b as it is rounded, and what was rounded off, exactly.

    References
    ----------
    Knuth, The art of computer programming, volume 2, section 4.2.2, theorem B.

    Examples
    --------
    >>> import numpy as np
    >>> s, e = two_sum(np.array(1.0), np.array(1e-20))
    >>> float(s), float(e)
    (1.0, 1e-20)
    """
    s = a + b
    v = s - a
    return s, (a - (s - v)) + (b - v)


def _parts(p: Array, rest: Array) -> Iterator[tuple[Array, Array]]:
    """Cut a leaf into views of BLOCK elements, if its library tells that a view will do."""
    flags = getattr(p, "flags", None)
    if flags is None or not flags.c_contiguous or not (rest is None or rest.flags.c_contiguous):
        yield p, rest
        return
    flat, other = p.reshape(-1), None if rest is None else rest.reshape(-1)
    for i in range(0, flat.shape[0], BLOCK):
        yield flat[i : i + BLOCK], None if other is None else other[i : i + BLOCK]


def _check_writable(path: str, p: Array) -> None:
    flags = getattr(p, "flags", None)
    if not hasattr(p, "__setitem__") or "jax" in type(p).__module__ or not getattr(flags, "writeable", True):
        raise LeafError(
            f"params: {label(path)} cannot be written, but MeZO steps in place; "
            "pass a writable copy, or take the steps of SPSA, which makes new arrays"
        )


def _number(xp: Namespace, f: Any) -> float:
    return fetch(xp, f)[0] if is_array(f) else float(f)
