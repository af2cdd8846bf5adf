"""What is run: one process for each framework, and for each backend or precision that changes what it computes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from arrayopt.conformance.adapters import FRAMEWORKS, installed

ROOT = Path(__file__).resolve().parents[2]
LONGEST = ("tinygrad", "optax", "pytorch_optimizer", "keras")
"""Frameworks that take longest, which are begun first."""
XLA = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
"""How XLA compiles quickest: what it compiles here is run for some steps and takes far longer to compile."""


@dataclass(frozen=True)
class Job:
    """A process.

    Attributes
    ----------
    name : str
        What reports call it.
    module : str
        The module with ``peers()`` and ``exports()`` that it imports.
    env : dict of str
        Environment variables that choose the backend or the precision.
    group : str
        Jobs of one group run the same optimizers on several backends, which must agree with each other.
    alone : bool
        Whether optimizers without a rule are run for the comparison with the rest of the group only.
    """

    name: str
    module: str
    env: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    alone: bool = False


def jobs(only: list[str] | None = None) -> list[Job]:
    """Return the jobs of the installed frameworks, or of those among them that are asked for.

    Raises
    ------
    SystemExit
        If a framework is asked for that is unknown or not installed.
    """
    there = installed()
    for framework in only or ():
        if framework not in there:
            known = ", ".join(there) if framework in FRAMEWORKS else ", ".join(FRAMEWORKS)
            what = "not installed; installed are" if framework in FRAMEWORKS else "no peer; the peers are"
            raise SystemExit(f"validation.peers: {framework} is {what} {known}")
    ordered = sorted(there, key=lambda f: LONGEST.index(f) if f in LONGEST else len(LONGEST))
    return [job for framework in ordered if not only or framework in only for job in _of(framework, there)]


def _of(framework: str, there: list[str]) -> list[Job]:
    module = f"arrayopt.conformance.adapters.{framework}_adapter"
    if framework == "keras":
        backends = {"jax": "optax", "torch": "torch"}  # backend -> what tells that it is installed
        return [
            Job(f"keras on {backend}", module, {"KERAS_BACKEND": backend, "XLA_FLAGS": XLA}, "keras")
            for backend, sign in backends.items()
            if sign in there
        ]
    if framework == "optax":
        single = {"JAX_ENABLE_X64": "0", "XLA_FLAGS": XLA}
        return [
            Job("optax", module, {"XLA_FLAGS": XLA}, "optax"),
            Job("optax without x64", module, single, "optax", alone=True),
        ]
    return [Job(framework, module)]


def stamp() -> str:
    """Return a digest of the code: what was run with other code is not gone on with."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "arrayopt").rglob("*.py"), *(ROOT / "validation" / "peers").glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
