"""The page, put together."""

from html import escape
from pathlib import Path

import hwgen

from ..bench.reasons import REASONS
from ..config import Config
from ..flows.targets import RESOURCES
from . import charts
from .style import STYLE
from .svg import number

__all__ = ["page"]

PICTURE = Path(hwgen.__file__).parents[1] / "docs" / "architecture.svg"
USUAL = 16  # bytes a cycle of the memory in the charts that show one


def page(
    config: Config,
    bench: dict | None = None,
    areas: list[dict] = (),
    checks: list[dict] = (),
) -> str:
    """Self-contained HTML: it loads nothing.

    Parameters
    ----------
    bench
        What `hwgen bench` has written.
    areas
        What `hwgen synth` has written, for one target or a comparison each.
    checks
        What `hwgen run --check --json` has printed.
    """
    parts = [_head(config), _cards(config, bench)]
    parts += [_configuration(config), _picture()]
    if bench is not None:
        parts += [_speed(bench), _memory(bench), _layers(bench, config), _densities(bench)]
    if checks or bench is not None:
        parts.append(_accuracy(bench, checks))
    if areas:
        parts.append(_area(areas))
    title = f"hwgen: {config.name}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        + "".join(parts)
        + "</body></html>\n"
    )


def _head(config: Config) -> str:
    return (
        f"<h1>{escape(config.name)}</h1><p>{escape(config.description)}</p>"
        f'<p class="dim">hwgen {hwgen.__version__}, configuration <code>{config.hash[:16]}</code>'
        "</p>"
    )


def _usual(bench: dict) -> list[dict]:
    """The runs with a memory of the usual width, or of the widest."""
    widths = {row["bytes_a_cycle"] for row in bench["runs"]}
    chosen = USUAL if USUAL in widths else max(widths, default=USUAL)
    return [row for row in bench["runs"] if row["bytes_a_cycle"] == chosen]


def _cards(config: Config, bench: dict | None) -> str:
    cards = [
        (f"{config.macs}", "multiplications a cycle"),
        (number(config.activation_bytes + config.weight_bytes), "bytes of buffers"),
    ]
    if bench is not None and bench["runs"]:
        rows = _usual(bench)
        best = max(rows, key=lambda row: row["speedup"])
        cards.append(
            (
                f"{best['speedup']:.2f}×",
                f"faster by gating: {best['subject']}, batch {best['batch']} "
                f"({best['ideal']:.2f}× fewer products)",
            )
        )
        dense = max(rows, key=lambda row: row["dense"]["utilization"])
        cards.append(
            (
                f"{dense['dense']['utilization']:.1%}",
                f"of the multipliers busy in dense {dense['subject']}, batch {dense['batch']}",
            )
        )
    body = "".join(
        f'<div class="card"><b>{value}</b><span>{escape(text)}</span></div>'
        for value, text in cards
    )
    return f'<div class="cards">{body}</div>'


def _table(names: list[str], rows: list[list]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _configuration(config: Config) -> str:
    rows = [
        [f"{section}.{name}", value, _meaning(config, section, name)]
        for section, fields in config.model_dump().items()
        if isinstance(fields, dict)
        for name, value in fields.items()
    ]
    body = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(str(value))}</td>"
        f'<td style="text-align:left;white-space:normal">{escape(text)}</td></tr>'
        for name, value, text in rows
    )
    return (
        "<h2>Configuration</h2><details><summary>All fields</summary>"
        f'<div class="scroll"><table>{body}</table></div></details>'
    )


def _meaning(config: Config, section: str, name: str) -> str:
    text = type(getattr(config, section)).model_fields[name].description or ""
    return text.splitlines()[0] if text else ""


def _picture() -> str:
    if not PICTURE.is_file():  # an installation without the documentation
        return ""
    picture = PICTURE.read_text().replace('id="a"', 'id="pa"').replace('id="b"', 'id="pb"')
    picture = picture.replace("url(#a)", "url(#pa)").replace("url(#b)", "url(#pb)")
    return (
        '<figure style="margin:1rem 0"><div class="scroll picture">'
        f"{picture}</div><figcaption>Blocks of the accelerator</figcaption></figure>"
    )


