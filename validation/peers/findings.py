"""Findings: what general probes found in released frameworks, confirmed by hand with a script in the peer's own API.

A finding contradicts the peer's documentation, its own other code path, or itself under reordering; a dialect that it
documents is none. It is listed in a run only if its check failed in that run and its script shows it again.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPRODUCTIONS = Path(__file__).resolve().parent / "reproductions"
SECONDS = 120.0


@dataclass(frozen=True)
class Finding:
    """A departure that was looked at by hand.

    Attributes
    ----------
    peer : str
        The name of the job.
    optimizer : str
        The name of the optimizer, as exported.
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


OVERWRITES = "step() computes in place on p.grad, so that what reads it afterwards reads something else"
FINDINGS: tuple[Finding, ...] = (
    Finding(
        "keras on torch",
        "keras.optimizers.ScheduleFreeAdamW",
        "code-paths",
        "on torch, apply and stateless_apply differ: apply takes the momentum before the step for a copy and gets the "
        "tensor that it then updates in place",
        "keras_schedule_free_torch.py",
    ),
    *(
        Finding(
            peer,
            "keras.optimizers.Adam",
            "dtypes",
            "a bfloat16 variable does not move at the default beta_2: the bias corrections are computed in bfloat16, "
            "where 0.999 is 1 and 1 - beta_2**t is 0",
            "keras_adam_bfloat16.py",
        )
        for peer in ("keras on jax", "keras on torch")
    ),
    *(
        Finding(
            "pytorch_optimizer",
            f"pytorch_optimizer.{name}",
            "code-paths",
            f"maximize=True along -g is not minimizing along g: {what}",
            f"pytorch_optimizer_maximize.py {name}",
        )
        for name, what in {
            "Adan": "the previous gradient starts with the sign of the one that is given",
            "DAdaptAdan": "the previous gradient starts with the sign of the one that is given",
            "Shampoo": "the momentum buffer starts with the sign of the gradient that is given",
        }.items()
    ),
    *(
        Finding(
            "pytorch_optimizer",
            f"pytorch_optimizer.{name}",
            "layout",
            "step() raises where a gradient is not contiguous in memory, as that of a transposed weight",
            f"pytorch_optimizer_strides.py {name}",
        )
        for name in ("AdamP", "SGDP")
    ),
    *(
        Finding(
            "pytorch_optimizer",
            f"pytorch_optimizer.{name}",
            "gradient-overwritten",
            OVERWRITES,
            f"pytorch_optimizer_overwrites.py {name}",
        )
        for name in ("AdaDelta", "AdaMax", "Muon", "Shampoo")
    ),
    Finding(
        "pytorch_optimizer",
        "pytorch_optimizer.RAdam(weight_decouple=False)",
        "ignored-option",
        "weight_decay does nothing with weight_decouple=False, which is documented to be L2 regularization",
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
            "tinygrad",
            f"tinygrad.nn.optim.{name}",
            "code-paths",
            "fused=True gives another result: the trust ratio is one of all parameters, which are joined, and not one "
            "of each",
            f"tinygrad_fused.py {name}",
        )
        for name in ("LAMB", "LARS")
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
)


def reproduce(command: str, env: Mapping[str, str], folder: Path = REPRODUCTIONS) -> tuple[bool, str]:
    """Run a script; tell whether it shows the departure, and what it printed."""
    name, *arguments = command.split()
    try:
        done = subprocess.run(
            [sys.executable, str(folder / name), *arguments],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"took more than {SECONDS:.0f} s"
    return done.returncode == 1 and "Traceback" not in done.stderr, (done.stdout or done.stderr).strip()


def sorted_out(
    peers: Mapping[str, Any],
    findings: Iterable[Finding] = FINDINGS,
    env: Mapping[str, Mapping[str, str]] | None = None,
    folder: Path = REPRODUCTIONS,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Part what failed in a run into findings and what is not confirmed.

    Parameters
    ----------
    peers : dict
        The results of a run by job.
    findings : iterable of Finding
        What was confirmed by hand.
    env : dict of dict
        The environment of each job.
    folder : Path
        Where the reproductions are.

    Returns
    -------
    confirmed, unconfirmed : list of dict
        ``{peer, version, optimizer, what, probe, reproduction}`` each, without the last where it is not confirmed.
    stale : list of str
        Findings whose check did not fail, or whose script does not show them; those of peers that did not run are not
        among them.
    """
    tripped = {(t["peer"], t["optimizer"], t["probe"]): t for t in failures(peers)}
    confirmed, stale, shown = [], [], {}
    for f in sorted(findings, key=lambda f: (f.peer, f.optimizer, f.probe)):
        if f.peer not in peers:
            continue
        key = (f.peer, f.optimizer, f.probe)
        if key not in tripped:
            stale.append(f"{f.peer} {f.optimizer}: the check {f.probe} does not fail")
            continue
        run = (f.reproduction, f.peer)
        if run not in shown:
            shown[run] = reproduce(f.reproduction, (env or {}).get(f.peer, {}), folder)
        there, printed = shown[run]
        if not there:
            stale.append(f"{f.peer} {f.optimizer}: {f.reproduction} does not show it: {printed}")
            continue
        confirmed.append({**tripped.pop(key), "what": f.what, "reproduction": f"reproductions/{f.reproduction}"})
    return confirmed, list(tripped.values()), stale


def failures(peers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return every check that failed and every wrong cause, as candidates for findings."""
    found = []
    for peer, result in peers.items():
        for one in [*result["exports"], *result["rules"]]:
            wrong = {c["kind"]: c["text"] for c in reversed(one.get("causes", [])) if c["wrong"]}
            found += [
                {"peer": peer, "version": result["version"], "optimizer": one["name"], "what": text, "probe": kind}
                for kind, text in reversed(wrong.items())
            ]
    return found
