"""Networks whose layers have widths of their own: file, reference, and what is refused on load."""

import hashlib
import json

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from hwgen.bitpacking import packed_size
from hwgen.cli.inspect import command
from hwgen.errors import UserError
from models.netfile import Builder, Network, check, load, network_bytes, save
from models.reference import literal, run
from models.zoo import load_shipped
from models.zoo.widths import random_widths

EVERY = [(a, w) for a in range(1, 9) for w in range(1, 9)]


def images_of(network, count, seed=1):
    edge = network.input.output
    return np.random.default_rng(seed).integers(edge.lo, edge.hi + 1, (count, *edge.shape))


def _networks():
    rng = np.random.default_rng(5)
    order = [EVERY[n] for n in rng.permutation(len(EVERY))]
    gates = (None, "channel", "precision", "both")
    for seed in range(8):
        yield random_widths(
            seed, order[seed::8], gates=gates, channels=6, size=5, groups=(1, 1, 2), last_bits=4
        )


@pytest.mark.parametrize("network", list(_networks()), ids=lambda n: n.name)
def test_every_width_equals_the_slow_reading(network, tmp_path):
    path = save(network, tmp_path / "net.safetensors")
    again = load(path)
    assert again.graph == network.graph
    for name, tensor in network.tensors.items():
        assert again.tensors[name].dtype == tensor.dtype
        np.testing.assert_array_equal(again.tensors[name], tensor)
    assert network_bytes(again) == path.read_bytes()

    images = images_of(network, 2)
    result = run(again, images, taps=True)
    graph, tensors = literal.read(path)
    for index, image in enumerate(images):
        for name, values in literal.compute(graph, tensors, image.tolist()).items():
            assert result.taps[name][index].tolist() == values, name
    for layer in network.layers:
        if layer.kind == "conv":
            assert len(np.unique(result.taps[layer.name])) > 1, layer.name


def test_weights_lie_dense():
    network = random_widths(3, [(4, 3), (2, 5), (1, 1), (7, 2)])
    stored = load_tensors(network_bytes(network))
    for layer in network.layers:
        if layer.kind in ("conv", "linear"):
            size = packed_size(network.weight(layer).size, layer.weight_bits)
            assert stored[layer.weight].dtype == np.uint8
            assert stored[layer.weight].shape == (size,)


def test_files_of_version_1_are_read(tmp_path):
    # The same network, and a file whose weights are arrays.
    network = load_shipped("fashion_small")
    data = network_bytes(network)
    length = int.from_bytes(data[:8], "little")
    document = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["hwgen-network"])
    document["version"] = 1
    tensors = {name: np.ascontiguousarray(t) for name, t in network.tensors.items()}
    for name, tensor in tensors.items():
        head = f"{tensor.dtype.str}{list(tensor.shape)}".encode()
        document["sha256"]["tensors"][name] = hashlib.sha256(head + tensor.tobytes()).hexdigest()
    path = tmp_path / "old.safetensors"
    path.write_bytes(save_tensors(tensors, {"hwgen-network": json.dumps(document)}))
    old = load(path)
    assert old.graph == network.graph
    assert network_bytes(old) == data


def _with_stored(network: Network, name: str, change) -> bytes:
    """The network's file with another stored tensor, and a hash that is right for it."""
    data = network_bytes(network)
    length = int.from_bytes(data[:8], "little")
    document = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["hwgen-network"])
    tensors = load_tensors(data)
    tensors[name] = array = change(tensors[name].copy())
    head = f"{array.dtype.str}{list(array.shape)}".encode()
    document["sha256"]["tensors"][name] = hashlib.sha256(head + array.tobytes()).hexdigest()
    return save_tensors(tensors, {"hwgen-network": json.dumps(document)})


def _last_bit(data):
    data[-1] |= 0x80
    return data


def _lowest(data):
    data[:] = 0
    data[0] = 0b100  # -4, the number of three bits that is not symmetric
    return data


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d[:-1], "data must be 41 bytes for 108 numbers of 3 bits, not 40"),
        (lambda d: np.append(d, d[:1]), "data must be 41 bytes for 108 numbers of 3 bits, not 42"),
        (_last_bit, "data must end with zeros after 108 numbers of 3 bits"),
        (lambda d: d.astype(np.int8), "data must be bytes in one dimension, not int8 (41,)"),
        (lambda d: d.reshape(1, -1), "data must be bytes in one dimension, not uint8 (1, 41)"),
        (_lowest, "tensor 'stem.weight' holds -4 … 0, accepted: -3 … 3"),
    ],
)
def test_wrong_packing_is_refused_by_name(tmp_path, change, said):
    network = random_widths(1, [(4, 3)], channels=4)
    path = tmp_path / "net.safetensors"
    path.write_bytes(_with_stored(network, "stem.weight", change))
    with pytest.raises(UserError) as refusal:
        load(path)
    assert str(refusal.value).startswith(f"{path}: layer 'stem': ")
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


