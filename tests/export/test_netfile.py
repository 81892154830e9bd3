"""The network file: what is written is read back, and what was cut, edited or made wrong is refused
by name.
"""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from hwgen.errors import UserError
from models.netfile import VERSION, Builder, check, load, network_bytes, prove_bounds, save


def _document(data: bytes) -> dict:
    length = int.from_bytes(data[:8], "little")
    return json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["hwgen-network"])


def _rewritten(data: bytes, change) -> bytes:
    """The file after ``change(document, tensors)``, hashes left as they were."""
    document, tensors = _document(data), load_tensors(data)
    change(document, tensors)
    return save_tensors(tensors, metadata={"hwgen-network": json.dumps(document)})


def _refused(tmp_path, data: bytes) -> str:
    path = tmp_path / "net.safetensors"
    path.write_bytes(data)
    with pytest.raises(UserError) as refusal:
        load(path)
    message = str(refusal.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message


def test_round_trip_and_equal_bytes(network, tmp_path):
    path = save(network, tmp_path / "net.safetensors")
    again = load(path)
    assert again.graph == network.graph
    assert again.tensors.keys() == network.tensors.keys()
    for name, tensor in network.tensors.items():
        assert again.tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(again.tensors[name], tensor)
    assert network_bytes(again) == path.read_bytes()


def test_loading_needs_no_torch():
    code = "import sys, models.netfile, models.reference; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, -1])
def test_cut_file(network, tmp_path, kept):
    data = network_bytes(network)
    kept = int(len(data) * kept) if isinstance(kept, float) else kept
    message = _refused(tmp_path, data[:kept])
    assert "cut" in message


def test_extended_file(network, tmp_path):
    assert "cut or edited" in _refused(tmp_path, network_bytes(network) + b"\0")


def test_edited_tensor_is_named(network, tmp_path):
    data = bytearray(network_bytes(network))
    data[-1] ^= 1
    assert "tensor '" in _refused(tmp_path, bytes(data))

    def change(document, tensors):
        tensors["own.theta"] = tensors["own.theta"] + 1

    assert "'own.theta'" in _refused(tmp_path, _rewritten(network_bytes(network), change))


def test_missing_and_additional_tensor(network, tmp_path):
    def drop(document, tensors):
        del tensors["sum.full.Mb"]

    def add(document, tensors):
        tensors["stray"] = np.zeros(1, np.int8)

    assert "'sum.full.Mb' is missing" in _refused(
        tmp_path, _rewritten(network_bytes(network), drop)
    )
    assert "'stray'" in _refused(tmp_path, _rewritten(network_bytes(network), add))


def test_edited_graph(network, tmp_path):
    def change(document, tensors):
        document["graph"]["layers"][1]["stride"] = [2, 2]

    assert "graph" in _refused(tmp_path, _rewritten(network_bytes(network), change))


def test_newer_version(network, tmp_path):
    def change(document, tensors):
        document["version"] = VERSION + 1

    message = _refused(tmp_path, _rewritten(network_bytes(network), change))
    assert "newer" in message and f"version {VERSION + 1}" in message


def test_schema_names_the_layer(network, tmp_path):
    def change(document, tensors):
        document["graph"]["layers"][1]["stride"] = [0, 1]
        text = json.dumps(document["graph"], sort_keys=True)
        document["sha256"]["graph"] = hashlib.sha256(text.encode()).hexdigest()

    message = _refused(tmp_path, _rewritten(network_bytes(network), change))
    assert "layer 'stem'" in message and "stride" in message


def test_other_files(tmp_path):
    assert "without a network" in _refused(tmp_path, save_tensors({"a": np.zeros(3)}))
    assert "not a network file" in _refused(tmp_path, b"PK\x03\x04 something else entirely")
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path / "absent.safetensors")


def _broken(network, **tensors):
    return type(network)(network.graph, {**network.tensors, **tensors})


@pytest.mark.parametrize(
    ("tensor", "value", "said"),
    [
        ("stem.weight", np.full((8, 3, 3, 3), -128, np.int8), "-127 … 127"),
        ("stem.weight", np.zeros((8, 3, 3), np.int8), "it must be int8[8, 3, 3, 3]"),
        ("stem.full.S", np.zeros(8, np.uint8), "1 … 31"),
        ("stem.full.M", np.full(8, 1 << 15, np.int32), "-32768 … 32767"),
        ("own.theta", np.zeros(8, np.int64), "must be int32[8]"),
    ],
)
def test_wrong_tensors(network, tmp_path, tensor, value, said):
    with pytest.raises(ValueError) as refusal:
        check(_broken(network, **{tensor: value}))
    assert tensor in str(refusal.value) and said in str(refusal.value)
    path = tmp_path / "kept.safetensors"
    path.write_bytes(b"earlier")
    with pytest.raises(UserError, match="cannot be written"):
        save(_broken(network, **{tensor: value}), path)
    assert path.read_bytes() == b"earlier"


def _one_conv(channels: int, weight: int, **full):
    net = Builder("bounds")
    x = net.input((channels, 1, 1))
    weights = np.full((1, channels, 1, 1), weight)
    net.output(net.conv("wide", x, weights, full={"M": 1, "B": 0, "S": 1, **full}))
    return net.build()


def test_accumulator_bound_is_exact():
    # 66312 products of 255 * 127 are the first beyond 2**31 - 1 = 66311.3 of them.
    prove_bounds(_one_conv(66311, 127))
    with pytest.raises(ValueError, match="'wide': accumulators need up to 33 bits"):
        prove_bounds(_one_conv(66312, 127))


def test_requantizer_bound():
    prove_bounds(_one_conv(60000, 127, M=32767))
    with pytest.raises(ValueError, match="'wide': requantization of its full path"):
        prove_bounds(_one_conv(60000, 127, M=32767, B=(1 << 47) - 1))
