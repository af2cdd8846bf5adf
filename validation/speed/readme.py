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
COLUMNS = {"pure": "pure", "numpy 2t": "numpy", "numba 2t": "numba", "torch foreach": "torch foreach",
           "torch fused": "torch fused", "optax jit": "optax, jit", "bound": "traffic bound"}  # fmt: skip
ONE_THREAD = ("one/1000",)


def table(result: Mapping[str, Any]) -> str:
    """Return the table of a result, with the machine."""
    cells = {c["cell"]: c for c in result["cells"]}
    lines = ["| float32 | " + " | ".join(COLUMNS.values()) + " |", "| --- |" + " --- |" * len(COLUMNS)]
    for name, label in ROWS.items():
        if name not in cells:
            continue
        medians = cells[name]["median_seconds"]
        times = []
        for column in COLUMNS:
            engine, _, threads = column.partition(" ")
            own = threads == "2t" and (f"{engine} 1t" if name in ONE_THREAD else f"{engine} auto")
            times.append(duration(medians.get(own) if own and own in medians else medians.get(column)) or "-")
        lines.append(f"| {label} | " + " | ".join(times) + " |")
    about = result["about"]
    versions = ", ".join(f"{k} {v}" for k, v in about["versions"].items() if v)
    lines += ["", f"Medians of {about['rounds']} interleaved rounds on {about['cores']} cores ({about['processor']}); "
              f"{versions}. `-`: there is none. All rows, ratios and what they were to reach: "
              "`python -m validation.speed`."]  # fmt: skip
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
