"""``hwgen quantize``: somebody's PyTorch network as an integer network file."""

import json
import math
from pathlib import Path

import click
from rich.console import Console

from hwgen.cli._options import FloatRange, json_option
from hwgen.cli.export import show
from hwgen.errors import UserError

__all__ = ["command"]

METHODS = ("minmax", "percentile", "mse", "aciq", "kl")


def _numbers(ctx, param, text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise UserError(f"--{param.name} must be numbers with commas, not {text!r}")
    return numbers


@click.command("quantize")
@click.argument("model")
@click.option("--weights", type=click.Path(), help="State dict: .safetensors or torch.save.")
@click.option(
    "--calibrate",
    "data",
    type=click.Path(),
    required=True,
    help="Images: .npy, .npz (images, perhaps labels) or IDX; bytes, or real numbers as the model "
    "takes them.",
)
@click.option("--bits", type=click.IntRange(2, 8), default=8, show_default=True)
@click.option(
    "--weight-bits", type=click.IntRange(2, 8), help="Of the weights alone; default: --bits."
)
@click.option("--method", type=click.Choice(METHODS), default="mse", show_default=True)
@click.option("--images", type=click.IntRange(1), default=512, show_default=True, help="How many.")
@click.option(
    "--mean", default="0", callback=_numbers, help="Bytes are fed as (byte / 255 - mean) / std."
)
@click.option("--std", default="1", callback=_numbers, help="One number, or one for each channel.")
@click.option(
    "--split",
    type=FloatRange(0, 1),
    default=0.0,
    help="Outlier channel splitting of the weights: part of the channels that is added.",
)
@click.option(
    "--split-activations",
    type=FloatRange(0, 1),
    default=0.0,
    help="The same of activations, where one layer alone reads them.",
)
@click.option(
    "--gate",
    metavar="channel:1/P|precision:BITS",
    help="Gate the convolutions: base of 1/P of the input channels, or of the BITS high bits.",
)
@click.option(
    "--density",
    type=FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="With --gate: the part of the outputs that passes, on the images.",
)
@click.option("--name", help="Name of the network; default: that of the module's class.")
@click.option("--out", type=click.Path(path_type=Path), help="Default: NAME.safetensors.")
@json_option
def command(model, weights, data, images, mean, std, gate, density, name, out, as_json, **options):
    """Quantize MODEL (file.py:function that returns an nn.Module) after training.

    The network is traced with torch.export, calibrated on images and written as integers. A layer
    that has no integers is refused by name. MODEL is Python code, and it is run.

    With --gate its convolutions become gated ones: thresholds let the given part of the outputs
    pass, and what does not pass is corrected by a gain and an offset for each channel. That costs
    accuracy. To win it back, let the function return models.layers.gate(model, …), train that, and
    quantize its weights: gates and quantizers that were trained are kept.
    """
    from models.export import Pixels, quantize
    from models.export.comparison import compare
    from models.export.userfiles import load_model, load_weights
    from models.images import load_images
    from models.layers.describe import describe
    from models.netfile import save

    if name is not None and not (name and name.isprintable()):
        raise UserError(f"--name must be printable text, not {name!r}")
    module = load_model(model)
    if weights:
        load_weights(module, weights)
    loaded = load_images(data, images)
    is_bytes = loaded.images.dtype == "uint8"
    if not is_bytes and (any(mean) or set(std) != {1.0}):
        raise UserError("--mean and --std are for bytes; these images are real numbers already")
    pixels = _pixels(Pixels, mean, std, loaded.images.shape[1]) if is_bytes else None
    console = Console(stderr=True)
    with console.status("tracing …") as status:
        quantized = quantize(
            module,
            loaded.images,
            pixels=pixels,
            name=name,
            bits=options["bits"],
            weight_bits=options["weight_bits"],
            method=options["method"],
            describe=describe,
            prepare_graph=_preparation(options, gate, density, loaded, pixels),
            progress=lambda done: status.update(f"calibrating: {done} images …"),
        )
        status.update("comparing …")
        report = compare(module, quantized, loaded.images, loaded.labels)
    path = save(quantized.network, out or Path(f"{quantized.network.name}.safetensors"))
    report |= {"file": str(path), "bytes": path.stat().st_size}
    click.echo(json.dumps(report, indent=2)) if as_json else show(report)


def _pixels(cls, mean, std, channels: int):
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise UserError(f"--{name} has {len(values)} numbers, images have {channels} channels")
    if min(std) <= 0:
        raise UserError(f"--std must be positive, not {min(std)}")
    return cls(mean * (channels // len(mean)), std * (channels // len(std)))


def _preparation(options, gate, density, loaded, pixels):
    """What rewrites the graph before it is calibrated, in this order."""
    from models.export import normalized
    from models.export.gating import gate_graph, parse_gate
    from models.splitting import split_graph, split_seen_activations

    settings = parse_gate(gate) if gate else None

    def prepare(graph):
        if options["split_activations"]:
            images = normalized(loaded.images, pixels)
            ratio, how = options["split_activations"], {k: options[k] for k in ("bits", "method")}
            split_seen_activations(graph, images, ratio, **how)
        if options["split"]:
            split_graph(graph, options["split"], bits=options["weight_bits"] or options["bits"])
        if settings:
            gate_graph(graph, settings, density, normalized(loaded.images, pixels))

    return prepare
