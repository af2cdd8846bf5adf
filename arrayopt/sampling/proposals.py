"""Where guided search draws its steps: a mixture of noise around 0 and noise around a surrogate's step -g."""

from __future__ import annotations  # naming numpy.random in a signature would import it

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, Namespace, namespace
from arrayopt.core.logsumexp import logsumexp
from arrayopt.core.options import JUST_ABOVE_ONE, Checked, Count, Interval, Positive
from arrayopt.core.orthogonal.precision import widest
from arrayopt.core.random import generator
from arrayopt.core.rule import Preset
from arrayopt.errors import LeafError, OptionError

LOG_TWO_PI = 1.8378770664093453


class Draws(NamedTuple):
    """Steps from a proposal.

    Attributes
    ----------
    steps : array, shape (n, d)
    log_q : array of float64, shape (n,)
        The log of the density that they are divided by.
    guided : array of bool on the host, shape (n,)
        Which are from the component around -g.
    """

    steps: Array
    log_q: Array
    guided: np.ndarray


def mixture_log_density(d: Array, g: Array, sigma: Any, share: float = 0.5) -> Array:
    r"""Return the log of :math:`\lambda N(d; 0, \Sigma) + (1 - \lambda) N(d; -g, \Sigma)`.

    .. math:: \log N(d; 0, \Sigma) + \log\left(\lambda + (1 - \lambda)
        e^{-\langle g, d \rangle_{\Sigma^{-1}} - \|g\|^2_{\Sigma^{-1}} / 2}\right)

    Parameters
    ----------
    d : array, shape (..., d)
    g : array, shape (d,)
    sigma : number > 0, or array that broadcasts to (d,)
        The standard deviations: :math:`\Sigma = \operatorname{diag}(\sigma^2)`.
    share : float
        :math:`\lambda` in [0, 1]: 1 is :math:`N(0, \Sigma)`, 0 is :math:`N(-g, \Sigma)`.

    Returns
    -------
    array of float64, shape (...)
        Finite in a million dimensions and more, where the densities themselves are 0 or inf in every dtype.

    Examples
    --------
    >>> d = np.zeros((1, 1_000_000))
    >>> mixture_log_density(d, np.zeros(1_000_000), sigma=1.0) / 1_000_000  # -log(2 pi) / 2
    array([-0.91893853])
    """
    xp, scaled, extra, logs = _exponents(d, g, sigma)
    both = xp.stack([xp.zeros_like(extra), extra], axis=-1)
    weights = xp.asarray([share, 1.0 - share], dtype=extra.dtype, device=device(extra))
    return scaled - logs + logsumexp(both, weights=weights)


def _exponents(d: Array, g: Array, sigma: Any) -> tuple[Namespace, Array, Array, Array]:
    """Return the exponent of N(0, S) at d, by how much that of N(-g, S) is greater, and the log of the constant."""
    xp = namespace(d, g)
    d, g = widest(xp, d), widest(xp, g)
    sigma = widest(xp, sigma) if not isinstance(sigma, (int, float)) else xp.full_like(g, float(sigma))
    z, mean = d / sigma, g / sigma
    scaled = -0.5 * xp.sum(z * z, axis=-1)
    extra = -xp.sum(z * mean, axis=-1) - 0.5 * xp.sum(mean * mean)
    logs = xp.sum(xp.log(sigma + xp.zeros_like(g))) + 0.5 * LOG_TWO_PI * g.shape[0]
    return xp, scaled, extra, logs


