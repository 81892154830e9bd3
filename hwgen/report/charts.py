"""The charts of the page."""

from ..bench.reasons import REASONS
from .svg import Axis, Drawing, Frame, number

__all__ = ["against_bandwidth", "against_density", "layers", "legend", "roofline", "speedups"]

NAME = 206  # room for names left of bars
COLOURS = 6  # of lines; after so many they come again, dashed and with hollow dots


def legend(entries: dict[str, str], kind: str = "square") -> str:
    """Colours and what they mean; ``entries``: class to text."""
    items = "".join(
        f'<span><svg viewBox="0 0 12 12" class="key"><rect width="12" height="12" class="{name}"/>'
        f"</svg>{text}</span>"
        for name, text in entries.items()
    )
    return f'<p class="legend {kind}">{items}</p>'


def speedups(rows: list[dict]) -> str:
    """A bar for each run: the speed-up, in a bar of the ideal one."""
    width, pitch, top = 900, 30, 8
    drawing = Drawing(width, top + pitch * len(rows) + 34, "Speed-up and ideal of each network")
    most = max(max(row["ideal"], row["speedup"]) for row in rows) * 1.02
    scale = (width - NAME - 70) / most
    bottom = top + pitch * len(rows)
    for mark in Axis("", 0, most).marks():
        x = NAME + mark * scale
        drawing.line([(x, top), (x, bottom)], "grid")
        drawing.text(x, bottom + 16, f"{mark:g}×", anchor="middle", kind="small")
    for n, row in enumerate(rows):
        y = top + n * pitch
        name = f"{row['subject']}, batch {row['batch']}"
        drawing.text(NAME - 8, y + 18, name, anchor="end")
        tip = f"{name}: {row['speedup']:.2f} of {row['ideal']:.2f}"
        drawing.box(NAME, y + 4, row["ideal"] * scale, pitch - 10, "ideal", tip)
        drawing.box(NAME, y + 8, row["speedup"] * scale, pitch - 18, "gated", tip)
        end = NAME + max(row["ideal"], row["speedup"]) * scale + 6
        drawing.text(end, y + 18, f"{row['speedup']:.2f}×", kind="strong")
    return drawing.svg()


def _lines(frame: Frame, series: dict[str, list[tuple[float, float]]]) -> str:
    """Lines with dots, and a legend."""
    names = {}
    for n, (name, points) in enumerate(series.items()):
        kind = f"s{n % COLOURS}" + " again" * (n >= COLOURS)
        names[f"fill {kind}"] = name
        frame.drawing.line([frame.at(*point) for point in points], f"stroke {kind}")
        for x, y in points:
            frame.drawing.dot(*frame.at(x, y), f"fill {kind}", f"{name}: {y:.2f} at {number(x)}")
    return f'<div class="chart plot">{frame.drawing.svg()}</div>{legend(names)}'


def against_bandwidth(rows: list[dict]) -> str:
    """Speed-up of each network against bytes a cycle."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in sorted(rows, key=lambda row: row["bytes_a_cycle"]):
        name = f"{row['subject']}, batch {row['batch']}"
        series.setdefault(name, []).append((row["bytes_a_cycle"], row["speedup"]))
    series = {name: points for name, points in series.items() if len(points) > 1}
    if not series:
        return ""
    widths = sorted({x for points in series.values() for x, _ in points})
    most = max(y for points in series.values() for _, y in points)
    x = Axis("memory, bytes a cycle", widths[0] / 1.15, widths[-1] * 1.15, True, widths)
    y = Axis("speed-up over dense", 0, most * 1.1)
    return _lines(Frame(x, y, "Speed-up against memory bandwidth"), series)


def against_density(rows: list[dict]) -> str:
    """Speed-up of gated layers against their density, beside the ideal."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        point = (row["density"], row["speedup"])
        series.setdefault(f"batch {row['batch']}", []).append(point)
        series.setdefault("ideal", [])
    series["ideal"] = sorted({(row["density"], row["ideal"]) for row in rows})
    most = max(y for points in series.values() for _, y in points)
    x = Axis("part of the outputs that fire", 0, 1)
    y = Axis("speed-up over dense", 0, most * 1.05)
    return _lines(Frame(x, y, "Speed-up against density"), series)


