"""``hwgen synth``: how large the accelerator of a configuration is."""

import json
from pathlib import Path

import click

from hwgen.cli._options import FloatRange, json_option, set_option
from hwgen.cli._progress import working
from hwgen.config import load
from hwgen.console import output
from hwgen.errors import UserError
from hwgen.files import check_writable, write_atomic

__all__ = ["command"]


@click.command("synth")
@click.argument("configs", nargs=-1, required=True, metavar="CONFIG [CONFIG]")
@set_option
@click.option(
    "--target",
    default="ecp5",
    show_default=True,
    help="ecp5, ice40, gowin, xilinx, or asic for standard cells.",
)
@click.option("--compare", is_flag=True, help="What the first CONFIG costs more than the second.")
@click.option("--module", help="Only this module of the Verilog, and what it contains.")
@click.option("--timing", is_flag=True, help="How fast it is, too: place and route, or OpenSTA.")
@click.option("--part", help="Device to place it on; by default lfe5u-85f, up5k or gw2ar-18.")
@click.option(
    "--freq",
    "frequency",
    type=FloatRange(1, 1000),
    default=100.0,
    show_default=True,
    help="MHz to aim at, with --timing.",
)
@click.option("--seed", type=click.IntRange(1), default=1, show_default=True, help="Of the placer.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many to try from --seed on: the fastest counts, and all are told.",
)
@click.option(
    "--liberty",
    type=click.Path(path_type=Path),
    multiple=True,
    help="asic: Liberty file of the standard cells; may be repeated.",
)
@click.option(
    "--sram",
    type=click.Path(path_type=Path),
    help="asic: folder of the Liberty files of SRAM macros.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder in which to write the JSON too, as CONFIG_TARGET.json.",
)
@json_option
def command(
    configs,
    settings,
    target,
    compare,
    module,
    timing,
    part,
    frequency,
    seed,
    seeds,
    liberty,
    sram,
    out,
    as_json,
):
    """Synthesize CONFIG with Yosys and count what it takes, block by block. --timing also tells how
    fast its clock may be and what limits it: on an FPGA placed and routed with nextpnr, in standard
    cells by OpenSTA where that is installed, else by abc's estimate.

    CONFIG is a shipped name or the path of a TOML file; --set holds for all that are given.
    Counting keeps the hierarchy; timing flattens it, and gives the ports no pins. Results are kept:
    the same design on the same target is read from the cache.
    """
    from hwgen.flows import (
        Aim,
        Comparison,
        Libraries,
        part_named,
        synthesize,
        target_named,
    )
    from hwgen.flows.tables import comparison_tables, report_tables

    target_named(target)
    if len(configs) != (2 if compare else 1):
        wanted = "two configurations with --compare" if compare else "one configuration"
        raise UserError(f"CONFIG: must be {wanted}, not {' '.join(configs)}")
    if target != "asic" and (liberty or sram):
        option = "LIBERTY" if liberty else "SRAM"
        raise UserError(f"{option}: is for target asic only, not {target}")
    if timing and compare:
        raise UserError("TIMING: is of one configuration; --compare counts two")
    if part and not timing:
        raise UserError("PART: is for --timing only")
    if seeds > 1 and (not timing or target == "asic"):
        raise UserError("SEEDS: is for --timing on an FPGA only")
    if timing and target != "asic":
        part_named(part, target)
    aim = Aim(frequency, seed, part, seeds) if timing else None
    resolved = [load(config, settings) for config in configs]
    path = None
    if out is not None:
        names = [*(config.name for config in resolved), *([module] if module else []), target]
        path = out / f"{'_'.join(names)}.json"
        check_writable(path)
    libraries = Libraries.read(liberty, sram) if target == "asic" else None

    reports = []
    with working() as (_, say):
        for config in resolved:

            def progress(stage, name=config.name):
                say(f"{name} on {target}: {stage}")

            reports.append(
                synthesize(
                    config,
                    target,
                    module=module,
                    libraries=libraries,
                    aim=aim,
                    progress=progress,
                )
            )
    result = Comparison(*reports) if compare else reports[0]
    text = json.dumps(result.as_dict(), indent=2) + "\n"
    if path is not None:
        write_atomic(path, text)
    if as_json:
        click.echo(text, nl=False)
    else:
        output().print(comparison_tables(result) if compare else report_tables(result))
