"""What the times are to reach, as data: ratios of one run on two cores, float32; smaller is faster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from validation.speed.rounds import Samples

Status = Literal["reached", "missed", "not measured"]
SLACK = 1.1
"""A row fails when it misses by more than a tenth in three runs; one run can tell no more than a miss."""


@dataclass(frozen=True)
class Target:
    """Reach `ratio` of the time of `against`, in a cell; `prototype` is what a throw-away prototype had."""

    cell: str
    way: str
    against: str
    ratio: float
    prototype: str


def _adamw(cell: str) -> list[Target]:
    return [
        Target(cell, "numba 2t", "torch fused", 1.0, "0.89-0.97"),
        Target(cell, "numba 2t", "bound", 1.06, "0.97-1.06"),
        Target(cell, "numpy 2t", "torch fused", 1.9, "2.0"),
        Target(cell, "numpy 2t", "torch foreach", 0.33, "0.35"),
        Target(cell, "numpy 2t", "optax jit", 1.3, "1.3"),
    ]


TARGETS = (
    *_adamw("adamw/1e7"),
    *_adamw("adamw/148"),
    Target("many/own", "numpy auto", "torch fused", 0.30, "0.27-0.40"),
    Target("many/own", "numba auto", "torch fused", 0.10, "0.22"),
    Target("many/views", "numpy auto", "torch fused", 0.20, "0.20-0.22"),
    Target("many/views", "numba auto", "torch fused", 0.06, "0.07"),
    Target("one/1000", "numpy 1t", "torch fused", 0.3, "0.27-0.34"),
    Target("one/1000", "numba 1t", "torch fused", 0.06, "0.04"),
    Target("lion/1e7", "numba 2t", "optax jit", 0.12, "0.11"),
    Target("lion/1e7", "numpy 2t", "optax jit", 0.5, "0.55"),
    Target("momentum/1e7", "numba 2t", "torch fused", 0.95, "0.9"),
    Target("momentum/1e7", "numpy 2t", "torch fused", 1.1, "1.14"),
    Target("hand/adamw", "numpy 1t", "by hand", 1.05, "0.95-1.05"),
    Target("hand/momentum", "numpy 1t", "by hand", 1.05, "0.95-1.05"),
    Target("ns/768x3072", "arrayopt", "torch loop", 0.45, "0.45"),
    Target("ns/768x768", "arrayopt", "torch loop", 0.75, "0.71-0.85"),
    Target("msign/768x3072", "arrayopt", "numpy loop", 0.95, "0.93"),
    Target("normals/1e6", "arrayopt", "torch normal_", 0.62, "0.62"),
    Target("device/1e8", "cupy", "torch fused", 1.0, "not measured"),
    Target("device/148", "cupy", "torch fused", 1.0, "not measured"),
)
ON_A_DEVICE = "python -m validation.kernels.device measures it where there is one"


@dataclass(frozen=True)
class Outcome:
    """What became of a target."""

    target: Target
    ratio: float | None
    status: Status
    reason: str


def outcome(target: Target, measured: Mapping[str, Samples], missing: Mapping[str, Mapping[str, str]]) -> Outcome:
    """Judge one target; `missing` has a reason for each way of each cell that could not be taken."""
    samples = measured.get(target.cell)
    if samples is None:
        reason = ON_A_DEVICE if target.cell.startswith("device/") else "the cell was not run"
        return Outcome(target, None, "not measured", reason)
    for way in (target.way, target.against):
        if way not in samples.seconds:
            return Outcome(target, None, "not measured", missing[target.cell].get(way, f"no {way}"))
    ratio = samples.ratio(target.way, target.against)
    if ratio <= target.ratio:
        return Outcome(target, ratio, "reached", "")
    return Outcome(target, ratio, "missed", "by less than a tenth" if ratio <= SLACK * target.ratio else "")
