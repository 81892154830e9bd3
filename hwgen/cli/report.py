"""``hwgen report``: one page about an accelerator."""

import json
from pathlib import Path

import click

from hwgen.cli._options import set_option
from hwgen.errors import UserError

__all__ = ["command"]

FORMATS = {
    "--bench": ("hwgen-bench",),
    "--area": ("hwgen-synthesis", "hwgen-comparison"),
    "--check": ("hwgen-check",),
}
"""What a file of each option must hold, in its field `format`."""


@click.command("report")
@click.argument("config", default="cgnet8")
@set_option
@click.option(
    "--bench",
    "benches",
    multiple=True,
    type=click.Path(path_type=Path),
    help="JSON of hwgen bench; may be repeated: their runs are put together.",
)
@click.option(
    "--area",
    "areas",
    multiple=True,
    type=click.Path(path_type=Path),
    help="JSON of hwgen synth, also of --compare; may be repeated.",
)
@click.option(
    "--check",
    "checks",
    multiple=True,
    type=click.Path(path_type=Path),
    help="JSON of hwgen run --check; may be repeated.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="rtl_out/report.html",
    show_default=True,
    help="The page.",
)
def command(config, settings, benches, areas, checks, out) -> None:
    """Write one page of HTML that needs nothing else: configuration, blocks, speed, area, accuracy.

    What is not given is left out.
    """
    from hwgen.config import load
    from hwgen.files import write_atomic
    from hwgen.report import page

    chosen = load(config, settings)
    text = page(
        chosen,
        _together([_read("--bench", path) for path in benches]),
        [_read("--area", path) for path in areas],
        [_read("--check", path) for path in checks],
    )
    try:
        write_atomic(out, text)
    except OSError as error:
        raise UserError(
            f"--out: must be a file that can be written, not {str(out)!r} ({error.strerror})"
        ) from None
    click.echo(f"{out}  {len(text):,} bytes")


def _together(benches: list[dict]) -> dict | None:
    """The runs and densities of all, or None of none; of the same one the last. Those of a network
    stand together.
    """
    if not benches:
        return None
    runs, densities = {}, {}
    for one in benches:
        for row in one["runs"]:
            runs[row["subject"], row["batch"], row["bytes_a_cycle"]] = row
        for row in one["densities"]:
            densities[row["batch"], row["density"]] = row
    names = list(dict.fromkeys(name for name, *_ in runs))
    ordered = sorted(runs, key=lambda run: (names.index(run[0]), *run[1:]))
    together = [runs[run] for run in ordered]
    return benches[0] | {"runs": together, "densities": list(densities.values())}


def _read(option: str, path: Path) -> dict:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{option}: {path} must be a file of JSON ({error})") from None
    kind = document.get("format") if isinstance(document, dict) else None
    if kind not in FORMATS[option]:
        raise UserError(
            f"{option}: {path} must have the format {' or '.join(FORMATS[option])}, not {kind}"
        )
    return document
