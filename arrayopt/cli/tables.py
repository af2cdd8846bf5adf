"""Tables in the terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    colour: int | None = None,
    colours: Mapping[str, str] | None = None,
) -> None:
    """Print a table: folded on a terminal, a column in the colour of its words; aligned plain text otherwise."""
    console = Console()
    if not console.is_terminal:
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        for row in (header, *rows):
            print("  ".join(f"{x:<{w}}" for x, w in zip(row, widths, strict=True)).rstrip())
        return
    shown = Table(*header, box=None, pad_edge=False)
    for row in rows:
        style = (colours or {}).get(row[colour], "") if colour is not None else ""
        shown.add_row(*(f"[{style}]{x}[/{style}]" if style and i == colour else x for i, x in enumerate(row)))
    console.print(shown)
