"""The integer reference against a slow, literal reading of the contract, and against bad input."""

import numpy as np
import pytest

from hwgen.errors import UserError
from models.netfile import Builder, Network, requantize, save, shift_right_half_up
from models.reference import engine as reference_engine
from models.reference import literal, prepare, run, work
from models.zoo.synthetic import every_kind


def _images(network, count, seed=1):
    edge = network.input.output
    return np.random.default_rng(seed).integers(edge.lo, edge.hi + 1, (count, *edge.shape))


def test_every_layer_equals_the_slow_reading(tmp_path):
    for seed in range(3):
        network = every_kind(seed)
        graph, tensors = literal.read(save(network, tmp_path / "net.safetensors"))
        images = _images(network, 3, seed)
        result = run(network, images, taps=True, masks=True)
        for index, image in enumerate(images):
            expected = literal.compute(graph, tensors, image.tolist())
            for name, values in expected.items():
                assert result.taps[name][index].tolist() == values, (seed, name)
        for layer in network.gated:
            assert 0.02 < result.density(layer.name) < 0.98, "a gate that decides nothing"
        for name, values in result.taps.items():
            assert len(np.unique(values)) > 8, f"{name} only saturates"


def _unusual(rng) -> Network:
    """Combinations that ``every_kind`` has not: gates with strides, groups and runs at once, of few
    bits, with residuals; 16-bit weights, 1×3 kernels, padding of one side, rectangular strides.
    """

    def parameters(channels, residual=False):
        full = {"M": rng.integers(-9000, 9000, channels), "S": rng.integers(15, 19, channels)}
        full["B"] = (rng.uniform(-8, 30, channels) * 2.0 ** full["S"]).astype(np.int64)
        if residual:
            full["Mb"] = (rng.uniform(-1, 1, channels) * 2.0 ** full["S"]).astype(np.int64)
        return full

    def gate(channels, residual=False, **fields):
        theta = rng.integers(-1500, 1500, channels)
        return {"theta": theta, "base": parameters(channels, residual), **fields}

    def weight(*shape, top=31):
        return rng.integers(-top, top + 1, shape)

    net = Builder("unusual")
    x = net.input((4, 9, 8), bits=5)
    a = net.conv(
        "grouped_runs", x, weight(8, 2, 3, 3), groups=2, stride=(2, 1), padding=(0, 2, 1, 0),
        full=parameters(8), gate=gate(8, kind="channel", count=1, starts=(0, 1, 1, 0)), bits=6,
    )  # fmt: skip
    b = net.conv(
        "wide_weights", a, weight(8, 8, 1, 3, top=300), weight_bits=10, padding=(0, 0, 1, 1),
        full=parameters(8, True), residual=a, signed=True, bits=4,
    )  # fmt: skip
    c = net.conv(
        "few_bits", b, weight(8, 2, 3, 3), groups=4, padding=(1, 1, 1, 1), bits=4,
        full=parameters(8, True), residual=b, signed=True, lo=-5, hi=6,
        gate=gate(8, True, kind="precision", high_bits=1),
    )  # fmt: skip
    d = net.conv(
        "strided", c, weight(6, 8, 3, 2), stride=(2, 3), padding=(2, 0, 0, 1), full=parameters(6),
        gate=gate(6, kind="channel", count=3, starts=(5, 0)), signed=False, bits=8,
    )  # fmt: skip
    net.output(net.linear("classifier", d, weight(5, int(np.prod(net.edge(d).shape))),
                          full=parameters(5), signed=True))  # fmt: skip
    return net.build()


@pytest.mark.parametrize("seed", range(3))
def test_unusual_layers_equal_the_slow_reading(tmp_path, seed):
    network = _unusual(np.random.default_rng(seed))
    graph, tensors = literal.read(save(network, tmp_path / "net.safetensors"))
    images = _images(network, 4, seed)
    result = run(network, images, taps=True)
    for index, image in enumerate(images):
        for name, values in literal.compute(graph, tensors, image.tolist()).items():
            assert result.taps[name][index].tolist() == values, name
    for layer in network.gated:
        assert 0.02 < result.density(layer.name) < 0.98, layer.name
        assert len(np.unique(result.taps[layer.name])) > 6, layer.name


def test_the_gate_is_strict(network):
    """Thresholds equal to base sums that occur: those outputs do not fire, one less and they do."""
    images = _images(network, 1)
    sums = run(network, images, taps=["first"]).base_accumulators["first"][0, :, 4, 3]
    for offset, fires in ((0, False), (-1, True)):
        theta = (sums + offset).astype(np.int32)
        moved = Network(network.graph, {**network.tensors, "first.theta": theta})
        masks = run(moved, images, masks=True).masks["first"]
        assert (masks[0, :, 4, 3] == fires).all()


