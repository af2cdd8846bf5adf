"""Findings: what general probes found in released frameworks, confirmed by hand with a script in the peer's own API.

A finding contradicts the peer's documentation, its own other code path, or itself under reordering; a dialect that it
documents is none. It is listed in a run only if its check failed in that run and its script shows it again.
"""

from dataclasses import dataclass
from pathlib import Path

REPRODUCTIONS = Path(__file__).resolve().parent / "reproductions"


@dataclass(frozen=True)
class Finding:
    """A departure that was looked at by hand.

    Attributes
    ----------
    peer : str
        The name of the job.
    optimizer : str
        The name of the optimizer, as exported or as held against a rule.
    probe : str
        The check that finds it, or the kind of the cause where it is held against a rule.
    what : str
        What is wrong, and what it contradicts.
    reproduction : str
        A file among `REPRODUCTIONS` and its arguments; it exits with 1 and prints the departure where it is there, and
        with 0 where it is not.
    """

    peer: str
    optimizer: str
    probe: str
    what: str
    reproduction: str


def each(peer: str, names: str, probe: str, what: str, script: str) -> tuple[Finding, ...]:
    """Return one finding for each optimizer in `names`, with spaces between; the script is told which."""
    module = {"optax": "optax.contrib", "torch": "torch.optim", "tinygrad": "tinygrad.nn.optim"}.get(peer, peer)
    return tuple(Finding(peer, f"{module}.{name}", probe, what, f"{script}.py {name}") for name in names.split())


def on_backends(names: str, probe: str, what: str, script: str) -> tuple[Finding, ...]:
    """Return one finding for each optimizer of keras in `names` on each backend; the script is told which optimizer."""
    return tuple(
        Finding(f"keras on {backend}", f"keras.optimizers.{name}", probe, what, f"{script}.py {name}")
        for backend in ("jax", "torch")
        for name in names.split()
    )


