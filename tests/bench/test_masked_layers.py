"""Layers alone with masks of a file."""

import numpy as np
import pytest
from click.testing import CliRunner

from hwgen.bench.masked_layers import main, reached
from hwgen.bench.networks import gated_layer
from hwgen.errors import UserError


def test_a_row_for_each_layer(tmp_path):
    rng = np.random.default_rng(0)
    masks = {"a": rng.random((3, 16, 6, 5)) < 0.3, "b": rng.random((3, 8, 4, 4)) < 0.5}
    np.savez(tmp_path / "masks.npz", **masks)
    arguments = [str(tmp_path / "masks.npz"), "--batch", "2"]
    lines = CliRunner().invoke(main, arguments, catch_exceptions=False).stdout.splitlines()
    first = reached(gated_layer(16, (6, 5)), masks["a"][:2])
    assert 0 < first < 1
    assert lines[2].startswith(
        f"| a: 16 channels, 6x5 | {masks['a'][:2].mean():.3f} | {first:.3f} |"
    )
    means = [float(cell) for cell in lines[4].split("|")[3:6]]
    rows = [[float(cell) for cell in line.split("|")[3:6]] for line in lines[2:4]]
    assert means == pytest.approx(np.mean(rows, 0), abs=2e-3)


@pytest.mark.parametrize("content, expected", [
    ({"a": np.zeros((2, 8, 4), bool)}, "MASKS: a must be .image, 8n channels, row, column."),
    ({"a": np.zeros((2, 9, 4, 4), bool)}, "MASKS: a must be .image, 8n channels, row, column."),
    (None, "MASKS: .* must be an .npz file of masks"),
])  # fmt: skip
def test_refusals(tmp_path, content, expected):
    path = tmp_path / "masks.npz"
    path.write_bytes(b"PK")
    if content is not None:
        np.savez(path, **content)
    with pytest.raises(UserError, match=expected):
        main.main([str(path)], standalone_mode=False)
