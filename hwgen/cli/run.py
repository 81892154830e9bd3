"""``hwgen run``: a network on an accelerator, checked against the integer reference."""

import json
from pathlib import Path

import click

from hwgen.cli._options import (
    FloatRange,
    bandwidth_option,
    batch_option,
    json_option,
    latency_option,
    order_option,
    plans_option,
    set_option,
)
from hwgen.errors import UserError

__all__ = ["command"]


@click.command("run")
@click.argument("net", type=click.Path(path_type=Path))
@click.argument("input", type=click.Path(path_type=Path), required=False)
@click.option("--config", "name", default="cgnet8", show_default=True, help="Configuration.")
@set_option
@click.option(
    "--backend",
    type=click.Choice(["golden", "functional", "cycle", "rtl"]),
    default="rtl",
    show_default=True,
    help="Integer reference, program in integers, the same with its exact cycles, or the Verilog.",
)
@click.option("--images", type=click.IntRange(1), help="Only so many images.")
@batch_option
@order_option
@plans_option
@latency_option
@bandwidth_option
@click.option(
    "--stall",
    type=FloatRange(0, 0.99),
    default=0.0,
    show_default=True,
    help="Memory: share of random pauses.",
)
@click.option(
    "--trace", "waves", type=click.Path(path_type=Path), help="Write an FST file (backend rtl)."
)
@click.option(
    "--from",
    "first",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="First cycle of the trace; 0 is when the simulation begins to load the program.",
)
@click.option("--to", "last", type=click.IntRange(1), help="Cycle before which the trace ends.")
@click.option(
    "--check",
    "whole",
    is_flag=True,
    help="Accuracy and cycles of all images: results by the integer reference, cycles by the "
    "model, a few runs on the Verilog.",
)
@click.option(
    "--samples",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="With --check: how many runs the Verilog does.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=1 << 32,
    show_default=True,
    help="Give up an image after so many cycles.",
)
@json_option
def command(
    net,
    input,
    name,
    settings,
    backend,
    images,
    waves,
    first,
    last,
    whole,
    samples,
    as_json,
    **options,
):
    """Run NET on INPUT: a file of images (.npz with `images` and perhaps `labels`, .npy, IDX), or
    the folder of Fashion-MNIST or CIFAR-10, whose test images are taken.

    Images of bytes are scaled as the network says, other integers are its input as they are.
    Without INPUT, random images are run. Every edge of every image is compared with the integer
    reference; a difference is an error of ours and is told by layer.
    """
    from hwgen.cli._images import input_images
    from hwgen.cli._run_summary import show, show_check
    from hwgen.config import load
    from hwgen.simulator.compare import Memory, compare
    from hwgen.simulator.trace import Trace
    from models.netfile import load as load_network

    network, config = load_network(net), load(name, settings)
    if waves is None and (first or last):
        raise UserError("--from and --to: say with --trace FILE where the trace is to be written")
    if waves is not None and backend != "rtl":
        raise UserError(f"--trace: the backend must be rtl, not {backend}")
    if whole and waves is not None:
        raise UserError("--trace: not with --check; trace a run of one image")
    trace = None if waves is None else Trace(waves, first, last)
    memory = Memory(*(options.pop(key) for key in ("latency", "bandwidth", "stall")))
    chosen = input_images(network, input, images)
    options |= {"memory": memory, "quiet": as_json}
    if whole:
        from hwgen.simulator.check import check

        facts, show = check(network, config, *chosen, samples=samples, **options), show_check
    else:
        facts = compare(network, config, *chosen, backend=backend, trace=trace, **options)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        show(facts)
    if facts["wrong"]:
        raise SystemExit(1)
