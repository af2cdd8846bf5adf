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


def on_backends(optimizer: str, probe: str, what: str, script: str) -> tuple[Finding, ...]:
    """Return the finding for keras on both of its backends."""
    return tuple(
        Finding(f"keras on {backend}", f"keras.optimizers.{optimizer}", probe, what, f"{script}.py")
        for backend in ("jax", "torch")
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
        "missing-gradient",
        "with momentum and fused=True it fails where a parameter gets its first gradient in a later step; with "
        "fused=False it runs",
        "torch_fused_sgd_late.py",
    ),
    Finding(
        "torch",
        "torch.optim.Adafactor",
        "empty-leaf",
        "a parameter without elements, which the other optimizers take, raises ZeroDivisionError",
        "torch_adafactor_empty.py",
    ),
    Finding(
        "torch",
        "torch.optim.NAdam",
        "restore",
        "a run that is saved and loaded goes on elsewhere: mu_product is in float32 and becomes float64 when loaded",
        "torch_nadam_restore.py",
    ),
    *each(
        "optax",
        "prodigy dadapt_adamw",
        "zero-gradient",
        "a first gradient of zero makes the parameters NaN for ever: 0 / 0 in the estimate of the distance",
        "optax_zero_gradient",
    ),
    Finding(
        "optax",
        "optax.sm3",
        "zero-d",
        "a 0-d parameter raises IndexError; it is documented for tensors of arbitrary dimensions",
        "optax_sm3_scalar.py",
    ),
    *on_backends(
        "Adam",
        "dtypes",
        "a bfloat16 variable does not move at the default beta_2: the bias corrections are computed in bfloat16, where "
        "0.999 is 1 and 1 - beta_2**t is 0",
        "keras_adam_bfloat16",
    ),
    *on_backends(
        "Adafactor",
        "zero-gradient",
        "a gradient with a row and a column of zeros, as of a dead unit and a dead input, makes the whole variable "
        "NaN: epsilon_1 squared is 0 in float32",
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
        "fused=True gives another result: the trust ratio is one of all parameters, which are joined, and not one of "
        "each",
        "tinygrad_fused",
    ),
    *each(
        "tinygrad",
        "SGD Adam AdamW LAMB LARS",
        "zero-d",
        "a 0-d parameter raises ValueError, as the learning rate is an array of one axis",
        "tinygrad_scalar",
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
    *each(
        "pytorch_optimizer",
        "AdaDelta AdaMax LARS Muon Shampoo",
        "gradient-overwritten",
        "step() computes in place on p.grad, so that what reads it afterwards reads something else",
        "pytorch_optimizer_overwrites",
    ),
    Finding(
        "pytorch_optimizer",
        "pytorch_optimizer.RAdam(weight_decouple=False)",
        "ignored-option",
        "weight_decay does nothing with weight_decouple=False, which is documented to be L2 regularization",
        "pytorch_optimizer_radam_decay.py",
    ),
    *each(
        "schedulefree",
        "AdamWScheduleFree AdamWScheduleFreePaper RAdamScheduleFree SGDScheduleFree SGDScheduleFreeReference",
        "gradient-overwritten",
        "step() computes in place on p.grad; AdamWScheduleFreeReference leaves it as it is",
        "schedulefree_gradients",
    ),
    Finding(
        "schedulefree",
        "schedulefree.RAdamScheduleFree",
        "code-paths",
        "lr given as a tensor, which the signature allows, makes the first step NaN: 0 / 0 raises no ZeroDivisionError "
        "on tensors",
        "schedulefree_tensor_rate.py",
    ),
    Finding(
        "schedulefree",
        "schedulefree.ScheduleFreeWrapper",
        "zero-d",
        "a 0-d parameter raises RuntimeError, as two tensors are swapped as bytes; the other optimizers take it",
        "schedulefree_wrapper_scalar.py",
    ),
)
