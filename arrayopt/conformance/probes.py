"""Probes: small designed experiments, each a few steps on a few dozen numbers.

A probe fixes parameters, gradients and hyper-parameters. Random gradients at default settings hide most
mistakes, so most probes exaggerate: of 32,640 pairs of Adam dialects one exaggerated random probe separates
every pair by 5 %, while at default settings 54 pairs stay closer than 1e-6.
All numbers are exact in the precision of the candidate, so that everybody starts from the same ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from arrayopt.conformance.candidate import Arrays, dtype_of
from arrayopt.core.rule import Rule
from arrayopt.core.trees import Leaf
from arrayopt.errors import LeafError

EXAGGERATED: Mapping[str, float] = {
    "lr": 0.1, "beta1": 0.6, "beta2": 0.8, "beta": 0.6, "rho": 0.8, "momentum": 0.6,
    "eps": 0.05, "weight_decay": 0.2, "dampening": 0.3, "max_norm": 2.0,
}  # fmt: skip
"""Hyper-parameters at which dialects are far apart."""
SLOW: Mapping[str, float] = {
    "lr": 0.9, "beta1": 0.9, "beta2": 0.99999, "beta": 0.99999, "rho": 0.99999, "momentum": 0.99, "eps": 1e-4,
}  # fmt: skip
"""Decay rates at which 1 - beta**t in float32 is wrong by 7e-4, and a rate beyond 1/sqrt(t), which bounds some."""


@dataclass(frozen=True)
class Probe:
    """One experiment.

    Attributes
    ----------
    name : str
        A letter.
    reveals, misses : str
        What a departure here tells, and what passes it wrongly.
    params, gradients : dict of array, list of dict of array
        Where it starts, and the gradient of each step.
    hyper : dict of float
        Hyper-parameters to set, where the reference has them and the candidate declares them.
    rates : dict of int to float
        Factors of the learning rate from given steps on; the candidate must offer ``set`` for them.
    pull : float
        What is added to the gradients, times the parameters at that time: the gradient of a quadratic.
    narrow : str
        The precision that holds all gradients exactly.
    """

    name: str
    reveals: str
    misses: str
    params: Arrays
    gradients: list[Arrays]
    hyper: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[int, float] = field(default_factory=dict)
    pull: float = 0.0
    narrow: str = "float32"

    def seen(self, gradient: Arrays, params: Arrays) -> Arrays:
        """Return the gradient at some parameters; all numbers fit `narrow`."""
        if not self.pull:
            return gradient
        return {k: _rounded(g + self.pull * params[k], dtype_of(self.narrow)) for k, g in gradient.items()}


@dataclass(frozen=True)
class Stepped:
    """A schedule: `base` times the factor of the last step in `factors` that has come."""

    base: float
    factors: tuple[tuple[int, float], ...]

    def __call__(self, t: int) -> float:
        """Return the value at step t."""
        return self.base * next((f for s, f in reversed(self.factors) if s <= t), 1.0)


SHAPES: Mapping[str, tuple[int, ...]] = {"a": (4, 3), "b": (3, 5), "c": (6,), "d": (4, 3)}
"""Leaves of the probes; two have one shape, for those who keep state by shape."""
MATRICES: Mapping[str, tuple[tuple[int, ...], float]] = {
    "tall": ((8, 2), 1.0), "wide": ((2, 8), 1.0), "square": ((5, 5), 1.0), "kernel": ((4, 2, 3, 1), 1.0),
    "tiny": ((3, 3), 2.0**-26), "huge": ((3, 3), 2.0**26),
}  # fmt: skip
"""Leaves of probe M: shape, and the scale of the gradient."""


def probes_for(reference: Rule, seed: int = 0, single: bool = False, dtype: str = "float64") -> list[Probe]:
    """Return the probes that suit a rule: of one leaf if `single`, without vectors if the rule refuses them."""
    rng = np.random.default_rng(seed)
    shapes = {k: s for k, s in SHAPES.items() if accepts(reference, s)}
    shapes = dict(list(shapes.items())[:1]) if single else shapes
    line = (13,) if accepts(reference, (13,)) else (1, 13)
    narrow = dtype if np.dtype(dtype_of(dtype)).itemsize < 4 else "float32"

    def exact(arrays: Arrays, factor: float = 1.0) -> Arrays:
        return {k: _rounded(factor * x, dtype_of(narrow)) for k, x in arrays.items()}

    def normal(scale: float = 1.0) -> Arrays:
        return exact({k: rng.normal(scale=scale, size=s) for k, s in shapes.items()})

    def zeros() -> Arrays:
        return {k: np.zeros(s) for k, s in shapes.items()}

    few: list[str] = [k for k in ("a", "c") if k in shapes]  # enough for what does not depend on the shape

    def some(arrays: Arrays, names: list[str] = few) -> Arrays:
        return {k: arrays[k] for k in names}

    start = normal(2.0)
    exaggerated = [exact(normal(), 5.0 if t == 3 else 1.0) for t in range(1, 9)]
    first = normal()
    ladder = exact({"a": (10.0 ** -np.arange(13.0)).reshape(line)})
    return [
        Probe("E", "places of eps, bias corrections, decay, AMSGrad, forms of momentum",
              "what shows at no exaggerated setting: a default, a threshold at a step, scalars in float32",
              start, exaggerated, EXAGGERATED),
        Probe("S", "the first step from zero: bias correction, first damping, initial accumulators, trust at zero",
              "everything that begins at the second step",
              zeros(), [{k: np.ones(s) for k, s in shapes.items()}]),
        Probe("L", "a ladder of gradients from 1 to 1e-12 at the settings as given: the size and place of eps",
              "an eps under 1e-12; rules without one",
              {"a": np.zeros(line)}, [ladder, ladder, exact(ladder, 0.1)]),
        Probe("Z", "zero gradients: weight decay alone, the sign of zero, zero over zero",
              "what the gradient does", some(start), [some(zeros())] * 3, EXAGGERATED),
        Probe("R", "a changing rate, once zero: rate inside or outside the velocity, scale of the decay",
              "a candidate that offers no set(lr=...)",
              some(start), [some(g) for g in exaggerated[:7]], EXAGGERATED, {4: 0.1, 6: 0.0, 7: 0.3}),
        Probe("T", "g, -g, 0: forms of momentum, damping, Nesterov's variants",
              "forms that are one after a change of variables, such as look-ahead Nesterov by its own iterates",
              some(zeros()), [some(g) for g in (first, exact(first, -1.0), zeros(), zeros())], EXAGGERATED),
        Probe("P", "a gradient that pulls towards zero as the parameters move: the same forms, with feedback",
              "as T: an optimizer is a map from gradients to parameters, whoever makes the gradients",
              some(start), [some(exact(normal(), 0.1)) for _ in range(5)], EXAGGERATED, pull=0.5, narrow=narrow),
        Probe("B", "a burst, then quiet: maxima and decaying maxima, clipping, order of Lion's rates",
              "what a growing gradient would show",
              some(start), [some(g) for g in (exact(first, 10.0), *(exact(normal(), 0.01) for _ in range(5)))],
              EXAGGERATED),
        *_matrices(reference, rng, exact, single),
        Probe("D", "the settings as given: defaults, thresholds at a step such as RAdam's",
              "places of eps, and most that E shows", some(start, ["a"]), [some(normal(), ["a"]) for _ in range(10)]),
        Probe("Q", "decay rates of 0.99999 and a rate near 1: the precision of scalars, relative steps",
              "scalars that do not depend on a decay rate",
              some(start, ["a"]), [some(normal(), ["a"]) for _ in range(6)], SLOW),
    ]  # fmt: skip


def _matrices(
    reference: Rule, rng: np.random.Generator, exact: Callable[[Arrays], Arrays], single: bool
) -> list[Probe]:
    """Return probe M; gradients are diagonal, so that a matrix function acts on known singular values, then random."""
    shapes = {k: s for k, (s, _) in MATRICES.items() if accepts(reference, s)}
    shapes = dict(list(shapes.items())[:1]) if single else shapes
    diagonal = {}
    for k, shape in shapes.items():
        flat = np.zeros((shape[0], int(np.prod(shape[1:]))))
        np.fill_diagonal(flat, 2.0 ** -np.arange(min(flat.shape)))
        diagonal[k] = MATRICES[k][1] * flat.reshape(shape)
    one = {k: MATRICES[k][1] * np.ones(s) for k, s in shapes.items()}  # of rank one
    other = {k: MATRICES[k][1] * rng.normal(size=s) for k, s in shapes.items()}
    # no larger than the gradient, or a narrow precision would lose the steps
    start = exact({k: min(1.0, MATRICES[k][1]) * rng.normal(size=s) for k, s in shapes.items()})
    reveals = "rules of shape: scales by rows and columns, kernels, orthogonalisation and its norm, factored moments"
    steps = [exact(diagonal), exact(one), exact(other)]
    return [Probe("M", reveals, "coefficients that differ at singular values between the given ones", start, steps,
                  EXAGGERATED)]  # fmt: skip


def non_finite(reference: Rule, seed: int = 0, single: bool = False) -> Probe:
    """Return probe N: one NaN at the second step.

    There is no infinity in it: NumPy's singular value decomposition may hang on one.
    """
    usual = probes_for(reference, seed, single)[0]
    steps = [{k: np.array(g) for k, g in step.items()} for step in usual.gradients[:4]]
    steps[1][next(iter(usual.params))].flat[1] = np.nan
    return Probe("N", "where a NaN goes: its element, its leaf, all leaves; whether the step is skipped",
                 "infinities", usual.params, steps, EXAGGERATED)  # fmt: skip


def accepts(rule: Rule, shape: tuple[int, ...]) -> bool:
    """Tell whether a rule takes leaves of a shape: Muon refuses vectors."""
    leaf = Leaf("a", shape, "float64")
    try:
        rule.for_leaf(leaf).slots(leaf)
    except LeafError:
        return False
    return True


def _rounded(x: np.ndarray, narrow: object) -> np.ndarray:
    """Round to numbers that a narrower type holds exactly."""
    return np.asarray(x).astype(narrow).astype(np.float64)  # type: ignore[call-overload, no-any-return]
