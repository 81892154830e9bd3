"""One page, HTML or PNG, of what the gates chose."""

import base64
import html
import io
from pathlib import Path

import numpy as np

from hwgen.errors import UserError
from hwgen.files import write_atomic
from models.layers import reduction
from models.show import figures
from models.show.choices import Choices

__all__ = ["write_page"]

PARTS = (
    (
        "Where the gates fired",
        "The part of a layer's channels that computed their whole dot product at each position, "
        "laid over the image. Easy images took the least work, hard ones the most; one of each "
        "class first.",
        figures.heat_maps,
    ),
    ("How much each layer computed", "", figures.densities),
    ("How much each image took", "", figures.efforts),
    (
        "What the base pass knows",
        "Results of the base pass against whole results, with their correlation over all images.",
        figures.correlations,
    ),
)

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em;
       color: #222; background: #fff }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: .2em .9em; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left }
img { max-width: 100% }
"""


def write_page(choices: Choices, path: Path, title: str) -> Path:
    """Write the page to ``path``; its suffix, .html or .png, says which kind."""
    if path.suffix not in (".html", ".png"):
        raise UserError(f"--out: must end in .html or .png, not {path.name!r}")
    pictures = [_picture(draw(choices)) for _, _, draw in PARTS]
    return write_atomic(
        path, _html(choices, pictures, title) if path.suffix == ".html" else _png(pictures)
    )


def _picture(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, facecolor="white")
    return buffer.getvalue()


def _html(choices: Choices, pictures: list[bytes], title: str) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{work.macs / 1e6:.3f}</td>"
        f"<td>{work.fraction:.3f}</td><td>{work.density:.3f}</td>"
        f"<td>{work.reduction:.2f}×</td><td>{work.correlation:.2f}</td></tr>"
        for name, work in choices.works.items()
    )
    parts = "".join(
        f"<h2>{heading}</h2><p>{text}</p>"
        f'<img alt="{heading}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'
        for (heading, text, _), data in zip(PARTS, pictures, strict=True)
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>"
        f"<p>{len(choices.labels)} test images: {100 * choices.accuracy:.2f} % right, "
        f"{reduction(choices.works):.2f}× fewer products in the gated layers.</p>"
        "<table><tr><th>layer</th><th>MMAC</th><th>base</th><th>density</th><th>reduction</th>"
        f"<th>base/full correlation</th></tr>{rows}</table>{parts}</html>\n"
    )


def _png(pictures: list[bytes]) -> bytes:
    """The figures one below the other."""
    from matplotlib.image import imread, imsave

    images = [imread(io.BytesIO(data))[:, :, :3] for data in pictures]
    width = max(image.shape[1] for image in images)
    wide = [
        np.pad(i, ((0, 0), (0, width - i.shape[1]), (0, 0)), constant_values=1.0) for i in images
    ]
    buffer = io.BytesIO()
    imsave(buffer, np.concatenate(wide).clip(0, 1), format="png")
    return buffer.getvalue()
