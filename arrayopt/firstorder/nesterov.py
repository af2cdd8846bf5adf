"""Nesterov: momentum that looks ahead."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace, namespace
from arrayopt.core import trees
from arrayopt.core.rule import Preset, ema
from arrayopt.core.state import State
from arrayopt.core.trees import Leaf, Tree
from arrayopt.firstorder.momentum import VelocityStep


@final
@dataclass(frozen=True, kw_only=True)
class Nesterov(VelocityStep):
    r"""Nesterov's momentum: the gradient is that of the point where the velocity is about to lead.

    .. math::

        v_t &= \mu v_{t-1} + (1 - \tau) g_t \\
        \theta_t &= \theta_{t-1} - \eta (g_t + \mu v_t)

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`; as for `Momentum`, a tenth of the rate of SGD at momentum 0.9.
    momentum : float or schedule
        :math:`\mu` in [0, 1). 0.9 to 0.99; for convex losses it may grow to 1, as
        :math:`1 - 3 / (t + 5)`.
    dampening : float or schedule
        :math:`\tau` in [0, 1). The forms "damped" and "bias_corrected" have :math:`\tau = \mu` and do not
        read it. torch and MLX refuse anything but 0.
    form : {"reformulated", "lookahead", "damped", "once_applied", "bias_corrected"}
        "reformulated": as above (torch, optax, Keras, MLX, tinygrad, scikit-learn).
        "lookahead": :math:`\theta_t = \theta_{t-1} - \eta v_t`, where :math:`g_t` is the gradient at
        :math:`\theta_{t-1} - \eta \mu v_{t-1}`, which the method `lookahead` returns: the original.
        "damped": :math:`v_t = \mu v_{t-1} + (1 - \mu) g_t` and the update :math:`(1 - \mu) g_t + \mu v_t`
        (inside Muon, by Keller Jordan and torch).
        "once_applied": the update :math:`(1 + \mu) v_t - \mu v_{t-1}` (the notes of course cs231n).
        "bias_corrected": the velocity of "damped", both parts corrected for its zero start:
        :math:`\mu v_t / (1 - \mu^{t+1}) + (1 - \mu) g_t / (1 - \mu^t)` (NAdam; inside optax's Muon).
    first : {"zero", "gradient"}
        "zero": :math:`v_0 = 0`. "gradient": :math:`v_1 = g_1`, undamped (torch, SGDW).
    lr_place : {"outside", "inside"}
        "outside": as above. "inside": :math:`\eta g_t` takes the place of :math:`g_t` in velocity and update,
        which then is the displacement (Keras, scikit-learn; the original). They are the same as long as the
        rate does not change.
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; with "l2" the decay enters the velocity, and is that of the point before looking ahead.

    Notes
    -----
    State: v, of the parameter's shape, starting at zero; with the rate inside it has the unit of a parameter.
    At constant lr and momentum the points of "reformulated" are those where "lookahead" takes its gradients,
    and "reformulated" is the heavy ball fed :math:`g_t + \mu (g_t - g_{t-1})`, which "takes the change of the
    gradient into account". "once_applied" is "reformulated" in other words as long as nothing is dampened.
    torch, Keras, MLX, tinygrad and SGDW have momentum 0 by default and are then `SGD`; the presets keep
    this rule's 0.9.

    References
    ----------
    Nesterov, A method of solving a convex programming problem with convergence rate O(1/k^2), 1983.
    Sutskever, Martens, Dahl and Hinton, On the importance of initialization and momentum in deep learning,
    2013, equations 3 and 4 ("lookahead"). Dozat, Incorporating Nesterov momentum into Adam, 2016
    ("bias_corrected").

    Examples
    --------
    A loop that serves every form; only "lookahead" takes its gradient elsewhere.

    >>> import numpy as np
    >>> rule, params = Nesterov(lr=0.1, momentum=0.5, form="lookahead"), np.array([1.0, -2.0])
    >>> state = rule.init(params)
    >>> for _ in range(2):
    ...     params, state = rule.update(2 * rule.lookahead(params, state), state, params)
    >>> params.round(4)
    array([ 0.56, -1.12])
    """

    form: Literal["reformulated", "lookahead", "damped", "once_applied", "bias_corrected"] = "reformulated"

    averaging: ClassVar[tuple[str, ...]] = ("damped", "bias_corrected")
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset("Sutskever and others 2013, equations 3 and 4", {"form": "lookahead", "lr_place": "inside"}),
        "torch": Preset("torch.optim.SGD 2.13.0, nesterov=True", {"lr": 1e-3, "first": "gradient"}),
        "optax": Preset("optax.sgd 0.2.8, nesterov=True", {}),
        "keras": Preset("keras.optimizers.SGD 3.15.1, nesterov=True", {"lr_place": "inside", "decay": "decoupled"}),
        "mlx": Preset("mlx.optimizers.SGD 0.32.4, nesterov=True", {}),
        "tinygrad": Preset("tinygrad.nn.optim.SGD 0.14.0, nesterov=True", {"lr": 1e-3}),
        "pytorch_optimizer": Preset(
            "pytorch_optimizer.SGDW 4.1.0, nesterov=True",
            {"lr": 1e-4, "first": "gradient", "decay": "decoupled"},
        ),
        "sklearn": Preset(
            "sklearn.neural_network._stochastic_optimizers.SGDOptimizer 1.9.1",
            {"lr": 0.1, "lr_place": "inside"},
        ),
    }

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return tau, and the bias corrections of the gradient's part and of the velocity's."""
        return {**super().scalars(h, t, leaf), "bc_g": 1 - h.momentum**t, "bc_v": 1 - h.momentum ** (t + 1)}

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, v: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Sutskever and others, equations 3 and 4, and what became of them."""
        g = self.l2(h, g, p)
        s, last = self.rated(h, g), v
        v = self.velocity(h, v, s)
        if self.form == "lookahead":
            u = v
        elif self.form == "damped":
            u = ema(h.momentum, v, s)
        elif self.form == "bias_corrected":
            u = ema(h.momentum, v / h.bc_v, s / h.bc_g)
        elif self.form == "once_applied":
            u = (1 + h.momentum) * v - h.momentum * last
        else:
            u = s + h.momentum * v
        return self.move(h, p, u), {"v": v}

    def lookahead(self, params: Tree, state: State) -> Tree:
        """Return the point where the form wants the gradient of the next step.

        Parameters
        ----------
        params : tree of arrays
            Parameters.
        state : State
            What `init` or the last `update` returned.

        Returns
        -------
        tree of arrays
            Where the velocity leads: the parameters after a step with a zero gradient and no decay. For every
            form but "lookahead", `params`.
        """
        if self.form != "lookahead":
            return params
        leaves, spec = trees.flatten(params, "params")
        zeros = {path: namespace(p).zeros_like(p) for path, p in leaves.items()}
        return self.replace(weight_decay=0.0).update(trees.unflatten(spec, zeros), state, params)[0]