def layers(row: dict) -> str:
    """Two bars for each layer, gated and dense, stacked by reason."""
    pairs = {r["layer"]: [r, None] for r in row["gated"]["layers"]}
    for r in row["dense"]["layers"]:
        pairs.setdefault(r["layer"], [None, None])[1] = r
    pairs = {name: pair for name, pair in pairs.items() if any(p and p["cycles"] for p in pair)}
    width, pitch, top = 900, 30, 6
    drawing = Drawing(width, top + pitch * len(pairs) + 44, f"Cycles by layer of {row['subject']}")
    most = max(r["cycles"] for pair in pairs.values() for r in pair if r)
    scale, bottom = (width - NAME - 70) / most, top + pitch * len(pairs)
    for mark in Axis("", 0, most).marks():
        x = NAME + mark * scale
        drawing.line([(x, top), (x, bottom)], "grid")
        drawing.text(x, bottom + 16, number(mark), anchor="middle", kind="small")
    drawing.text(NAME + (width - NAME - 70) / 2, bottom + 36, "cycles", anchor="middle")
    for n, (name, pair) in enumerate(pairs.items()):
        y = top + n * pitch
        drawing.text(NAME - 8, y + 18, _short(name), anchor="end")
        for which, r in enumerate(pair):
            if r is not None:
                _stack(drawing, r, y + 3 + 12 * which, scale, ("gated", "dense")[which])
        if all(pair) and pair[0]["cycles"]:
            end = NAME + max(r["cycles"] for r in pair) * scale + 6
            drawing.text(end, y + 18, f"{pair[1]['cycles'] / pair[0]['cycles']:.2f}×", kind="small")
    return drawing.svg()


def _short(name: str, most: int = 26) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _stack(drawing: Drawing, row: dict, y: float, scale: float, which: str) -> None:
    x = NAME
    for reason, cycles in row["reasons"].items():
        tip = f"{row['layer']}, {which}: {number(cycles)} cycles, {REASONS[reason]}"
        drawing.box(x, y, cycles * scale, 10, f"{reason} {which}-bar", tip)
        x += cycles * scale


def roofline(row: dict, macs: int) -> str:
    """Products a cycle of each layer against its products a byte, below the roof."""
    points = {
        which: [
            (r["macs"] / r["bytes"], r["macs"] / r["cycles"], r["layer"])
            for r in row[which]["layers"]
            if r["macs"] and r["bytes"] and r["cycles"]
        ]
        for which in ("dense", "gated")
    }
    every = [point for found in points.values() for point in found]
    if not every:
        return ""
    bandwidth = row["bytes_a_cycle"]
    low = min(min(x for x, _, _ in every), macs / bandwidth / 2) / 1.5
    high = max(max(x for x, _, _ in every), macs / bandwidth * 2) * 1.5
    floor = min(min(y for _, y, _ in every), low * bandwidth) / 1.5
    x = Axis("products for each byte that is moved", low, high, True)
    y = Axis("products a cycle", floor, macs * 1.5, True)
    frame = Frame(x, y, f"Roofline of {row['subject']}")
    corner = macs / bandwidth
    roof = [(low, low * bandwidth), (corner, macs), (high, macs)]
    frame.drawing.line([frame.at(*point) for point in roof], "roof")
    for which, found in points.items():
        for at, speed, name in found:
            tip = f"{name}, {which}: {speed:.1f} products a cycle, {number(at)} a byte"
            frame.drawing.dot(*frame.at(at, speed), f"mark {which}", tip)
    return f'<div class="chart plot">{frame.drawing.svg()}</div>' + legend(
        {
            "gated": "gated",
            "dense": "dense",
            "roof-key": f"{macs} products, {bandwidth} bytes a cycle",
        }
    )
