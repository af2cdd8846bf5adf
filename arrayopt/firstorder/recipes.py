"""Recipes: learning rates, decays and schedules as numbers, for the rules that are told how to be set."""

import math
from typing import Literal, NamedTuple

from arrayopt.core.schedules import InverseTime
from arrayopt.errors import OptionError

Task = Literal["vision", "language"]

_LION_BETAS = {"vision": (0.9, 0.99), "language": (0.95, 0.98)}


class RateAndDecay(NamedTuple):
    """A learning rate and the weight decay that goes with it; ``Lion(**recipe._asdict())`` takes both."""

    lr: float
    weight_decay: float


class AmosSchedules(NamedTuple):
    """The schedules of the rate `alpha` and of the decay `rho` per step; rho / alpha does not change."""

    alpha: InverseTime
    rho: InverseTime


def lion_from_adamw(lr: float, weight_decay: float) -> RateAndDecay:
    """Return Lion's settings from those that suit AdamW: a tenth of the rate, ten times the decay.

    Parameters
    ----------
    lr, weight_decay : float
        AdamW's, positive and non-negative. Their product, the decay per step, stays.

    References
    ----------
    arXiv 2302.06675, section 5 (3 to 10 times); archive 9473.

    Examples
    --------
    >>> lion_from_adamw(3e-3, 0.01)
    RateAndDecay(lr=0.0003, weight_decay=0.1)
    """
    _check_positive("lion_from_adamw", lr=lr)
    if not (math.isfinite(weight_decay) and weight_decay >= 0):
        raise OptionError(f"lion_from_adamw: weight_decay must be a finite number >= 0, got {weight_decay!r}")
    return RateAndDecay(lr / 10, weight_decay * 10)


def lion_betas(task: Task) -> tuple[float, float]:
    """Return Lion's beta1 and beta2 for "vision" or "language" (arXiv 2302.06675, section 5)."""
    if task not in _LION_BETAS:
        raise OptionError(f"task must be one of {', '.join(map(repr, _LION_BETAS))}, got {task!r}")
    return _LION_BETAS[task]


def tiger_beta(task: Task) -> float:
    """Return Tiger's beta for "vision" or "language": the mean of Lion's two (archive 9512).

    Examples
    --------
    >>> tiger_beta("vision"), tiger_beta("language")
    (0.945, 0.965)
    """
    beta1, beta2 = lion_betas(task)
    return (beta1 + beta2) / 2


def initial_error(k: int, sigma: float) -> float:
    r"""Return the distance :math:`\sqrt k \sigma` from the start to the solution that Amos reckons with.

    Parameters
    ----------
    k : int
        Number of entries of the leaf.
    sigma : float
        Standard deviation with which a matrix is initialised; 0.5 for biases and norm parameters.

    References
    ----------
    Archive 9344. A survey that cites it has :math:`k \sqrt\sigma`, a misprint.

    Examples
    --------
    >>> initial_error(768 * 768, 768**-0.5)
    27.7128
    """
    _check_positive("initial_error", k=k, sigma=sigma)
    return math.sqrt(k) * sigma


def sign_rates(alpha0: float, *, d: int | None = None, sigma: float | None = None) -> RateAndDecay:
    r"""Return the rate and decay that Amos suggests for a sign rule such as Lion.

    .. math::

        \eta = \alpha_0 \sigma, \qquad \lambda = \alpha_0 / (2 \sigma)

    Parameters
    ----------
    alpha0 : float
        :math:`\alpha_0 > 0`: the change of a parameter in the first step, relative to its scale; about 1e-3,
        or 1e-2 for easy tasks.
    d : int, optional
        Width of the model, whose matrices start with the standard deviation :math:`\sigma = d^{-1/2}`.
    sigma : float, optional
        That standard deviation itself; give one of the two.

    Notes
    -----
    The signs of k entries have the norm :math:`\sqrt k`, which cancels that of the initial error. They are the
    values at t = 0 of `amos_schedules` with the scale sigma; the decay is constant there.

    References
    ----------
    Archive 9473, from archive 9344 and arXiv 2210.11693.

    Examples
    --------
    >>> rate, decay = sign_rates(1.11e-3, d=768)
    >>> print(f"{rate:.3e} {decay:.4f}")
    4.005e-05 0.0154
    """
    if (d is None) == (sigma is None):
        raise OptionError(f"sign_rates: give either d or sigma, got d={d!r} and sigma={sigma!r}")
    if d is not None:
        _check_positive("sign_rates", d=d)
        sigma = 1 / math.sqrt(d)
    assert sigma is not None
    _check_positive("sign_rates", alpha0=alpha0, sigma=sigma)
    return RateAndDecay(alpha0 * sigma, alpha0 / (2 * sigma))


