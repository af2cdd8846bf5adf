"""What the experiments share: arguments, and where their picture and their numbers go."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from arrayopt.core.results import write_json

SEED = 20261122


def arguments(name: str, text: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse ``[-o DIR] [--seed N] [--quick]``."""
    parser = argparse.ArgumentParser(prog=f"python -m scripts.{name}", description=text.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path(), metavar="DIR", help="where the files go (here)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of all random numbers ({SEED})")
    parser.add_argument("--quick", action="store_true", help="a small run, to see that it works")
    return parser.parse_args(argv)


def draw(name: str, modules: Sequence[ModuleType], argv: Sequence[str] | None) -> int:
    """Draw every picture of a folder of experiments, or those that are named before the other arguments.

    A module has ``draw(seed, quick)``, which returns a figure and data.
    """
    pictures = {m.__name__.rpartition(".")[2]: m for m in modules}
    words = sys.argv[1:] if argv is None else argv
    chosen, rest = [x for x in words if x in pictures], [x for x in words if x not in pictures]
    given = arguments(name, f"Draw {', '.join(pictures)}, or those that are named first.", rest)
    for picture in chosen or pictures:
        save(*pictures[picture].draw(given.seed, given.quick), picture, given)
    return 0


def figure(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """Return a figure for files and an array of its axes; needs matplotlib (extra ``plot``)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(made)
    return made, made.subplots(rows, columns, squeeze=False)


def save(made: Any, data: Mapping[str, Any], name: str, given: argparse.Namespace) -> None:
    """Write NAME.png and NAME.json, and say so."""
    given.out.mkdir(parents=True, exist_ok=True)
    picture, numbers = given.out / f"{name}.png", given.out / f"{name}.json"
    made.savefig(picture, dpi=120)
    write_json(numbers, {"experiment": name, "seed": given.seed, "quick": given.quick, **data})
    print(f"wrote {picture} and {numbers}")
