"""``hwgen train``: a network that decides how much to compute, from one TOML file."""

from collections.abc import Callable
from pathlib import Path

import click

from hwgen.cli._options import json_option, set_option

__all__ = ["command"]


@click.command()
@click.argument("config")
@click.option("--data", "data_folder", type=click.Path(path_type=Path), help="Folder of the data.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for checkpoint, metrics and summary.  [default: build/train/CONFIG]",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]")
@click.option("--fresh", is_flag=True, help="Begin anew instead of continuing what OUT holds.")
@set_option
@json_option
def command(config, data_folder, out, device, threads, fresh, settings, as_json):
    """Train the network that CONFIG (a TOML file, or the name of a shipped one) describes.

    A run that was stopped, however hard, continues where its last checkpoint is. Several GPUs:
    torchrun --nproc-per-node N -m hwgen train CONFIG.
    """
    import torch

    from hwgen.cli._progress import bars
    from hwgen.console import output
    from hwgen.errors import UserError
    from models.training import load_config, load_data, place, train

    run = load_config(config, settings)
    out = out or Path("build/train") / Path(config).stem
    if threads:
        torch.set_num_threads(threads)
    try:
        kind = torch.device("cpu" if device == "auto" else device).type
    except RuntimeError:
        kind = None
    if kind not in ("cpu", "cuda"):
        raise UserError(f"--device: must be auto, cpu, cuda or cuda:N, not {device!r}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"--device: {device} asked for, but PyTorch finds no CUDA device")
    data = load_data(run, data_folder)
    with place(device) as here, bars(_tell) as progress:
        summary = train(run, data, out, here, fresh=fresh, progress=progress)
        if not here.first:
            return
    if as_json:
        click.echo(summary.as_json(), nl=False)
    else:
        summary.print(output())
        click.echo(f"{out}/checkpoint.pt")


def _tell(write: Callable[[str], None], title: str, step: int, shown: dict[str, float]) -> str:
    """What stands behind the bar; a line for good when the accuracy is known."""
    text = f"loss {shown['loss']:.3f}"
    if "accuracy" in shown:
        text += f", accuracy {100 * shown['accuracy']:.2f} %"
        write(_line(title, step, shown))
    return text


def _line(title: str, step: int, shown: dict[str, float]) -> str:
    reduction = f", {shown['reduction']:.2f}× fewer products" if "reduction" in shown else ""
    accuracy = f"accuracy {100 * shown['accuracy']:.2f} %"
    return f"{title}: step {step}, loss {shown['loss']:.3f}, {accuracy}{reduction}"
