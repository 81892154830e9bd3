"""Options that several commands share."""

import math
import shlex

import click

from hwgen.errors import UserError

__all__ = [
    "FloatRange",
    "bandwidth_option",
    "batch_option",
    "config_argument",
    "json_option",
    "latency_option",
    "order_option",
    "plans_option",
    "set_option",
]


class FloatRange(click.FloatRange):
    """Numbers of a range. ``nan`` and ``inf`` are none: they pass the comparisons of click's."""

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


config_argument = click.argument("config")
"""Name of a shipped configuration or path of a TOML file."""


def _split(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Take apart ``--set "a.b=1 c.d=2"``, quoted as in a shell: make hands over all of SET."""
    try:
        return tuple(setting for value in values for setting in shlex.split(value))
    except ValueError as error:
        raise UserError(f"SET: must be field=value …, not {' '.join(values)!r} ({error})") from None


set_option = click.option(
    "--set",
    "settings",
    metavar="FIELD=VALUE",
    multiple=True,
    callback=_split,
    help="Replace a field, as in array.lanes=16. May be repeated, or hold several.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")

batch_option = click.option(
    "--batch", type=click.IntRange(1, 256), default=1, show_default=True, help="Images of a run."
)

order_option = click.option(
    "--order",
    type=click.Choice(["input", "weight", "output"]),
    help="What stays on chip in every layer; otherwise as is best for each.",
)

plans_option = click.option(
    "--plans",
    type=click.Choice(["estimate", "model"]),
    default="model",
    show_default=True,
    help="Who decides on the order and the tiles of a layer: an estimate, or of the best few by it "
    "the cycle model, which runs each layer alone.",
)

latency_option = click.option(
    "--latency",
    type=click.IntRange(0, 100_000),
    default=20,
    show_default=True,
    help="Memory: cycles to the first beat.",
)

bandwidth_option = click.option(
    "--bandwidth",
    type=FloatRange(0.004, 1),
    default=1.0,
    show_default=True,
    help="Memory: beats a cycle.",
)
