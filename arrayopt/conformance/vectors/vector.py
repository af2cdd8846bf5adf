"""A vector: one probe with what a rule computes along it, and how far off an implementation may be."""

import dataclasses
import decimal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arrayopt.conformance.candidate import Arrays
from arrayopt.conformance.compare import SLACK, bounds, trajectory
from arrayopt.conformance.models import Model, rule_in, set_up
from arrayopt.conformance.probes import Probe
from arrayopt.conformance.vectors import form
from arrayopt.core import options
from arrayopt.core.rule import Rule
from arrayopt.core.schedules import at
from arrayopt.core.trees import Leaf
from arrayopt.readers.formula import formula, host_numbers

SETTLED = 1000
"""The step for which a formula is written: after any warm-up."""


@dataclass(frozen=True)
class Vector:
    """One experiment and its outcome.

    Attributes
    ----------
    name, reveals, misses : str
        As those of the probe.
    hyper : dict of float
        Every hyper-parameter of the rule, as it is set at the start.
    rates : list of float
        The learning rate of each step.
    params, gradients : dict of array, list of dict of array
        Where it starts, and the gradient of each step.
    expected : list of dict of array
        The parameters after each step, by the rule in float64.
    tolerance : dict of list of dict of array
        Precision -> how far off each of them may be; infinite where it hangs on rounding and is left out.
    """

    name: str
    reveals: str
    misses: str
    hyper: Mapping[str, float]
    rates: list[float]
    params: Arrays
    gradients: list[Arrays]
    expected: list[Arrays]
    tolerance: Mapping[str, list[Arrays]]

    def probe(self, varied: Sequence[str]) -> Probe:
        """Return the probe that sets the hyper-parameters `varied`."""
        hyper, rates = {k: self.hyper[k] for k in varied}, {}
        if len(set(self.rates)) > 1:  # as factors of 1, for they must give these very numbers
            hyper, rates = hyper | {"lr": 1.0}, dict(enumerate(self.rates, 1))
        return Probe(name=self.name, reveals=self.reveals, misses=self.misses, params=self.params,
                     gradients=self.gradients, hyper=hyper, rates=rates)  # fmt: skip


def varied(rule: Rule) -> tuple[str, ...]:
    """Return the hyper-parameters that probes set: not those of the dialect, and not what is zero, which is off."""
    return tuple(k for k in options.numbers(type(rule)) if k not in rule.constants and getattr(rule, k) != 0)


def vector_of(rule: Rule, probe: Probe) -> Vector:
    """Run a rule along a probe."""
    placed, hyper = set_up(rule, probe, varied(rule))
    probe = _recorded(placed, probe)
    rates = [at(rule_in(placed).lr, t) for t in range(1, len(probe.gradients) + 1)]
    expected = trajectory(placed, probe)
    tolerance = {
        dtype: [
            {k: _tolerance(bound[k], exp[k]) for k in exp}
            for bound, exp in zip(bounds(placed, probe, dtype), expected, strict=True)
        ]
        for dtype in form.DTYPES
    }
    return Vector(probe.name, probe.reveals, probe.misses, hyper, rates, probe.params, probe.gradients, expected,
                  tolerance)  # fmt: skip


def _recorded(model: Model, probe: Probe) -> Probe:
    """Return the probe with the gradients that the model meets on its way, where they depend on the parameters."""
    if not probe.pull:
        return probe
    params, gradients = probe.params, []
    for g in probe.gradients:
        gradients.append(probe.seen(g, params))
        params = trajectory(model, dataclasses.replace(probe, gradients=gradients, pull=0.0))[-1]
    return dataclasses.replace(probe, gradients=gradients, pull=0.0)


