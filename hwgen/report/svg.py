"""Drawings as SVG text. Colours are classes: the page's style gives them, light and dark."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["Axis", "Drawing", "Frame", "number"]


def number(value: float) -> str:
    """A number for people: three digits, thousands as k, M."""
    for unit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g} {suffix}"
    if value and abs(value) < 10:
        return f"{value:.3g}"
    return f"{value:,.0f}"


@dataclass
class Drawing:
    """Shapes, collected as text."""

    width: float
    height: float
    title: str
    parts: list[str] = field(default_factory=list)

    def text(self, x, y, text, *, anchor="start", kind="label", turn=None) -> None:
        """A line of text; ``anchor`` start, middle or end."""
        turned = "" if turn is None else f' transform="rotate({turn} {x:.1f} {y:.1f})"'
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}"{turned}>'
            f"{escape(str(text))}</text>"
        )

    def box(self, x, y, width, height, kind, tip="") -> None:
        """A filled rectangle; ``tip`` appears under the pointer."""
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(0, width):.2f}" height="{height:.2f}" '
            f'class="{kind}">{inside}</rect>'
        )

    def line(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """A line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" class="{kind}"/>')

    def dot(self, x, y, kind, tip="", size=4) -> None:
        """A round mark."""
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" class="{kind}">{inside}</circle>'
        )

    def svg(self) -> str:
        """The drawing as an element of a page."""
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" '
            f'style="min-width:{min(self.width, 720):g}px" role="img" '
            f'aria-label="{escape(self.title, quote=True)}">{"".join(self.parts)}</svg>'
        )


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high``, evenly or by their logarithm."""

    title: str
    low: float
    high: float
    logarithmic: bool = False
    ticks: Sequence[float] = ()

    def part(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def marks(self) -> Sequence[float]:
        """Values to be written at the axis."""
        if self.ticks:
            return self.ticks
        if self.logarithmic:
            first, last = math.ceil(math.log2(self.low)), math.floor(math.log2(self.high))
            step = max(1, (last - first) // 6)
            return [2.0**n for n in range(first, last + 1, step)]
        step = 10 ** math.floor(math.log10((self.high - self.low) / 4))
        step *= next(f for f in (1, 2, 5, 10) if (self.high - self.low) / (step * f) <= 6)
        count = math.floor(self.high / step + 1e-9) - math.ceil(self.low / step - 1e-9)
        first = math.ceil(self.low / step - 1e-9)
        return [round((first + n) * step, 10) for n in range(count + 1)]


class Frame:
    """A chart's field with two axes."""

    LEFT, RIGHT, TOP, BOTTOM = 58, 16, 14, 46

    def __init__(self, x: Axis, y: Axis, title: str, width: float = 620, height: float = 340):
        self.x, self.y = x, y
        self.drawing = Drawing(width, height, title)
        self._width = width - self.LEFT - self.RIGHT
        self._height = height - self.TOP - self.BOTTOM
        bottom = height - self.BOTTOM
        for mark in x.marks():
            at, _ = self.at(mark, y.low)
            self.drawing.line([(at, self.TOP), (at, bottom)], "grid")
            self.drawing.text(at, bottom + 16, number(mark), anchor="middle", kind="small")
        for mark in y.marks():
            _, at = self.at(x.low, mark)
            self.drawing.line([(self.LEFT, at), (width - self.RIGHT, at)], "grid")
            self.drawing.text(self.LEFT - 6, at + 4, number(mark), anchor="end", kind="small")
        self.drawing.line([(self.LEFT, self.TOP), (self.LEFT, bottom)], "axis")
        self.drawing.line([(self.LEFT, bottom), (width - self.RIGHT, bottom)], "axis")
        middle = self.LEFT + self._width / 2
        self.drawing.text(middle, height - 8, x.title, anchor="middle")
        self.drawing.text(14, self.TOP + self._height / 2, y.title, anchor="middle", turn=-90)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a pair of values; what lies outside is drawn at the edge."""
        across = min(1.0, max(0.0, self.x.part(x)))
        up = min(1.0, max(0.0, self.y.part(y)))
        return self.LEFT + across * self._width, self.TOP + (1 - up) * self._height