def amos_schedules(
    alpha0: float,
    scale: float = 1.0,
    *,
    p: float | None = None,
    half_life: float | None = None,
    q: float = 1.0,
    cosine: Literal["constant", "falling"] = "constant",
) -> AmosSchedules:
    r"""Return Amos's schedules of rate and decay for any direction :math:`u_t` of a known norm.

    In :math:`\theta_{t+1} = \theta_t - (\alpha_t u_t + \rho_t \theta_t)` they are

    .. math::

        \alpha_t &= \alpha_0 \frac{\|\epsilon_0\|}{\|u_t\|} \frac{1}{(\kappa t + 1)^n} \\
        \rho_t &= \frac{\alpha_0^2}{2 q} \frac{1}{(\kappa t + 1)^n}

    with :math:`n = 2, \kappa = \alpha_0 p` where the cosine between direction and error stays p, and
    :math:`n = 1, \kappa = 2 \alpha_0 p` where it starts at p and falls as the error does.

    Parameters
    ----------
    alpha0 : float
        :math:`\alpha_0 > 0`: the first change relative to the initial error; about 1e-3, or 1e-2 for easy tasks.
    scale : float
        :math:`\|\epsilon_0\| / \|u_t\|`: the standard deviation of the initialisation for sign rules,
        `initial_error` for directions of norm 1, and 1 where the direction brings its scale along.
    p : float, optional
        Cosine between direction and error, in (0, 1].
    half_life : float, optional
        Steps after which rate and decay have halved, instead of p.
    q : float
        :math:`\langle\theta, \epsilon\rangle / \|\epsilon\|^2`, about 1 by the article. From an independent start
        it is 1/2 and falls, below 0 once the error has halved: late in training the decay then leads away.
    cosine : {"constant", "falling"}
        The article's first and second result.

    Returns
    -------
    AmosSchedules
        `alpha` and `rho`, of the article's t, which is 0 in the first step; starting at our t = 1 instead costs a
        factor of :math:`(1 + \kappa)^{-n}`.

    References
    ----------
    Archive 9344, results R1 and R2; arXiv 2210.11693.

    Examples
    --------
    Both go into a rule as they are: a schedule is a number everywhere.

    >>> from arrayopt.firstorder.lion import Lion
    >>> alpha, rho = amos_schedules(1e-3, scale=0.036, half_life=10_000, cosine="falling")
    >>> rule = Lion(lr=alpha, weight_decay=rho, decay_scale="independent")
    >>> alpha(10_000) / alpha(0), rho(30_000) / rho(0)
    (0.5, 0.25)
    """
    if (p is None) == (half_life is None):
        raise OptionError(f"amos_schedules: give either p or half_life, got p={p!r} and half_life={half_life!r}")
    if cosine not in ("constant", "falling"):
        raise OptionError(f"amos_schedules: cosine must be 'constant' or 'falling', got {cosine!r}")
    _check_positive("amos_schedules", alpha0=alpha0, scale=scale, q=q)
    power = 2.0 if cosine == "constant" else 1.0
    if half_life is not None:
        kappa = kappa_of_half_life(half_life, power)
    else:
        assert p is not None
        if not 0 < p <= 1:
            raise OptionError(f"amos_schedules: p must be a cosine in (0, 1], got {p!r}")
        kappa = alpha0 * p if cosine == "constant" else 2 * alpha0 * p
    return AmosSchedules(InverseTime(alpha0 * scale, kappa, power), InverseTime(alpha0**2 / (2 * q), kappa, power))


def half_life(schedule: InverseTime) -> float:
    r"""Return the steps after which an inverse-time schedule has half its first value.

    It is :math:`(2^{1/n} - 1) / \kappa`, infinite at :math:`\kappa = 0`.

    Examples
    --------
    >>> half_life(InverseTime(1.0, 0.01)), half_life(InverseTime(1.0, 0.01, power=2))
    (100.0, 41.4214)
    """
    return (2 ** (1 / schedule.power) - 1) / schedule.kappa if schedule.kappa else math.inf


def kappa_of_half_life(steps: float, power: float = 1.0) -> float:
    r"""Return the :math:`\kappa` with which :math:`(\kappa t + 1)^{-n}` has halved after so many steps.

    With Amos, :math:`\alpha_0 p = (\sqrt 2 - 1) / T` for n = 2 and :math:`2 \alpha_0 p_0 = 1 / T` for n = 1.

    Examples
    --------
    >>> kappa_of_half_life(100.0)
    0.01
    """
    _check_positive("kappa_of_half_life", steps=steps, power=power)
    return (2 ** (1 / power) - 1) / steps


def _check_positive(recipe: str, **given: float) -> None:
    for name, value in given.items():
        if not (math.isfinite(value) and value > 0):
            raise OptionError(f"{recipe}: {name} must be a finite number > 0, got {value!r}")
