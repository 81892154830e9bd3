"""``hwgen show``: a page of pictures of what the gates of a trained network chose."""

from pathlib import Path

import click

__all__ = ["command"]


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", "data_folder", type=click.Path(path_type=Path), help="Folder of the data.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="gates.html",
    show_default=True,
    help="Page to write, .html or .png.",
)
@click.option("--images", type=click.IntRange(min=2), default=2000, show_default=True)
@click.option(
    "--shown", type=click.IntRange(min=1), default=6, show_default=True, help="Easy and hard, each."
)
def command(run, data_folder, out, images, shown):
    """Show where the network of RUN (folder or checkpoint of hwgen train) spends its work.

    Heat maps over easy and hard images, densities by layer and channel, work by image and class,
    and how well the base pass predicts the whole result.
    """
    from rich.console import Console

    from hwgen.errors import UserError
    from models.layers import gated_layers
    from models.show import observe, write_page
    from models.training import load_data, load_run
    from models.training.checkpoint import load_checkpoint
    from models.training.config import config_of

    if out.suffix not in (".html", ".png"):
        raise UserError(f"--out: must end in .html or .png, not {out.name!r}")
    path = run if run.is_file() else run / "checkpoint.pt"
    data = load_data(config_of(load_checkpoint(path), path), data_folder)
    config, model, _ = load_run(run, data)
    if not gated_layers(model):
        raise UserError(f"{run}: the network {config.network.name} has no gated layers to show")
    with Console(stderr=True).status("watching the gates …"):
        choices = observe(model, data, images, shown)
        title = f"{config.network.name} on {config.data.name}: what the gates chose"
        write_page(choices, out, title)
    click.echo(str(out))
