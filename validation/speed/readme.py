"""The README's table of times, written from the JSON of a run between two marker comments."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from validation.speed.report import duration

BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
ROWS = {
    "momentum/1e7": "momentum, 1e7",
    "adamw/1e7": "AdamW, 1e7",
    "lion/1e7": "Lion, 1e7",
    "adadelta/1e7": "Adadelta, 1e7",
    "lamb/1e7": "LAMB, 1e7",
    "muon/1e6": "Muon, 1000 x 1000",
    "adamw/148": "AdamW, 148 leaves of GPT-2",
    "many/own": "AdamW, 1,000 leaves of 1,000",
    "one/1000": "AdamW, one leaf of 1,000",
}
COLUMNS = {
    "pure": ("pure",),
    "numpy": ("numpy auto", "numpy 2t"),
    "numba": ("numba auto", "numba 2t"),
    "torch, not fused": ("torch foreach", "torch for-loop"),
    "torch, fused": ("torch fused",),
    "optax, jit": ("optax jit",),
    "traffic bound": ("bound",),
}
"""By heading: what stands below it, the first one that a cell has."""
ONE_THREAD = {"one/1000": {"numpy": ("numpy 1t",), "numba": ("numba 1t",)}}


def table(result: Mapping[str, Any]) -> str:
    """Return the table of a result, with the machine."""
    cells = {c["cell"]: c for c in result["cells"]}
    lines = ["| float32 | " + " | ".join(COLUMNS) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    for name, label in ROWS.items():
        if name not in cells:
            continue
        medians = cells[name]["median_seconds"]
        columns = COLUMNS | ONE_THREAD.get(name, {})
        times = [duration(next((medians[way] for way in ways if way in medians), None)) for ways in columns.values()]
        lines.append(f"| {label} | " + " | ".join(x or "-" for x in times) + " |")
    about = result["about"]
    versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items() if v)
    lines += ["", f"Medians of {about['rounds']} interleaved rounds on {about['cores']} cores ({about['processor']}); "
              f"{versions}. `-`: there is none; torch's Muon multiplies in bfloat16. All rows, ratios and what they "
              "were to reach: `python -m validation.speed`."]  # fmt: skip
    return "\n".join(lines)


def insert(text: str, result: Mapping[str, Any]) -> str:
    """Return a page with the table between the markers.

    Raises
    ------
    ValueError
        If the page does not have each marker once, in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"expected {BEGIN!r} and {END!r} once each, in this order")
    return text.split(BEGIN)[0] + f"{BEGIN}\n{table(result)}\n{END}" + text.split(END)[1]


def write(path: Path, result: Mapping[str, Any]) -> None:
    path.write_text(insert(path.read_text(encoding="utf-8"), result), encoding="utf-8")