FINDINGS: tuple[Finding, ...] = (
    *each(
        "torch",
        "SGD Adam AdamW Adagrad",
        "code-paths",
        "fused=True on the CPU reads a gradient with other strides than its parameter in the order of its memory: "
        "wrong numbers and no error",
        "torch_fused_strides",
    ),
    Finding(
        "torch",
        "torch.optim.SGD",
        "code-paths",
        "with momentum and fused=True it fails where a parameter gets its first gradient in a later step; with "
        "fused=False it runs",
        "torch_fused_sgd_late.py",
    ),
    Finding(
        "torch",
        "torch.optim.Adafactor",
        "empty-leaf",
        "a parameter without elements, which the other optimizers of torch.optim take, raises ZeroDivisionError",
        "torch_adafactor_empty.py",
    ),
    Finding(
        "torch",
        "torch.optim.NAdam",
        "restore",
        "a run that is saved and loaded goes on elsewhere, if only by rounding: mu_product is in float32 and becomes "
        "what the parameter is in when loaded",
        "torch_nadam_restore.py",
    ),
    *each(
        "optax",
        "prodigy dadapt_adamw",
        "zero-gradient",
        "a first gradient of zero makes the parameters NaN for ever: 0 / 0 in the estimate of the distance",
        "optax_zero_gradient",
    ),
    *(
        Finding(
            "optax",
            f"optax.{name}",
            "dtypes",
            "around Adam it makes bfloat16 parameters NaN, where Adam alone does not: b2 = 0.999 is kept in their "
            "precision, where it is 1",
            f"optax_inject_bfloat16.py {name}",
        )
        for name in ("inject_hyperparams", "inject_stateful_hyperparams")
    ),
    Finding(
        "optax without x64",
        "optax.radam",
        "nearest",
        "in float32, which is what jax computes in unless it is told otherwise, the first step at b2 = 0.99999 is 27 "
        "times too small: rho_1, which is 1, comes out as 273",
        "optax_radam_float32.py",
    ),
    Finding(
        "optax",
        "optax.sm3",
        "zero-d",
        "a 0-d parameter raises IndexError; it is documented for tensors of arbitrary dimensions",
        "optax_sm3_scalar.py",
    ),
    *on_backends(
        "Adam AdamW Lamb",
        "dtypes",
        "a bfloat16 variable does not move at the default beta_2: the bias corrections are computed in bfloat16, where "
        "0.999 is 1 and 1 - beta_2**t is 0",
        "keras_bfloat16",
    ),
    *on_backends(
        "ScheduleFreeAdamW",
        "dtypes",
        "a bfloat16 variable becomes NaN at the default beta_2: the bias corrections are computed in bfloat16, where "
        "0.999 is 1 and 1 - beta_2**t is 0",
        "keras_bfloat16",
    ),
    Finding(
        "keras on jax",
        "keras.optimizers.Nadam",
        "dtypes",
        "a bfloat16 variable becomes NaN at the default beta_2, as 1 - beta_2**t is 0",
        "keras_bfloat16.py Nadam",
    ),
    *on_backends(
        "Adafactor",
        "ignored-switch",
        "relative_step=False does nothing: the rate is bounded by 1 / sqrt(t) a second time, whatever it is",
        "keras_adafactor_relative",
    ),
    *on_backends(
        "Adafactor",
        "zero-gradient",
        "a gradient with a row and a column of zeros, as of a dead unit and a dead input, makes the whole variable "
        "NaN: epsilon_1, documented to keep the denominator away from 0, is squared, which is 0 in float32",
        "keras_adafactor_zeros",
    ),
    Finding(
        "keras on torch",
        "keras.optimizers.Adam",
        "mixed-dtypes",
        "all variables are updated in the dtype of the first: how one moves depends on what stands before it, and does "
        "not on jax",
        "keras_torch_mixed_dtypes.py",
    ),
    Finding(
        "keras on torch",
        "keras.optimizers.ScheduleFreeAdamW",
        "code-paths",
        "apply and stateless_apply differ: apply takes the momentum before the step for a copy and gets the tensor "
        "that it then updates in place",
        "keras_schedule_free_torch.py",
    ),
    *each(
        "tinygrad",
        "LAMB LARS",
        "code-paths",
        "fused=True gives another result: the trust ratio, which is one of each layer, is one of all parameters, which "
        "are joined",
        "tinygrad_fused",
    ),
    *each(
        "pytorch_optimizer",
        "Adan DAdaptAdan Shampoo",
        "code-paths",
        "maximize=True along -g is not minimizing along g: the first buffer is filled with the gradient before its "
        "sign is turned",
        "pytorch_optimizer_maximize",
    ),
    *each(
        "pytorch_optimizer",
        "AdamP SGDP SWATS",
        "layout",
        "step() raises where a gradient is not contiguous in memory, as that of a channels_last convolution",
        "pytorch_optimizer_channels_last",
    ),
    Finding(
        "pytorch_optimizer",
        "pytorch_optimizer.SWATS",
        "order-dependent",
        "the order of the parameters changes how each of them moves: of those that want SGD in one step the last one "
        "sets the rate of all",
        "pytorch_optimizer_swats_order.py",
    ),
    *each(
        "pytorch_optimizer",
        "PNM ScheduleFreeSGD EmoLynx",
        "ignored-option",
        "eps, documented to be added to the denominator, is never read",
        "pytorch_optimizer_dead_eps",
    ),
    Finding(
        "pytorch_optimizer",
        "pytorch_optimizer.RAdam(weight_decouple=False)",
        "ignored-option",
        "weight_decay does nothing with weight_decouple=False, which is documented to add it to the gradient",
        "pytorch_optimizer_radam_decay.py",
    ),
    Finding(
        "schedulefree",
        "schedulefree.RAdamScheduleFree",
        "code-paths",
        "lr given as a tensor, which the signature allows, makes the first step NaN: 0 / 0 raises no ZeroDivisionError "
        "on tensors",
        "schedulefree_tensor_rate.py",
    ),
    *(
        Finding(
            "schedulefree",
            "schedulefree.ScheduleFreeWrapper",
            probe,
            f"a {which} parameter raises RuntimeError, as two tensors are swapped as bytes; SGDScheduleFree takes it",
            f"schedulefree_wrapper_swap.py {which}",
        )
        for probe, which in (("zero-d", "scalar"), ("layout", "transposed"))
    ),
)
