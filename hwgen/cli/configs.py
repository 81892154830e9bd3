"""``hwgen configs``: what is shipped, and what every field means."""

import json
import shutil
import textwrap

import click

from hwgen.cli._options import json_option, set_option
from hwgen.config import Config, load, shipped_names
from hwgen.config.loading import accepted, fields

__all__ = ["command"]

SUMMARY = (
    ("macs", "MACs a cycle"),
    ("channels_per_pass", "output channels of a pass"),
    ("positions_per_tile", "positions of a tile"),
    ("activation_bytes", "bytes of activation memory"),
    ("weight_bytes", "bytes of weight buffer"),
)
"""Derived numbers that tell one configuration from another at a glance."""


@click.command("configs")
@click.argument("name", required=False)
@set_option
@json_option
def command(name: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """List the shipped configurations, or describe one field by field.

    NAME is a shipped name or the path of a TOML file.
    """
    if name is None:
        configs = [load(shipped, settings) for shipped in shipped_names()]
        if as_json:
            click.echo(json.dumps([_brief(config) for config in configs], indent=2))
        else:
            _print_list(configs)
        return
    config = load(name, settings)
    if as_json:
        click.echo(json.dumps(describe(config), indent=2))
    else:
        _print_fields(config)


def describe(config: Config) -> dict:
    """Every field of ``config`` with value, default, range, meaning and effect, as JSON."""
    return _brief(config) | {
        "hash": config.hash,
        "fields": [
            {
                "name": name,
                "value": _value(config, name),
                "default": info.default,
                "accepted": accepted(info),
                "meaning": info.description,
                "area": info.json_schema_extra["area"],
                "speed": info.json_schema_extra["speed"],
            }
            for name, info in fields()
        ],
    }


def _brief(config: Config) -> dict:
    return {"name": config.name, "description": config.description} | {
        key: getattr(config, key) for key, _ in SUMMARY
    }


def _value(config: Config, name: str) -> object:
    value = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _print_list(configs: list[Config]) -> None:
    for config in configs:
        click.echo(f"{config.name:12} {config.description}")
    click.echo(
        "\nhwgen configs NAME describes every field; SET or a TOML file of yours changes them."
    )


def _print_fields(config: Config) -> None:
    click.echo(f"{config.name}: {config.description}")
    for key, words in SUMMARY:
        click.echo(f"  {getattr(config, key):>8} {words}")
    click.echo(f"  hash {config.hash}\n")
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    for field in describe(config)["fields"]:
        click.secho(f"{field['name']} = {json.dumps(field['value'])}", bold=True)
        lines = {
            "": field["meaning"],
            "accepts: ": f"{field['accepted']}; default {json.dumps(field['default'])}",
            "area: ": field["area"],
            "speed: ": field["speed"],
        }
        for lead, text in lines.items():
            indent = "    " + " " * len(lead)
            click.echo(
                textwrap.fill(text, width, initial_indent="    " + lead, subsequent_indent=indent)
            )
