"""``hwgen export``: a trained run as an integer network file."""

import json
from pathlib import Path

import click
from rich.console import Console

from hwgen.cli._options import json_option

__all__ = ["command", "show"]


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the data set.")
@click.option(
    "--test", type=click.IntRange(1), help="Images to compare on; default: the whole test set."
)
@click.option("--out", type=click.Path(path_type=Path), help="Default: NAME.safetensors.")
@click.option(
    "--ignore-activity",
    is_flag=True,
    help="Leave out activity thresholds (τ_c), which the accelerator does not have.",
)
@json_option
def command(run, data, test, out, ignore_activity, as_json):
    """Export RUN, a folder or checkpoint of hwgen train, and compare it with the trained network.

    Batch norm, steps and thresholds become the integers M, B, S and theta. A layer that has no
    integers is refused by name. Both networks then run on the test set.
    """
    from models.export.comparison import compare
    from models.export.trained import export_run
    from models.netfile import save

    with Console(stderr=True).status(f"{run}: exporting …") as status:
        exported = export_run(run, data, test=test, ignore_activity=ignore_activity)
        report = compare(
            exported.model,
            exported.quantized,
            exported.images,
            exported.labels,
            progress=lambda done: status.update(f"comparing: {done} images …"),
        )
    kept = ("images", "accuracy", "float_accuracy", "agreement", "reduction")
    measured = {f"test_{key}": report[key] for key in kept if key in report}
    network = exported.quantized.network.with_info(**measured)
    path = save(network, out or Path(f"{network.name}.safetensors"))
    report |= {"file": str(path), "bytes": path.stat().st_size}
    click.echo(json.dumps(report, indent=2)) if as_json else show(report)


def show(report: dict) -> None:
    """The report of an exported network, as a person reads it."""
    click.echo(f"{report['file']}  {report['bytes']:,} bytes, {report['macs']:,} MACs an image")
    click.echo(
        f"same class as in PyTorch: {report['agreement']:.2%} of {report['images']:,} images "
        f"({report['agreement_rounded']:.2%} with PyTorch's logits rounded to "
        f"{report['logit_bits']} bits; {report['ties']:.2%} have equal largest logits)"
    )
    if "accuracy" in report:
        click.echo(f"accuracy {report['accuracy']:.2%}, PyTorch {report['float_accuracy']:.2%}")
    if "reduction" in report:
        click.echo(f"MACs of gated layers: {report['reduction']:.2f} times fewer")
        for name, density in report["density"].items():
            click.echo(f"  {name}: {density:.1%} of the outputs fire")