def _conv(weights, *, bits=8, signed=False, **fields):
    net = Builder("one")
    x = net.input((2, 2, 2), bits=bits, signed=signed)
    full = {"M": 1, "B": 0, "S": 1}
    net.output(net.conv("one", x, np.reshape(weights, (-1, 2, 1, 1)), full=full, **fields))
    return net.build()


@pytest.mark.parametrize(
    ("weights", "bits", "said"),
    [
        ([4, 0], 3, "holds 0 … 4, accepted: -3 … 3"),
        ([-2, 1], 2, "holds -2 … 1, accepted: -1 … 1"),
        ([1, 0], 1, "holds 0, weights of one bit are -1 or 1"),
        ([1, 2], 1, "holds 1 … 2, accepted: -1 … 1"),
    ],
)
def test_a_weight_that_does_not_fit_is_refused(weights, bits, said):
    with pytest.raises(ValueError, match="layer 'one'") as refusal:
        _conv(weights, weight_bits=bits)
    assert said in str(refusal.value)


def test_edges_of_one_signed_bit():
    net = Builder("bipolar")
    x = net.input((2, 1, 1), bits=1, signed=True)
    weight = np.array([[1, 1], [1, -1]])[..., None, None]
    full = {"M": 1, "B": [0, 1], "S": 1}  # sums -2, 0, 2: one bit of them, without a zero
    x = net.conv("sign", x, weight, weight_bits=1, full=full, padding=(0, 0, 1, 0))
    net.output(x)
    network = net.build()
    images = np.array([[[[1]], [[1]]], [[[1]], [[-1]]], [[[-1]], [[-1]]]])
    # Left of the image there is -1: its sums are -2 and 0.
    expected = [[[[-1, 1]], [[1, 1]]], [[[-1, -1]], [[1, 1]]], [[[-1, -1]], [[1, 1]]]]
    assert run(network, images).outputs["output"].tolist() == expected
    with pytest.raises(UserError, match="images hold 0, network 'bipolar' takes -1 and 1"):
        run(network, np.zeros_like(images))


def test_nobody_adds_up_what_has_no_zero():
    net = Builder("added")
    x = net.input((2, 2, 2), bits=1, signed=True)
    net.output(net.global_avgpool("mean", x, full={"M": 1, "B": 0, "S": 1}, bits=8))
    with pytest.raises(ValueError, match="layer 'mean': adds an edge of -1 and 1"):
        net.build()


def test_one_tensor_with_two_widths_is_refused(tmp_path):
    network = random_widths(0, [(4, 4), (4, 4)], residual=False)
    layers = [
        layer.model_copy(update={"weight": "conv0.weight", "weight_bits": 5})
        if layer.name == "conv1"
        else layer
        for layer in network.layers
    ]
    tensors = {k: v for k, v in network.tensors.items() if k != "conv1.weight"}
    graph = network.graph.model_copy(update={"layers": tuple(layers)})
    if tensors["conv0.weight"].shape == network.tensors["conv1.weight"].shape:
        check(Network(graph, tensors))
    with pytest.raises(UserError, match="'conv0.weight'"):
        save(Network(graph, tensors), tmp_path / "net.safetensors")


def test_inspect_shows_the_widths_of_operands(tmp_path):
    path = save(random_widths(2, [(4, 3), (1, 1)], signs=(True,)), tmp_path / "net.safetensors")
    result = CliRunner().invoke(command, [str(path)], catch_exceptions=False)
    assert "s8×s3" in result.output and "s4×s3" in result.output and "±1×±1" in result.output
    facts = json.loads(CliRunner().invoke(command, [str(path), "--json"]).output)
    rows = {row["name"]: row for row in facts["layers"]}
    assert rows["conv0"]["activation_bits"] == 4 and rows["conv0"]["weight_bits"] == 3
    assert rows["conv1"]["activation_signed"] and rows["conv1"]["activation_bits"] == 1
