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
:root { --ink: #1b2733; --dim: #5a6876; --paper: #fff; --rule: #d5dde5 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --dim: #9fadba; --paper: #12181f;
  --rule: #33404d } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 1000px; margin: 0 auto;
  padding: 1.5rem 1rem 4rem; color: var(--ink); background: var(--paper) }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .4rem; padding-top: .6rem;
  border-top: 1px solid var(--rule) }
.scroll { overflow-x: auto; margin: .6rem 0 }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
td, th { padding: .25rem .7rem; border-bottom: 1px solid var(--rule); text-align: right;
  white-space: nowrap }
th { color: var(--dim) }
td:first-child, th:first-child { text-align: left; padding-left: 0 }
/* The figures are drawn on white: on a dark page they are panels; narrow ones scroll. */
img { display: block; max-width: 100%; min-width: min(620px, 100%); background: #fff;
  border-radius: 8px }
@media (max-width: 640px) { img { max-width: none; width: 620px } }
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
        f'<div class="scroll"><img alt="{heading}" src="data:image/png;base64,'
        f'{base64.b64encode(data).decode()}"></div>'
        for (heading, text, _), data in zip(PARTS, pictures, strict=True)
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title>"
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>"
        f"<p>{len(choices.labels)} test images: {100 * choices.accuracy:.2f} % right, "
        f"{reduction(choices.works):.2f}× fewer products in the gated layers.</p>"
        '<div class="scroll"><table><tr><th>layer</th><th>MMAC</th><th>base</th><th>density</th>'
        f"<th>reduction</th><th>base/full correlation</th></tr>{rows}</table></div>{parts}</html>\n"
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