def test_blocks_of_images_change_nothing(network, monkeypatch):
    images = _images(network, 7)
    whole = run(network, images, taps=["own"], masks=True)
    monkeypatch.setattr(reference_engine, "_BLOCK_BYTES", 1)
    done = []
    single = run(network, images, taps=["own"], masks=True, progress=done.append)
    assert done == [1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_array_equal(whole.logits, single.logits)
    np.testing.assert_array_equal(whole.taps["own"], single.taps["own"])
    np.testing.assert_array_equal(whole.masks["own"], single.masks["own"])
    np.testing.assert_array_equal(whole.fired["own"], single.fired["own"])
    assert list(whole.taps) == ["own"]


def test_masks_counts_and_base_sums_agree(network):
    result = run(network, _images(network, 4), taps=True, masks=True)
    for layer in network.gated:
        fired = result.base_accumulators[layer.name] > network.theta(layer)[:, None, None]
        np.testing.assert_array_equal(result.masks[layer.name], fired)
        np.testing.assert_array_equal(result.fired[layer.name], fired.sum((0, 2, 3)))
        kept = result.accumulators[layer.name][~fired]
        np.testing.assert_array_equal(kept, result.base_accumulators[layer.name][~fired])


def test_work_follows_the_published_formula(network):
    rows = {row.name: row for row in work(run(network, _images(network, 4)))}
    row = rows["first"]
    skipped = 1 - row.density
    assert row.reduction == pytest.approx(1 / (1 / 4 + (1 - 1 / 4) * (1 - skipped)))
    assert rows["stem"].reduction == 1 and rows["stem"].dense == 8 * 8 * 8 * 27
    row = rows["precise"]
    assert row.done / row.dense == pytest.approx((3 + 5 * row.density) / 8)


@pytest.mark.parametrize(
    ("value", "shift", "expected"),
    [(1, 1, 1), (-1, 1, 0), (3, 1, 2), (-3, 1, -1), (6, 2, 2), (-6, 2, -1), (-7, 2, -2), (5, 2, 1)],
)
def test_ties_round_up(value, shift, expected):
    assert shift_right_half_up(value, shift) == expected


def test_requantize_is_exact_at_the_edge_of_48_bits():
    acc, multiplier, offset = -(2**31), 32767, -(2**46)
    exact = (acc * multiplier + offset + 2**30) >> 31
    assert requantize(acc, multiplier, offset, 31, -(2**40), 2**40) == exact


def test_prepare():
    net = Builder("bytes")
    x = net.input((2, 1, 2), signed=True, full={"M": [3, -1], "B": [-256, 7], "S": [1, 2]})
    net.output(x)
    pixels = np.array([[[[0, 255]], [[9, 10]]]], dtype=np.uint8)
    assert prepare(net.build(), pixels).tolist() == [[[[-128, 127]], [[0, -1]]]]


def test_prepare_passes_bytes_of_an_unsigned_input():
    net = Builder("raw")
    net.output(net.input((1, 2, 2)))
    pixels = np.array([[[0, 255], [1, 2]]], dtype=np.uint8)
    np.testing.assert_array_equal(prepare(net.build(), pixels)[:, 0], pixels)


def _wide(channels: int):
    net = Builder("wide")
    x = net.input((channels, 1, 1))
    full = {"M": 1, "B": 0, "S": 1}
    net.output(net.conv("sum", x, np.full((1, channels, 1, 1), 127), full=full))
    return net.build()


def test_overflow_is_found_on_the_image_that_overflows():
    network = _wide(66400)
    images = np.zeros((2, 66400, 1, 1), dtype=int)
    assert run(network, images).logits.tolist() == [[0], [0]]
    images[1] = 255
    with pytest.raises(UserError, match="layer 'sum': accumulator 2150364000 of image 1"):
        run(network, images)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((1, 3, 9, 7)), "takes integers"),
        (np.zeros((3, 9, 7), int), "takes [n, 3, 9, 7]"),
        (np.zeros((1, 3, 9, 8), int), "takes [n, 3, 9, 7]"),
        (np.zeros((0, 3, 9, 7), int), "no image"),
        (np.full((1, 3, 9, 7), 128), "takes -128 … 127"),
    ],
)
def test_wrong_images(network, images, said):
    with pytest.raises(UserError) as refusal:
        run(network, images)
    assert said in str(refusal.value)


def test_unknown_tap(network):
    with pytest.raises(UserError, match="no layer 'absent'"):
        run(network, _images(network, 1), taps=["absent"])
