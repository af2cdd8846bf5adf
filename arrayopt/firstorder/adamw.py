"""AdamW."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from arrayopt.core.options import NonNegative
from arrayopt.core.rule import Preset
from arrayopt.firstorder.adam import AdamStep


@final
@dataclass(frozen=True, kw_only=True)
class AdamW(AdamStep):
    r"""AdamW: Adam with weight decay taken directly of the parameter, not through the gradient.

    .. math::

        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\
        v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \theta_t &= \theta_{t-1} - s_t \theta_{t-1}
            - \eta \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon},
            \qquad s_t = \eta \lambda

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. About the size of a step of each coordinate: 1e-3 for small models, 1e-4 to 6e-4
        for language models, with warm-up.
    beta1, beta2 : float or schedule
        Decay rates in [0, 1) of the two means; 0.9 and 0.999, or 0.95 for beta2 in language models.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient (of its square for the "root" places).
    weight_decay : float or schedule
        :math:`\lambda \ge 0`: 0.01 (torch, MLX, tinygrad), 0.004 (Keras), 1e-4 (optax), 0.1 for language
        models. At a constant rate the weights forget with a half-life of :math:`\log 2 / (\eta \lambda)`
        steps.
    decay_scale : {"lr", "independent", "relative", "squared"}
        "lr": :math:`s_t = \eta_t \lambda` (every framework of the presets). "relative":
        :math:`s_t = \lambda \eta_t / \eta_{peak}`, the paper's algorithm, where the schedule multiplies the
        decay and the rate does not; with :math:`\lambda / \eta_{peak}` in place of :math:`\lambda` the two
        are one.
    eps_root, eps_place, bias_correction, amsgrad
        See `Adam`. MLX corrects no bias by default; Keras has "hat".
    decay, lr_peak, decay_point
        See `Rule`. Decay "in_update" is the same rule as "decoupled" with ``decay_scale="lr"``.

    Notes
    -----
    State: m, v and, for AMSGrad, vmax; each of the parameter's shape, starting at zero.

    Decay through the gradient would be divided by the root of v, so that weights with large gradients would
    decay least; here all decay alike. With SGD the two coincide, with Adam they do not.

    References
    ----------
    arXiv 1711.05101, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = AdamW(lr=0.1, weight_decay=0.5), np.array([1.0, -2.0])
    >>> params, state = rule.update(np.array([3.0, -1e-3]), rule.init(params), params)
    >>> params.round(4)
    array([ 0.85, -1.8 ])
    """

    weight_decay: NonNegative = 0.01
    decay: Literal["l2", "decoupled", "in_update"] = "decoupled"

    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("arXiv 1711.05101, algorithm 2", {"decay_scale": "relative"}),
        "torch": Preset("torch.optim.AdamW 2.13.0", {}),
        "optax": Preset("optax.adamw 0.2.8 (no default rate)", {"weight_decay": 1e-4}),
        "keras": Preset("keras.optimizers.AdamW 3.15.1", {"eps": 1e-7, "eps_place": "hat", "weight_decay": 4e-3}),
        "mlx": Preset("mlx.optimizers.AdamW 0.32.4 (no default rate)", {"bias_correction": "none"}),
        "tinygrad": Preset("tinygrad.nn.optim.AdamW 0.14.0", {}),
    }
