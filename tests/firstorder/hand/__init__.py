"""Two steps of every rule by hand, from the papers, in exact or 50-digit arithmetic; nothing here imports arrayopt."""

from collections.abc import Sequence

from mpmath import mp, mpf, nstr

mp.dps = 50

P0 = [mpf("1.5"), mpf("-2"), mpf("0.25")]
GRADIENTS = [[mpf("0.5"), mpf("-1"), mpf("2")], [mpf("-0.25"), mpf("3"), mpf("1")]]


def literals(path: Sequence[Sequence[mpf]]) -> list[list[str]]:
    """Return the numbers of a path to 20 digits."""
    return [[nstr(x, 20) for x in row] for row in path]


def show(path: Sequence[Sequence[mpf]]) -> None:
    """Print a path as the literal that its test holds."""
    for row in literals(path):
        print(f"    [{', '.join(row)}],")
