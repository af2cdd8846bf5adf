"""Muon: momentum, orthogonalised."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, final

from arrayopt.backend import Array, Namespace
from arrayopt.core.options import Epsilon, Rate, UnitInterval
from arrayopt.core.orthogonal import Polynomial, msign, named, newton_schulz, polar_express, take
from arrayopt.core.rule import Preset, Rule, ema
from arrayopt.core.trees import Leaf, label
from arrayopt.errors import LeafError, OptionError


@final
@dataclass(frozen=True, kw_only=True)
class Muon(Rule):
    r"""Muon: the momentum of a matrix with all its singular values set to about 1.

    .. math::

        M_t &= \mu M_{t-1} + (1 - \mu) G_t \\
        U_t &= \mu M_t + (1 - \mu) G_t \\
        W_t &= W_{t-1} - \eta\, \gamma\, \mathrm{NS}(U_t) - \eta \lambda W_{t-1}

    NS is a Newton-Schulz iteration, which approaches :math:`\mathrm{msign}(U) = (U U^T)^{-1/2} U`; :math:`\gamma`
    is the factor `scale`, which depends on the shape. It is for matrices: leaves of fewer than two axes raise.

    Parameters
    ----------
    lr : float or schedule
        :math:`\eta \ge 0`. With the default scale about the spectral norm of a step: 0.02; with "moonlight" as for
        AdamW: 1e-3 and less.
    momentum : float or schedule
        :math:`\mu` in [0, 1), 0.95.
    form : {"ema", "heavy_ball"}
        "ema": as above (Keller, torch, optax, MLX, pytorch_optimizer, timm). "heavy_ball":
        :math:`M_t = \mu M_{t-1} + G_t` (Keras, tinygrad, Moonlight, dion; the article).
    nesterov : {"damped", "heavy", "bias_corrected", "none", "debiased"}
        "damped": as above (Keller, torch, MLX, pytorch_optimizer). "heavy": :math:`U = G + \mu M` (Keras, tinygrad,
        Moonlight). "bias_corrected": :math:`U = \mu M / (1 - \mu^{t+1}) + (1 - \mu) G / (1 - \mu^t)` (optax).
        "debiased": :math:`U = M / (1 - \mu^t)`, which `eps` alone can tell from "none" (optax with
        ``nesterov=False``). "none": :math:`U = M` (dion and timm by default).
    orthogonalize : {"newton_schulz", "exact"}
        "exact": msign by singular values or eigenvalues, with msign(0) = 0; `eps`, `norm`, `ns_dtype` and the
        polynomials are then not used.
    coefficients : {"keller", "taylor", "quintic", "polar_express"}
        Polynomials of the iteration, one a step; the last one goes on. "keller": (3.4445, -4.7750, 2.0315) at each
        step (all but dion and timm). "taylor": (15/8, -5/4, 3/8). "quintic": five that differ (timm; "dion" in
        optax). "polar_express": the table of arXiv 2505.16932 with its safety factor 1.01.
    polynomials : tuple of (float, float, float)
        If not empty, used in place of the named ones, for example ``(coefficients(kappa, x1, x2),)`` or
        ``polar_express(5)`` of `arrayopt.core.orthogonal`.
    ns_steps : int
        Number of steps, at least 0; 5.
    norm : {"add", "max", "safety", "spectral", "schatten", "aol"}
        What U is divided by first, with n its Frobenius norm. "add": :math:`n + \epsilon` (Keller, optax, Keras, MLX,
        tinygrad, Moonlight). "max": :math:`\max(n, \epsilon)` (torch, pytorch_optimizer, timm). "safety":
        :math:`1.02 n + \epsilon` (dion). The others are optax's options, see `newton_schulz`.
    eps : float or schedule
        :math:`\epsilon \ge 0`, in units of the gradient.
    ns_dtype : {"param", "bfloat16"}
        Precision of the iteration. "param": that of the parameter (optax, Keras, MLX, tinygrad). "bfloat16": rounded
        to bfloat16 after each product (Keller, torch, pytorch_optimizer, timm, Moonlight, dion), even for float64.
    scale : {"keller", "optax", "moonlight", "dion", "none"}
        :math:`\gamma` for R rows and C columns. "keller": :math:`\sqrt{\max(1, R/C)}` (also torch, MLX,
        pytorch_optimizer). "optax": :math:`\sqrt{\max(1, C/R)}`, for kernels stored as (in, out). "moonlight":
        :math:`0.2 \sqrt{\max(R, C)}` (also Keras, timm). "dion": :math:`\sqrt{R/C}`. "none": 1 (tinygrad).
    conv : {"flatten", "last_two", "batched"}
        Leaves of more than two axes. "flatten": a matrix of the first axis and the rest (pytorch_optimizer, timm).
        "last_two": the same, but R and C are the last two axes, say of a convolution's window (Keller, MLX).
        "batched": one matrix in the last two axes for each index before (dion).
    weight_decay, decay, decay_scale, lr_peak, decay_point
        See `Rule`; "decoupled", with the rate that `scale` does not touch. "in_update" decays with the scaled rate.

    Notes
    -----
    State: m, of the parameter's shape, starting at zero.

    The result of five steps of the "keller" polynomial is not orthogonal: singular values of at least 0.002 of the
    norm end between 0.68 and 1.21. Up to `eps`, the step does not change when all gradients are scaled. It is
    steepest descent in the spectral norm, less the factor of the nuclear norm; on diagonal matrices, exact Muon is
    Signum.

    References
    ----------
    Keller Jordan, Muon: an optimizer for hidden layers in neural networks (2024). Scale "moonlight": arXiv
    2502.16982. Polar Express: arXiv 2505.16932. archive 10592.

    Examples
    --------
    >>> import numpy as np
    >>> rule, params = Muon(lr=0.1, orthogonalize="exact"), np.zeros((2, 2))
    >>> params, state = rule.update(np.array([[3.0, 0.0], [0.0, -0.5]]), rule.init(params), params)
    >>> params
    array([[-0.1,  0. ],
           [ 0. ,  0.1]])
    """

    lr: Rate = 0.02
    momentum: UnitInterval = 0.95
    form: Literal["ema", "heavy_ball"] = "ema"
    nesterov: Literal["damped", "heavy", "bias_corrected", "none", "debiased"] = "damped"
    orthogonalize: Literal["newton_schulz", "exact"] = "newton_schulz"
    coefficients: Literal["keller", "taylor", "quintic", "polar_express"] = "keller"
    polynomials: tuple[Polynomial, ...] = ()
    ns_steps: int = 5
    norm: Literal["add", "max", "safety", "spectral", "schatten", "aol"] = "add"
    eps: Epsilon = 1e-7
    ns_dtype: Literal["param", "bfloat16"] = "param"
    scale: Literal["keller", "optax", "moonlight", "dion", "none"] = "keller"
    conv: Literal["flatten", "last_two", "batched"] = "flatten"
    decay: Literal["l2", "decoupled", "in_update"] = "decoupled"

    constants: ClassVar[Mapping[str, tuple[int, ...]]] = {"ns_steps": (5, 6, 10)}
    presets: ClassVar[Mapping[str, Preset]] = {
        "paper": Preset(
            "archive 10592",
            {"form": "heavy_ball", "nesterov": "none", "orthogonalize": "exact", "scale": "none"},
        ),
        "keller": Preset("KellerJordan/Muon 857d1ad (read)", {"ns_dtype": "bfloat16", "conv": "last_two"}),
        "torch": Preset(
            "torch.optim.Muon 2.13.0",
            {"lr": 1e-3, "weight_decay": 0.1, "norm": "max", "ns_dtype": "bfloat16"},
        ),
        "optax": Preset(
            "optax.contrib.muon 0.2.8",
            {"nesterov": "bias_corrected", "eps": 1e-8, "scale": "optax"},
        ),
        "keras": Preset(
            "keras.optimizers.Muon 3.15.1",
            {"lr": 1e-3, "form": "heavy_ball", "nesterov": "heavy", "scale": "moonlight", "weight_decay": 0.004},
        ),
        "mlx": Preset("mlx.optimizers.Muon 0.32.4", {"conv": "last_two", "weight_decay": 0.01, "decay": "l2"}),
        "tinygrad": Preset(
            "tinygrad.nn.optim.Muon 0.14.0",
            {"lr": 1e-3, "form": "heavy_ball", "nesterov": "heavy", "scale": "none", "weight_decay": 0.1},
        ),
        "pytorch_optimizer": Preset("pytorch_optimizer.Muon 4.1.0", {"norm": "max", "ns_dtype": "bfloat16"}),
        "timm": Preset(
            "timm.optim.Muon 2f82400 (read)",
            {
                "nesterov": "none",
                "coefficients": "quintic",
                "norm": "max",
                "ns_dtype": "bfloat16",
                "scale": "moonlight",
            },
        ),
        "moonlight": Preset(
            "MoonshotAI/Moonlight c2ad5b2, examples/toy_train.py (read)",
            {
                "lr": 1e-3,
                "form": "heavy_ball",
                "nesterov": "heavy",
                "ns_dtype": "bfloat16",
                "scale": "moonlight",
                "weight_decay": 0.1,
            },
        ),
        "dion": Preset(
            "microsoft/dion 0a059a4, dion.Muon (read)",
            {
                "lr": 0.01,
                "form": "heavy_ball",
                "nesterov": "none",
                "polynomials": polar_express(5, safety=0.02, cushion=0.02),
                "norm": "safety",
                "eps": 1e-8,
                "ns_dtype": "bfloat16",
                "scale": "dion",
                "conv": "batched",
                "weight_decay": 0.01,
            },
        ),
    }

    def __post_init__(self) -> None:
        """Check the iteration, too."""
        super().__post_init__()
        if type(self.ns_steps) is not int or self.ns_steps < 0:
            raise OptionError(f"Muon: ns_steps must be an integer >= 0, got {self.ns_steps!r}")
        try:
            given = tuple((float(a), float(b), float(c)) for a, b, c in self.polynomials)
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"Muon: polynomials must be a sequence of (a, b, c), as in ((1.875, -1.25, 0.375),), "
                f"got {self.polynomials!r}"
            ) from error
        object.__setattr__(self, "polynomials", given)

    def slots(self, leaf: Leaf) -> Mapping[str, float]:
        """Keep the momentum; refuse what is no matrix."""
        if leaf.ndim < 2:
            raise LeafError(
                f"params: {label(leaf.path)} has shape {leaf.shape}, but Muon orthogonalises matrices; "
                "give it another rule, for example AdamW, with Partition"
            )
        return {"m": 0.0}

    def scalars(self, h: SimpleNamespace, t: int, leaf: Leaf) -> Mapping[str, Any]:
        """Return the factor of the shape, the matrix a leaf is taken for, and optax' bias corrections."""
        flat = leaf.shape if self.conv == "batched" else (leaf.shape[0], math.prod(leaf.shape[1:]))
        rows, columns = (max(n, 1) for n in (flat if self.conv == "flatten" else leaf.shape)[-2:])
        gamma = {
            "keller": math.sqrt(max(1.0, rows / columns)),
            "optax": math.sqrt(max(1.0, columns / rows)),
            "moonlight": 0.2 * math.sqrt(max(rows, columns)),
            "dion": math.sqrt(rows / columns),
            "none": 1.0,
        }[self.scale]
        corrected = self.nesterov in ("bias_corrected", "debiased")
        return {
            "gamma": gamma,
            "flat": flat,
            "shape": leaf.shape,
            "bc": 1 - h.momentum**t if corrected else 1.0,
            "bc_next": 1 - h.momentum ** (t + 1) if corrected else 1.0,
        }

    def step(
        self, xp: Namespace, h: SimpleNamespace, g: Array, p: Array, m: Array
    ) -> tuple[Array, dict[str, Array | None]]:
        """Keller Jordan's algorithm."""
        g = self.l2(h, g, p)
        m = ema(h.momentum, m, g) if self.form == "ema" else h.momentum * m + g
        u = self.ahead(h, g, m)
        u = u if h.flat == h.shape else xp.reshape(u, h.flat)
        o = self.orthogonal(xp, h, u)
        o = o if h.flat == h.shape else xp.reshape(o, h.shape)
        return self.outside(h, p, (h.lr * h.gamma) * self.inside(h, o, p)), {"m": m}

    def ahead(self, h: SimpleNamespace, g: Array, m: Array) -> Array:
        """Return the momentum with Nesterov's correction."""
        if self.nesterov == "damped":
            return ema(h.momentum, m, g)
        if self.nesterov == "heavy":
            return g + h.momentum * m
        if self.nesterov == "bias_corrected":
            return ema(h.momentum, m / h.bc_next, g / h.bc)
        if self.nesterov == "debiased":
            return m / h.bc
        return m

    def orthogonal(self, xp: Namespace, h: SimpleNamespace, u: Array) -> Array:
        """Return the matrix with singular values of about 1."""
        if self.orthogonalize == "exact":
            return msign(xp, u)
        return newton_schulz(
            xp,
            u,
            h.eps,
            polynomials=take(self.polynomials or named(self.coefficients), self.ns_steps),
            norm=self.norm,
            bfloat16=self.ns_dtype == "bfloat16",
        )
