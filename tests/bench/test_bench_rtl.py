"""What `hwgen bench-rtl` does not measure, and says before it measures anything."""

import numpy as np
import pytest

from hwgen.bench.measure import measure
from hwgen.bench.workloads import dense_layer
from hwgen.cli.bench_rtl import command
from hwgen.config import load
from hwgen.errors import UserError

NPY = (
    b"\x93NUMPY\x01\0\x46\0{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }".ljust(79)
    + b"\n\0"
)


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """A function that runs the command on a file of masks, and returns what it says."""
    monkeypatch.setattr("hwgen.bench.rtl.generation", None)

    def run(content: bytes | dict[str, np.ndarray], *arguments: str) -> str:
        path = tmp_path / "masks.npz"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.savez(path, **content)
        with pytest.raises(UserError) as error:
            command.main([*(arguments or ("cgnet8",)), "--masks", str(path)], standalone_mode=False)
        return str(error.value).replace(str(tmp_path), "DIR")

    return run


@pytest.mark.parametrize("content", [b"", b"hello\n", b"PK\x03\x04", b"\x93NUMPY", NPY])
def test_no_archives(refused, content):
    assert refused(content) == "MASKS: must be a whole .npz file of arrays, not DIR/masks.npz"


@pytest.mark.parametrize("shape", [(2, 64, 4), (1, 64, 4, 4), (2, 63, 4, 4), (2, 64, 0, 4)])
def test_wrong_shapes(refused, shape):
    told = refused({"good": np.ones((2, 64, 4, 4), bool), "bad": np.ones(shape, bool)})
    assert told.startswith("MASKS: DIR/masks.npz, bad must be (images, channels, rows, columns)")
    assert told.endswith(f"a multiple of 64 channels, not {list(shape)}")


def test_nothing_to_measure(refused, tmp_path):
    assert refused({}) == "MASKS: must hold an array for each layer; DIR/masks.npz has none"
    assert refused(b"", "baseline8").endswith("with gates, which baseline8 has not")
    with pytest.raises(UserError, match="MASKS: .* cannot be read .Is a directory."):
        command.main(["cgnet8", "--masks", str(tmp_path)], standalone_mode=False)


def test_more_memory_than_addresses(monkeypatch):
    """Told before anything runs: the hardware would stop at the first word outside its window."""
    monkeypatch.setattr("hwgen.bench.measure.library", None)
    config = load("micro", ["bus.address_width=16"])
    workload = dense_layer(config, images=1, channels=(64, 64), size=14, kernel=3)
    with pytest.raises(UserError, match="micro: the workload takes .* = 16 addresses 65536"):
        measure(config, workload)