@dataclass(frozen=True, kw_only=True)
class Proposal(Checked):
    r"""The proposal of maximum-likelihood-guided parameter search: noise, around 0 or around a surrogate's step -g.

    Parameters
    ----------
    n : int
        Steps, at least 1; 4.
    share : float
        :math:`\lambda` in [0, 1], the share of noise around 0; 0.5. 1 needs no surrogate.
    sigma : float
        The standard deviation of the noise, > 0; `draw` takes one for each parameter, too.
    assignment : {"drawn", "alternate"}
        How a step comes to its component. "drawn": at random, with the probability :math:`\lambda` (the paper).
        "alternate": by its index, -g first; stratified, for :math:`\lambda = 1/2` alone (the public code).
    scaling : {"parameter", "gradient"}
        What `sigma` is a multiple of. "parameter": 1. "gradient": the mean of \|g\| (the code's "uniform", there for
        each tensor; the published grid is 0.01, 0.1, 1).
    density : {"true", "unit"}
        The variance in q. "true": that of the noise. "unit": 1, whatever the noise (the code).
    form : {"logs", "exponentials"}
        "logs": log-sum-exp. "exponentials": the log of a sum of exponentials, -inf once all underflow, from some 1500
        dimensions on (the code).

    Notes
    -----
    With the code's four departures the weights are not those of importance sampling any more: an estimate with them
    does not tend to the mean of :math:`e^{-l / \alpha}`. Also, its `beta`, 1 / alpha, multiplies the improvement.

    Steps are drawn one after the other: n in one call are, "alternate" aside, those of n calls with one.

    References
    ----------
    Welleck and Cho, MLE-guided parameter search for task loss minimization in neural sequence modeling, arXiv
    2006.03158, section 3; github.com/wellecks/mgs 25c41ea (read). archive 7521.

    Examples
    --------
    >>> draws = Proposal(n=3, sigma=0.1).draw(np.array([1.0, -2.0]), rng=0)
    >>> draws.steps.round(1)[draws.guided]
    array([[-1. ,  2.1],
           [-0.9,  1.9]])
    """

    n: Count = 4
    share: Annotated[float, Interval(0.0, JUST_ABOVE_ONE)] = 0.5
    sigma: Positive = 0.1
    assignment: Literal["drawn", "alternate"] = "drawn"
    scaling: Literal["parameter", "gradient"] = "parameter"
    density: Literal["true", "unit"] = "true"
    form: Literal["logs", "exponentials"] = "logs"

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 2006.03158, equation 6", {}),
        "code": Preset(
            "github.com/wellecks/mgs 25c41ea, seq_level/gpt2/guided/utils.py (read)",
            {"assignment": "alternate", "scaling": "gradient", "density": "unit", "form": "exponentials"},
        ),
    }

    def __post_init__(self) -> None:
        """Check what goes together."""
        super().__post_init__()
        if self.assignment == "alternate" and self.share != 0.5:
            raise OptionError(
                f"{type(self).__name__}: assignment='alternate' is for share=0.5, got {self.share}; use 'drawn'"
            )

    @classmethod
    def preset(cls, mode: str, **options: Any) -> Self:
        """Return the proposal of the "paper" or of the public "code"."""
        if mode not in cls.presets:
            raise OptionError(f"{cls.__name__}: no preset {mode!r}; the presets are {', '.join(cls.presets)}")
        return cls(**{**cls.presets[mode].fields, **options})

    def draw(self, g: Array, rng: Any = None, sigma: Array | None = None) -> Draws:
        """Draw steps.

        Parameters
        ----------
        g : array, shape (d,)
            The gradient of the surrogate; zeros without one.
        rng : None, int, Generator, ...
            See `arrayopt.core.random.generator`.
        sigma : array that broadcasts to (d,), optional
            In place of the field, one for each parameter.
        """
        xp = namespace(g)
        if g.ndim != 1:
            raise LeafError(f"g: expected the shape (d,), got {tuple(g.shape)}; lay a tree out as one vector")
        rng, d = generator(rng), int(g.shape[0])
        guided, z = np.zeros(self.n, bool), np.empty((self.n, d))
        for i in range(self.n):
            guided[i] = rng.random() >= self.share if self.assignment == "drawn" else i % 2 == 0
            z[i] = rng.standard_normal(d)
        spread: Any = self.sigma if sigma is None else xp.astype(sigma, g.dtype, copy=False)
        if self.scaling == "gradient":
            spread = spread * xp.mean(xp.abs(g), axis=0, keepdims=True)
        z = xp.asarray(z, dtype=g.dtype, device=device(g))
        around = xp.asarray(np.where(guided, -1.0, 0.0), dtype=g.dtype, device=device(g))
        steps = around[:, None] * g + spread * z
        return Draws(steps, self.log_density(steps, g, spread), guided)

    def log_density(self, steps: Array, g: Array, spread: Any) -> Array:
        """Return the log of what weights are divided by, at steps drawn with these standard deviations."""
        xp = namespace(steps, g)
        if self.density == "unit":
            spread = 1.0
        elif not isinstance(spread, (int, float)):
            spread = xp.where(spread > 0, spread, xp.ones_like(spread))  # no noise, and no gradient
        if self.form == "logs":
            return mixture_log_density(steps, g, spread, self.share)
        xp, scaled, extra, _ = _exponents(steps, g, spread)
        q = self.share * xp.exp(scaled) + (1 - self.share) * xp.exp(scaled + extra)
        return xp.where(q > 0, xp.log(xp.where(q > 0, q, xp.ones_like(q))), xp.full_like(q, -float("inf")))
