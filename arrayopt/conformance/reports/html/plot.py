"""Plots: the error of a candidate after each step of a probe, drawn as SVG."""

import math
from collections.abc import Sequence

from arrayopt.conformance.reports.curves import Curve
from arrayopt.conformance.reports.html.markup import Markup, element, joined

WIDTH, HEIGHT = 240, 150
LEFT, RIGHT, TOP, BOTTOM = 38, 8, 8, 24
INSIDE = 8
"""From the edges of the plot to the first and the last step."""
LOWEST, HIGHEST = -18.0, 1.0
"""Powers of ten at the lower and the upper edge; what is exactly zero lies on the lower one."""
TICKS = (0, -4, -8, -12, -16)
MOST = 60
"""Points of a curve that are drawn; of longer ones, the worst of every few steps."""
SAID = {"reference": "the published rule", "match": "the dialect found"}


def panel(curves: Sequence[Curve]) -> Markup:
    """Draw the curves of one probe: error over step on a logarithmic scale, above what rounding allows.

    A mark is filled where the error is beyond its tolerance. Circles are against the reference, squares against the
    match. The tolerance drawn is that of the last curve: of the match where there is one.
    """
    probe, steps = curves[0].probe, max(len(c.errors) for c in curves)
    # squares first, as they are the larger marks
    series = [_series(c, steps) for c in sorted(curves, key=lambda c: c.against == "reference")]
    drawn = joined(_allowed(curves[-1], steps), _axes(steps), *series)
    said = f"Probe {probe}, error after each step: {'; '.join(map(_told, curves))}"
    return element(
        "svg", element("title", said), drawn, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", class_="plot"
    )  # fmt: skip


def _told(c: Curve) -> str:
    """Say of a curve what it shows."""
    where = f"beyond rounding from step {c.departs} on" if c.departs else "within rounding"
    return f"from {SAID[c.against]} at most {max(c.errors, default=0.0):.1e}, {where}"


def _axes(steps: int) -> Markup:
    lines = [
        joined(
            element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=_y(10.0**p), y2=_y(10.0**p), class_="grid"),
            _label("1" if p == 0 else f"1e{p}", LEFT - 4, float(_y(10.0**p)) + 3, "end"),
        )
        for p in TICKS
    ]
    named = sorted({1, (1 + steps) // 2 if steps > 3 else 1, steps})
    numbers = [_label(str(t), float(_x(t, steps)), HEIGHT - BOTTOM + 12, "middle") for t in named]
    base = element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=_y(0), y2=_y(0), class_="axis")
    return joined(*lines, base, _label("0", LEFT - 4, float(_y(0)) + 3, "end"), *numbers)


def _allowed(c: Curve, steps: int) -> Markup:
    """Draw the tolerance as a line with the area below."""
    heights = [_y(a) for _, _, a in _thinned(c)]
    inner = [f"{_x(t, steps)},{y}" for (t, _, _), y in zip(_thinned(c), heights, strict=True)]
    line = " ".join([f"{LEFT},{heights[0]}", *inner, f"{WIDTH - RIGHT},{heights[-1]}"])  # from edge to edge
    area = f"{LEFT},{_y(0)} {line} {WIDTH - RIGHT},{_y(0)}"
    return joined(element("polygon", points=area, class_="allowed"), element("polyline", points=line, class_="limit"))


def _series(c: Curve, steps: int) -> Markup:
    points = [(_x(t, steps), _y(e), "beyond" if e > a else "within") for t, e, a in _thinned(c)]
    line = element("polyline", points=" ".join(f"{x},{y}" for x, y, _ in points))
    mark = _circle if c.against == "reference" else _square
    return element("g", line, *(mark(float(x), float(y), kind) for x, y, kind in points), class_=c.against)


def _circle(x: float, y: float, kind: str) -> Markup:
    return element("circle", cx=_short(x), cy=_short(y), r=2.5, class_=kind)


def _square(x: float, y: float, kind: str) -> Markup:
    return element("rect", x=_short(x - 3.5), y=_short(y - 3.5), width=7, height=7, class_=kind)


def _thinned(c: Curve) -> list[tuple[int, float, float]]:
    """Return steps, errors and tolerances; of long curves the step of each bin that is furthest beyond."""
    every = list(zip(range(1, len(c.errors) + 1), c.errors, c.tolerances, strict=True))
    size = math.ceil(len(every) / MOST)
    bins = [every[i : i + size] for i in range(0, len(every), size)]
    return [max(points, key=lambda p: (p[1] > p[2], p[1])) for points in bins]


def _x(t: int, steps: int) -> str:
    left, right = LEFT + INSIDE, WIDTH - RIGHT - INSIDE
    return _short(left + (right - left) * ((t - 1) / (steps - 1) if steps > 1 else 0.5))


def _y(error: float) -> str:
    power = HIGHEST if math.isnan(error) else LOWEST if error <= 0 else math.log10(error)
    within = min(max(power, LOWEST), HIGHEST)
    return _short(TOP + (HEIGHT - TOP - BOTTOM) * (HIGHEST - within) / (HIGHEST - LOWEST))


def _label(text: str, x: float, y: float, anchor: str) -> Markup:
    return element("text", text, x=_short(x), y=_short(y), text_anchor=anchor)


def _short(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")
