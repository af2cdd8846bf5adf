r"""Policy gradients of finite policies: the softmax of K outputs, a reward for each, and its expectation's gradient.

.. math:: J(z) = \sum_y p_y r_y, \qquad p = \operatorname{softmax}(z / \tau), \qquad
          \nabla J = E_{y \sim p}[(r_y - b) \nabla \log p_y]

for any b that does not depend on y. J is to be maximised: rewards, not losses. The last axis of `z` and of the rewards
is that of the outputs; those in front of it are independent, such as examples. A gradient by the outputs becomes one
by parameters by the chain rule, which is the caller's.
"""

import math
from typing import Any

import numpy as np
from array_api_compat import device

from arrayopt.backend import Array, namespace
from arrayopt.core.logsumexp import softmax
from arrayopt.core.random import generator
from arrayopt.errors import OptionError
from arrayopt.sampling.smoothing import Baseline, above_baseline, mean_along


def expected_reward(z: Array, rewards: Array, temperature: float = 1.0) -> Array:
    """Return J, shape (...), from outputs and rewards, shape (..., K), by enumeration."""
    return namespace(z, rewards).sum(softmax(z, temperature=_checked(temperature)) * rewards, axis=-1)


def policy_gradient(z: Array, rewards: Array, temperature: float = 1.0) -> Array:
    r"""Return the gradient of the expected reward by the outputs, by enumeration.

    .. math:: \nabla_z J = p \circ (r - \langle p, r \rangle) / \tau

    Parameters
    ----------
    z : array, shape (..., K)
    rewards : array, shape (..., K)
    temperature : float
        :math:`\tau > 0`.

    Returns
    -------
    array, shape (..., K)

    References
    ----------
    Williams, Simple statistical gradient-following algorithms for connectionist reinforcement learning (1992);
    archive 7737.

    Examples
    --------
    >>> policy_gradient(np.zeros(2), np.array([1.0, 0.0]))
    array([ 0.25, -0.25])
    """
    xp, p = namespace(z, rewards), softmax(z, temperature=_checked(temperature))
    return p * (rewards - xp.sum(p * rewards, axis=-1, keepdims=True)) / temperature


def scores(z: Array, y: Array, temperature: float = 1.0) -> Array:
    r"""Return the scores of samples, :math:`\nabla_z \log p_y = (e_y - p) / \tau`.

    Parameters
    ----------
    z : array, shape (..., K)
    y : array of integers, shape (..., n)
        Samples, from 0 to K - 1.
    temperature : float
        :math:`\tau > 0`.

    Returns
    -------
    array, shape (..., n, K)
    """
    xp, p = namespace(z, y), softmax(z, temperature=_checked(temperature))
    here = y[..., None] == xp.arange(z.shape[-1], dtype=y.dtype, device=device(z))
    return (xp.astype(here, z.dtype) - p[..., None, :]) / temperature


def reinforce(z: Array, y: Array, rewards: Array, baseline: Baseline = "none", temperature: float = 1.0) -> Array:
    r"""Estimate the gradient of the expected reward from samples of the policy: REINFORCE.

    .. math:: \hat g = \frac1n \sum_i (r_i - b_i) \nabla_z \log p_{y_i}

    Parameters
    ----------
    z : array, shape (..., K)
        Outputs.
    y : array of integers, shape (..., n)
        Samples, see `sample_policy`.
    rewards : array, shape (..., n)
        Their rewards.
    baseline : {"none", "mean", "optimal", "leave_one_out"}
        See `above_baseline`; "optimal" weighs by the squared norms of the scores.
    temperature : float
        :math:`\tau > 0`.

    Returns
    -------
    array, shape (..., K)

    References
    ----------
    Williams, Simple statistical gradient-following algorithms for connectionist reinforcement learning (1992).

    Examples
    --------
    >>> reinforce(np.zeros(2), np.array([0, 1]), np.array([1.0, 0.0]))
    array([ 0.25, -0.25])
    """
    s = scores(z, y, temperature)
    return mean_along(above_baseline(rewards, baseline, s), s)