def _tolerance(bound: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return `SLACK` bounds, rounded up to three digits; what is not finite has to be met exactly."""
    return np.where(np.isfinite(expected), _rounded_up(SLACK * bound), 0.0)


@np.vectorize(otypes=[np.float64])
def _rounded_up(x: float) -> float:
    return float(decimal.Context(prec=3, rounding=decimal.ROUND_CEILING).create_decimal(float(x)))


# As JSON ---------------------------------------------------------------------------------------


def to_json(rule: Rule, probe: Probe, described: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the vector of a rule and a probe as plain data; `described` is what `about` says of the rule."""
    vector = vector_of(rule, probe)
    placed = rule_in(set_up(rule, probe, varied(rule))[0])
    leaves = [Leaf(k, p.shape, "float64") for k, p in vector.params.items()]
    unexplained = list(host_numbers(rule, formula(rule), SETTLED))
    tolerance = {d: [[_nullable(x) for x in after.values()] for after in path] for d, path in vector.tolerance.items()}
    return {
        "schema": form.VECTOR,
        "version": form.VERSION,
        "name": vector.name,
        "reveals": vector.reveals,
        "misses": vector.misses,
        "seed": seed,
        "rule": described,
        "hyper": {k: form.number(v) for k, v in vector.hyper.items()},
        "leaves": [
            {"name": leaf.path, "shape": list(leaf.shape), "data": form.numbers(vector.params[leaf.path])}
            for leaf in leaves
        ],
        "steps": [
            {
                "lr": form.number(lr),
                "numbers": _numbers(placed, unexplained, t, leaves),
                "gradients": [form.numbers(g[k]) for k in vector.params],
                "expected": [form.numbers(after[k]) for k in vector.params],
                "tolerance": {d: path[t - 1] for d, path in tolerance.items()},
            }
            for t, (lr, g, after) in enumerate(zip(vector.rates, vector.gradients, vector.expected, strict=True), 1)
        ],
    }


def _numbers(rule: Rule, names: Sequence[str], t: int, leaves: Sequence[Leaf]) -> dict[str, list[float | str | None]]:
    """Return the numbers that the formula names without spelling them out, one a leaf; null where it has none."""
    every = [rule.numbers_at(t, leaf) for leaf in leaves]
    return {k: [form.number(h[k]) if isinstance(h.get(k), float) else None for h in every] for k in names}


def from_json(data: Mapping[str, Any], where: str) -> Vector:
    """Read a vector."""
    leaves = [(x, f"{where}: leaves[{i}]") for i, x in enumerate(form.get(data, "leaves", list, where))]
    if not leaves:
        raise form.VectorError(f"{where}: it has no leaves")
    shapes: dict[str, tuple[int, ...]] = {}
    params: Arrays = {}
    for leaf, here in leaves:
        shape = form.get(_object(leaf, here), "shape", list, here)
        if not all(type(n) is int and n >= 0 for n in shape):
            raise form.VectorError(f"{here}: 'shape' must be a list of counts, got {shape}")
        name = form.get(leaf, "name", str, here)
        shapes[name] = tuple(shape)
        params[name] = form.array(form.get(leaf, "data", list, here), shapes[name], here)
    rates, gradients, expected = [], [], []
    tolerance: dict[str, list[Arrays]] = {dtype: [] for dtype in form.DTYPES}
    for i, step in enumerate(form.get(data, "steps", list, where), 1):
        here = f"{where}: step {i}"
        rates.append(form.as_float(_object(step, here).get("lr"), f"{here}: lr"))
        gradients.append(arrays(step.get("gradients"), shapes, f"{here}: gradients"))
        expected.append(arrays(step.get("expected"), shapes, f"{here}: expected"))
        given = form.get(step, "tolerance", dict, here)
        for dtype, path in tolerance.items():
            path.append(arrays(given.get(dtype), shapes, f"{here}: tolerance {dtype}", missing=np.inf))
    if not rates:
        raise form.VectorError(f"{where}: it has no steps")
    hyper = {k: form.as_float(v, f"{where}: hyper {k}") for k, v in form.get(data, "hyper", dict, where).items()}
    name, reveals, misses = (form.get(data, k, str, where) for k in ("name", "reveals", "misses"))
    return Vector(name, reveals, misses, hyper, rates, params, gradients, expected, tolerance)


def arrays(data: Any, shapes: Mapping[str, tuple[int, ...]], where: str, missing: float | None = None) -> Arrays:
    """Read one array a leaf, in the order of the leaves."""
    if not isinstance(data, list) or len(data) != len(shapes):
        got = f"{len(data)} of them" if isinstance(data, list) else form.kind_of(data)
        raise form.VectorError(f"{where}: expected a list of {len(shapes)} leaves ({', '.join(shapes)}), got {got}")
    return {
        k: form.array(x, shape, f"{where}, leaf {k}", missing)
        for x, (k, shape) in zip(data, shapes.items(), strict=True)
    }


def _object(data: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise form.VectorError(f"{where}: expected an object, got {form.kind_of(data)}")
    return data


def _nullable(x: np.ndarray) -> list[float | None]:
    return [v if np.isfinite(v) else None for v in x.ravel().tolist()]
