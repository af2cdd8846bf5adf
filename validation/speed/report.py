"""The result of a run as JSON, as tables and as a picture."""

import math
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from arrayopt.readers.blocks import threads
from validation.speed.cells import COLUMNS, RULES, SIZES, Cell
from validation.speed.memory import Memory
from validation.speed.rounds import Samples
from validation.speed.targets import Outcome

SCHEMA = 1


def machine() -> dict[str, Any]:
    """Describe the machine without naming it."""
    versions = {}
    for name in ("numpy", "numba", "torch", "jax", "optax"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"cores": threads.cores(), "processor": model or platform.machine(), "python": platform.python_version(),
            "load_before": load, "versions": versions}  # fmt: skip


def result(
    about: Mapping[str, Any],
    cells: Sequence[Cell],
    measured: Mapping[str, Samples],
    missing: Mapping[str, Mapping[str, str]],
    outcomes: Sequence[Outcome],
    memories: Sequence[Memory],
    error_of_msign: float | None,
) -> dict[str, Any]:
    """Return what is written as JSON."""
    lines = []
    for cell in cells:
        s = measured[cell.name]
        lines.append({
            "cell": cell.name, "elements": cell.elements, "leaves": cell.leaves, "moved": cell.moved,
            "waited": s.waited, "missing": missing[cell.name],
            "median_seconds": {way: s.median(way) for way in s.seconds},
            "seconds": {way: [x and float(f"{x:.4g}") for x in xs] for way, xs in s.seconds.items()},
        })  # fmt: skip
    return {"schema": SCHEMA, "about": dict(about), "cells": lines, "targets": [asdict(x) for x in outcomes],
            "memory": [asdict(m) for m in memories], "error_of_msign": error_of_msign}  # fmt: skip


def duration(seconds: float | None) -> str:
    """Write a time with three digits."""
    if seconds is None:
        return ""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            x = seconds * factor
            return f"{x:.{max(0, 2 - math.floor(math.log10(max(x, 1e-9))))}f} {unit}"
    raise AssertionError


def header() -> str:
    return f"{'':15} " + " ".join(f"{c.removeprefix('torch '):>9}" for c in COLUMNS) + f" {'GB/s':>6} {'waited':>7}"


def line(cell: Mapping[str, Any]) -> str:
    """Return a cell as a line of the table: medians, and the bandwidth of the fastest of this package's ways."""
    medians = cell["median_seconds"]
    if not set(medians) <= {*COLUMNS, "numpy auto", "numba auto"}:
        return f"{cell['cell']:15} " + ", ".join(f"{way} {duration(x)}" for way, x in medians.items())
    text = f"{cell['cell']:15} " + " ".join(f"{duration(medians.get(c)):>9}" for c in COLUMNS)
    mine = [x for way, x in medians.items() if way.startswith(("numpy", "numba"))]
    text += f" {cell['moved'] / min(mine) * 1e-9:6.1f}" if cell["moved"] and mine else " " * 7
    if cell["waited"] is not None:
        text += f" {cell['waited']:7.1%}"
    auto = [f"{way} {duration(medians[way])}" for way in ("numpy auto", "numba auto") if way in medians]
    return text + ("  " + ", ".join(auto) if auto else "")


def reasons(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why columns are empty, each reason once."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        for way, why in cell["missing"].items():
            found.setdefault(f"{way}: {why}", []).append(cell["cell"])
    return [f"not measured: {why} ({', '.join(names)})" for why, names in found.items()]


def target_lines(outcomes: Iterable[Outcome]) -> list[str]:
    lines = [f"{'cell':15} {'way':11} {'against':14} {'reach':>6} {'ratio':>6}  {'prototype':10} outcome"]
    for x in outcomes:
        t, ratio = x.target, "" if x.ratio is None else f"{x.ratio:.3f}"
        end = f" ({x.reason})" if x.reason else ""
        lines.append(f"{t.cell:15} {t.way:11} {t.against:14} {t.ratio:6.2f} {ratio:>6}  {t.prototype:10} "
                     f"{x.status}{end}")  # fmt: skip
    return lines


def memory_lines(memories: Iterable[Memory]) -> list[str]:
    lines = [f"{'rule':11} {'engine':6} {'state B/param':>13} {'by the tape':>11} {'scratch':>10} {'peak':>10} "
             f"{'later step':>10}"]  # fmt: skip
    for m in memories:
        sizes = " ".join(f"{'' if x is None else f'{x / 1024:.0f} KiB':>10}" for x in (m.held, m.peak, m.later))
        lines.append(f"{m.rule:11} {m.engine:6} {m.state:13.2f} {m.documented:11.2f} {sizes} {m.reason}")
    return lines


def draw(cells: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the time per element against the number of elements, a panel a rule."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rules: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        name, size = cell["cell"].split("/")
        if name in RULES and size in SIZES and cell["leaves"] == 1:
            rules.setdefault(name, []).append(cell)
    figure = Figure(figsize=(12, 4 * max(1, math.ceil(len(rules) / 3))), layout="constrained")
    FigureCanvasAgg(figure)
    for n, (name, mine) in enumerate(rules.items()):
        axes = figure.add_subplot(math.ceil(len(rules) / 3), 3, n + 1)
        for k, column in enumerate(COLUMNS):
            points = [(c["elements"], 1e9 * c["median_seconds"][column] / c["elements"])
                      for c in mine if column in c["median_seconds"]]  # fmt: skip
            if points:
                style, colour = "o-" if column.startswith("num") else ".:", f"C{k}"
                if column == "bound":
                    style, colour = "--", "black"
                axes.loglog(*zip(*points, strict=True), style, color=colour, label=column, markersize=4)
        axes.set(title=name, xlabel="elements", ylabel="ns per element")
        axes.grid(alpha=0.3)
        if n == 0:
            axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)