def optimal_baseline(z: Array, rewards: Array) -> Array:
    r"""Return the constant baseline with the least variance, by enumeration.

    .. math:: b^* = \frac{E[r_y \|\nabla \log p_y\|^2]}{E[\|\nabla \log p_y\|^2]}, \qquad
              \|\nabla_z \log p_y\|^2 = (1 - 2 p_y + \|p\|^2) / \tau^2

    Parameters
    ----------
    z, rewards : array, shape (..., K)
        At temperature :math:`\tau` pass :math:`z / \tau`: nothing else depends on it.

    Returns
    -------
    array, shape (...)
        0 where the policy has no choice.

    Notes
    -----
    The cheap substitute E[r] can have more variance than no baseline: of a common output with a great reward it leaves
    little, but it charges the rare ones, whose scores are long.

    References
    ----------
    Greensmith, Bartlett and Baxter (2004); archive 7737.

    Examples
    --------
    >>> float(optimal_baseline(np.zeros(2), np.array([1.0, 0.0])))
    0.5
    """
    xp, p = namespace(z, rewards), softmax(z)
    weight = p * (1 - 2 * p + xp.sum(p * p, axis=-1, keepdims=True))
    total = xp.sum(weight, axis=-1)
    return xp.sum(weight * rewards, axis=-1) / xp.where(total > 0, total, xp.ones_like(total))


def second_moment(z: Array, rewards: Array, baseline: Any = 0.0) -> Array:
    r"""Return :math:`E \|(r_y - b) \nabla_z \log p_y\|^2`, shape (...), by enumeration: a constant above the variance.

    Parameters
    ----------
    z, rewards : array, shape (..., K)
    baseline : number, or array, shape (...)
    """
    xp, p = namespace(z, rewards), softmax(z)
    over = rewards - (baseline if isinstance(baseline, (int, float)) else baseline[..., None])
    return xp.sum(p * over * over * (1 - 2 * p + xp.sum(p * p, axis=-1, keepdims=True)), axis=-1)


def sample_policy(z: Array, n: int, rng: Any = None, temperature: float = 1.0) -> Array:
    r"""Draw n outputs from the policy by the Gumbel-max identity.

    .. math:: P(\arg\max_y (z_y / \tau + G_y) = y) = \operatorname{softmax}(z / \tau)_y, \qquad G = -\log(-\log U)

    so that the reward of the greatest output, with Gumbel noise on the outputs, has the expectation J.

    Parameters
    ----------
    z : array, shape (..., K)
    n : int
        At least 1.
    rng : None, int, Generator, ...
        See `arrayopt.core.random.generator`. The noise is drawn on the host, sample by sample.
    temperature : float
        :math:`\tau > 0`.

    Returns
    -------
    array of integers, shape (..., n)

    References
    ----------
    Gumbel, Statistical theory of extreme values and some practical applications (1954); Maddison, Tarlow and Minka,
    A* sampling, arXiv 1411.0030, section 2.

    Examples
    --------
    >>> y = sample_policy(np.array([0.0, np.log(3.0)]), 10_000, rng=0)
    >>> round(float(y.mean()), 2)
    0.75
    """
    xp = namespace(z)
    *front, k = z.shape
    noise = np.moveaxis(generator(rng).gumbel(size=(n, *front, k)), 0, -2)
    g = xp.asarray(np.ascontiguousarray(noise), dtype=z.dtype, device=device(z))
    return xp.argmax(z[..., None, :] / _checked(temperature) + g, axis=-1)


def hard_reward_gradient(gap: Array, x: Array, rewards: Array, sigma: float) -> Array:
    r"""Return the exact zeroth-order gradient of the reward of the greater of two linear outputs.

    .. math:: \nabla_w E_u r(\arg\max_k (w_k + \sigma u_k) \cdot x) = \frac{\varphi(\Delta / c)}{c} (r_1 - r_0) (-x, x),
              \qquad \Delta = (w_1 - w_0) \cdot x, \quad c = \sigma \sqrt2 \|x\|

    with u standard normal and :math:`\varphi` its density.

    Parameters
    ----------
    gap : array, shape (...)
        :math:`\Delta`.
    x : array, shape (..., d)
        The input, not 0.
    rewards : array, shape (..., 2)
    sigma : float
        > 0.

    Returns
    -------
    array, shape (..., 2, d)

    Notes
    -----
    The policy gradient is :math:`s(\Delta)(1 - s(\Delta)) (r_1 - r_0) (-x, x)` with s the logistic function: the two
    are parallel for every sigma, and of one example differ in length only. With three outputs they are not parallel.

    References
    ----------
    Archive 7737, made precise.
    """
    xp = namespace(gap, x, rewards)
    c = sigma * math.sqrt(2.0) * xp.sqrt(xp.sum(x * x, axis=-1))
    density = xp.exp(-0.5 * (gap / c) ** 2) / math.sqrt(2 * math.pi)
    size = density / c * (rewards[..., 1] - rewards[..., 0])
    along = size[..., None] * x
    return xp.stack([-along, along], axis=-2)


def _checked(temperature: float) -> float:
    if not 0 < temperature < math.inf:
        raise OptionError(f"temperature must be a finite number > 0, got {temperature!r}")
    return float(temperature)
