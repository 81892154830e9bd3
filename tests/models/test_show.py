"""The page of pictures, on a network that was hardly trained."""

import base64
import re

import pytest
import torch
from click.testing import CliRunner

from hwgen.cli.show import command
from hwgen.errors import UserError
from models.data import load_dataset
from models.layers import gate, gated_layers, recording, reduction
from models.networks import make_network
from models.show import observe, write_page
from models.training.evaluate import pixels

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def watched():
    torch.manual_seed(0)
    data = load_dataset("generated", train=64, test=40)
    model = make_network("fashion-small", classes=10, channels=1, size=(28, 28), width=16)
    gate(model, part=4)
    with torch.no_grad():
        for _ in range(20):  # the running averages of the gates' norms must arrive
            model(pixels(data.train.images, "cpu"))
    for layer in gated_layers(model).values():
        layer.threshold.data.fill_(0.7)
    return data, model.eval(), observe(model, data, images=30, shown=2)


def test_easy_images_took_less_work_than_hard_ones(watched):
    _, _, choices = watched
    assert len(choices.easy) == len(choices.hard) == 2
    assert choices.easy[0].reduction == choices.reductions.max()
    assert choices.hard[0].reduction == choices.reductions.min()
    assert min(s.reduction for s in choices.easy) > max(s.reduction for s in choices.hard)


def test_work_of_an_image_is_counted_as_for_the_whole(watched):
    data, model, choices = watched
    index = int(choices.reductions.argmax())
    with torch.no_grad(), recording(model) as works:
        model(pixels(data.test.images[index : index + 1], "cpu"))
    assert choices.reductions[index] == pytest.approx(reduction(works), rel=1e-5)
    for name, work in works.items():
        assert choices.easy[0].maps[name].mean() == pytest.approx(work.density, rel=1e-5)


def test_pages(watched, tmp_path):
    _, _, choices = watched
    page = write_page(choices, tmp_path / "page.html", "a <title>").read_text()
    assert "a &lt;title&gt;" in page and "features.7" in page
    pictures = re.findall(r"base64,([A-Za-z0-9+/=]+)", page)
    assert len(pictures) == 4 and all(base64.b64decode(p).startswith(PNG) for p in pictures)
    assert write_page(choices, tmp_path / "page.png", "t").read_bytes().startswith(PNG)
    assert [layer.recorder for layer in gated_layers(watched[1]).values()] == [None] * 3


def test_bad_names_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"must end in \.html or \.png, not 'page\.pdf'"):
        CliRunner().invoke(command, ["x", "--out", "page.pdf"], catch_exceptions=False)
    with pytest.raises(UserError, match="no such file"):
        CliRunner().invoke(command, [str(tmp_path)], catch_exceptions=False)
