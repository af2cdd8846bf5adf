"""Scripts of peers: one or two of each framework are made smaller, written in its own API, and run."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

from arrayopt.conformance import adapters
from arrayopt.conformance.compare import compare, run
from arrayopt.conformance.probes import probes_for
from arrayopt.conformance.reports.reproduction import reproduction
from arrayopt.conformance.reports.shrinking import shrink

SHOWN = {
    "torch": ("torch.optim.SGD(momentum=0.9, dampening=0.1)", "torch.optim.SparseAdam"),
    "pytorch_optimizer": ("pytorch_optimizer.Muon", "pytorch_optimizer.Lion(fixed_decay=True)"),
    "lion_pytorch": ("lion_pytorch.Lion(decoupled_weight_decay=True)",),
    "optax": ("optax.adagrad",),
    "keras": ("keras.optimizers.Adam",),
    "mlx": ("mlx.optimizers.Adam",),
    "sklearn": ("sklearn.neural_network._stochastic_optimizers.SGDOptimizer",),
    "autograd": ("autograd.misc.optimizers.sgd",),
    "tinygrad": ("tinygrad.nn.optim.SGD(momentum=0.9, classic=True)",),
}
"""Optimizers that speak a dialect, by framework; a changing rate and a dictionary of options are among them."""
TOGETHER = (
    ("torch", "pytorch_optimizer", "lion_pytorch"),
    ("optax",),
    ("keras",),
    ("mlx", "sklearn", "autograd", "tinygrad"),
)
"""Frameworks of which the scripts are run in one process, as importing them takes seconds."""
RUN = """
import json, sys
for script in json.load(sys.stdin):
    try:
        exec(compile(script, "script", "exec"), {})
    except SystemExit as end:
        print("exit", end.code)
"""


@pytest.mark.parametrize("frameworks", TOGETHER, ids="+".join)
def test_the_script_shows_what_the_optimizer_does(frameworks):
    missing = [f for f in frameworks if importlib.util.find_spec(f) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    scripts, smalls = [], []
    for peer in [p for f in frameworks for p in adapters.peers(f) if p.name in SHOWN[f]]:
        probes = probes_for(peer.reference, 0, False, peer.candidate.dtype)
        runs = (run(peer.candidate, p, peer.reference) for p in probes if p.name in "ER")
        ran = next(r for r in runs if not r.not_run and compare(r, peer.reference, peer.candidate).divergence)
        scripts.append(reproduction(peer.candidate, peer.reference, ran))
        smalls.append((peer, shrink(peer.candidate, peer.reference, ran).divergence))
    assert len(scripts) == sum(len(SHOWN[f]) for f in frameworks)
    # which the adapters may have set for themselves
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("KERAS_", "JAX_", "DEV", "TRAINING"))}
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(scripts), capture_output=True, text=True, timeout=120, env=environment, check=True,
    )  # fmt: skip
    shown = re.findall(r"got (\S+), expected (\S+)\nexit 1\n", done.stdout)
    assert len(shown) == len(scripts), (done, scripts)
    for script, (peer, d), (got, expected) in zip(scripts, smalls, shown, strict=True):
        assert "import arrayopt" not in script
        assert float(expected) == d.expected
        # compiled or not, it is the same number but for rounding
        assert float(got) == pytest.approx(d.got, rel=1e-6 if peer.candidate.dtype == "float32" else 1e-12), script