def _speed(bench: dict) -> str:
    rows = _usual(bench)
    if not rows:
        return ""
    width = rows[0]["bytes_a_cycle"]
    table = _table(
        ["network", "batch", "gated", "dense", "speed-up", "ideal", "reached", "gated layers"],
        [
            [
                row["subject"],
                row["batch"],
                f"{row['gated']['cycles']:,}",
                f"{row['dense']['cycles']:,}",
                f"{row['speedup']:.2f}×",
                f"{row['ideal']:.2f}×",
                f"{row['reached']:.0%}",
                f"{row['gated_layers']['reached']:.0%}" if row["gated_layers"] else "",
            ]
            for row in rows
        ],
    )
    changed = f" with {' '.join(bench['settings'])}," if bench.get("settings") else ""
    sources = {row["subject"]: row["masks"] for row in rows}
    notes = "; ".join(f"{escape(name)}: {escape(text)}" for name, text in sources.items())
    return (
        f"<h2>Gated against dense</h2><p>Whole networks on cgnet8 with gates against baseline8 "
        f"without,{escape(changed)} memory at {width} bytes a cycle, latency {bench['latency']}. "
        "The ideal is how many times fewer products there are. <em>Gated layers</em>: the part of "
        "their own ideal that they reach.</p>"
        f'<div class="chart">{charts.speedups(rows)}</div>'
        + charts.legend({"gated": "speed-up", "ideal": "ideal"})
        + f'{table}<p class="dim">{notes}.</p>'
    )


def _memory(bench: dict) -> str:
    chart = charts.against_bandwidth(bench["runs"])
    if not chart:
        return ""
    return (
        "<h2>Memory bandwidth</h2><p>Gating leaves fewer products, but as many weights to "
        f"load: on a slow memory, or with few positions for each weight, it wins less.</p>{chart}"
    )


def _layers(bench: dict, config: Config) -> str:
    rows = _usual(bench)
    if not rows:
        return ""
    text = (
        "<h2>Where the cycles went</h2><p>Of each layer the upper bar is gated, the lower, paler "
        "one dense.</p>" + charts.legend(REASONS)
    )
    for n, row in enumerate(rows):
        text += (
            f"<details{' open' if n == 0 else ''}><summary>{escape(row['subject'])}, batch "
            f"{row['batch']}</summary>"
            f'<div class="chart">{charts.layers(row)}</div>'
            f"<h3>Roofline</h3>{charts.roofline(row, config.macs)}</details>"
        )
    return text


def _densities(bench: dict) -> str:
    if not bench["densities"]:
        return ""
    return (
        "<h2>Density</h2><p>The gated layers of ResNet-18 at 32x32 pixels with generated masks; "
        f"one eighth of the channels is the base.</p>{charts.against_density(bench['densities'])}"
    )


def _accuracy(bench: dict | None, checks: list[dict]) -> str:
    rows = [
        [
            check["network"],
            f"{check['images']:,}",
            "" if check["accuracy"] is None else f"{check['accuracy']:.2%}",
            f"{check['cycles']:,.0f}",
            f"{check['cycles_least']:,.0f} … {check['cycles_most']:,.0f}",
            f"{check['samples_equal']} of {check['samples']}",
        ]
        for check in checks
    ]
    text = ""
    if rows:
        names = ["network", "images", "right", "cycles an image", "least … most", "equal on RTL"]
        text += _table(names, rows)
    seen = {
        row["subject"]: row["accuracy"]
        for row in (bench or {"runs": []})["runs"]
        if row["accuracy"] is not None
    }
    if seen and not rows:
        names = ["network", "right, of the images that ship"]
        text += _table(names, [[name, f"{value:.2%}"] for name, value in seen.items()])
    if not text:
        return ""
    return "<h2>Accuracy</h2><p>In integers, the same on every backend, bit for bit.</p>" + text


def _area(areas: list[dict]) -> str:
    text = "<h2>Area</h2>"
    for area in areas:
        if area["format"] == "hwgen-comparison":
            names = [f"on {area['target']}", area["first"], area["second"], "extra"]
            rows = [
                [
                    RESOURCES.get(key, key.replace("_", " ")),
                    f"{first:,.0f}",
                    f"{area['total']['second'][key]:,.0f}",
                    "" if area["percent"].get(key) is None else f"{area['percent'][key]:+.1f} %",
                ]
                for key, first in area["total"]["first"].items()
            ]
        else:
            names = [f"{area['name']} on {area['target']}", ""]
            total = area["total"] | {"memory bits": area["memory_bits"]}
            rows = [[RESOURCES.get(key, key), f"{value:,.0f}"] for key, value in total.items()]
        text += _table(names, rows)
    return text
