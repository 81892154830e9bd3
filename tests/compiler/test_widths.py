"""Networks of all widths, compiled for every kind of unit and executed in integers."""

import numpy as np
import pytest

from hwgen.arithmetic import requantize
from hwgen.cli._images import input_images
from hwgen.compiler.file import listing, summary
from hwgen.compiler.layer import Requantization
from hwgen.compiler.network import compile_network
from hwgen.compiler.operands import Operands, packed, unpacked
from hwgen.compiler.sums import Sums
from hwgen.compiler.widths import plan_widths
from hwgen.config import load
from hwgen.errors import UserError
from hwgen.rtl.mac import facts
from models.netfile import Builder
from models.zoo import load_shipped
from models.zoo.widths import random_widths

from .test_network import check

SERIAL = "8x8,7x8,6x8,5x8,4x8,3x8,2x8,1x8"
UNITS = {
    "parallel": ["array.mac=parallel"],
    "serial": ["array.mac=serial", f"array.modes={SERIAL}"],
    "bricks": ["array.mac=bricks", "array.modes=8x8,8x4,4x8,4x4,2x4,4x2,2x2,8x2,2x8"],
    "odd": ["array.mac=bricks", "array.modes=8x8,6x3,3x5,4x4,2x2"],
    "subword": ["array.mac=subword", "array.modes=8x8,4x4"],
    "xnor": ["array.mac=xnor", "drain.shift_max=40"],
}
TRIMMED = [*UNITS["serial"], "array.gated=false", "array.trim_planes=true", "name=unit_trimmed"]
GATES = (None, "channel", "precision", "both")


def unit(name: str):
    return load("tiny", [*UNITS[name], f"name=unit_{name}"])


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("seed", range(3))
def test_random_widths(name, seed):
    rng = np.random.default_rng([seed, 1])
    most = 4 if name == "xnor" else 8
    widths = [tuple(map(int, rng.integers(1, most + 1, 2))) for _ in range(3)] + [(1, 1)]
    if name == "xnor":
        widths[0] = widths[0][0], 1  # beside pixels of eight bits
    last = 4 if name == "xnor" else 8
    network = random_widths(
        seed, widths, gates=GATES, groups=(1, 2), channels=12, size=6, last_bits=last
    )
    check(network, unit(name), seed, batch=1 + seed % 2)


def test_a_network_of_signs():
    """-1 and 1 everywhere but at the ends; the channels fill no word."""
    for channels in (20, 32):
        network = random_widths(
            1, [(1, 1)] * 3, signs=(True,), channels=channels, residual=False, last_bits=1
        )
        compiled = compile_network(network, unit("xnor"))
        check(network, unit("xnor"), 1)
        notes = [s.note for s in compiled.program.steps if s.name == "PASS"]
        assert any(note.startswith("conv1") for note in notes)


@pytest.mark.parametrize(
    ("name", "operands", "lanes", "modes", "shifts"),
    [
        ("bricks", Operands(2, False, False, 2), 4, ["2x2"], [0]),
        ("bricks", Operands(2, True, False, 3), 2, ["2x4"], [0]),
        ("bricks", Operands(7, True, False, 2), 1, ["8x2"], [0]),
        ("bricks", Operands(8, False, False, 4, 4), 2, ["4x4", "4x4"], [4, 0]),
        ("bricks", Operands(6, False, False, 2, 4), 2, ["4x2", "2x4"], [2, 0]),
        ("odd", Operands(5, False, False, 3), 1, ["6x3"], [0]),
        ("serial", Operands(4, False, False, 4), 1, ["4x8"], [0]),
        ("serial", Operands(4, False, False, 4, 3), 1, ["3x8", "1x8"], [1, 0]),
        ("serial", Operands(3, False, False, 8, 2), 1, ["2x8", "1x8"], [1, 0]),
        ("serial", Operands(5, True, False, 8, 3), 1, ["3x8", "2x8"], [2, 0]),
        ("serial", Operands(8, False, False, 8, 4), 1, ["4x8", "4x8"], [4, 0]),
        ("parallel", Operands(4, False, False, 4, 3), 1, ["8x8", "8x8"], [0, 0]),
    ],
)
def test_the_fastest_mode_is_taken(name, operands, lanes, modes, shifts):
    config = unit(name)
    plan = plan_widths(config, operands)
    assert plan.lanes == lanes * config.array.lanes
    found = [str(facts(config).modes[use.how.mode]) for use in plan.uses]
    assert found == modes and [use.how.sum_shift for use in plan.uses] == shifts


@pytest.mark.parametrize(
    ("settings", "widths", "said"),
    [
        (
            ["array.mac=bricks", "array.modes=8x2,4x4,2x2"],
            [(8, 2), (6, 3)],
            r"layer conv1 \(conv\): 6x3 bits; array.modes has 8x2, 4x4, 2x2; configuration",
        ),
        (["array.mac=serial", "array.modes=4x4"], [(4, 4)], r"layer stem \(conv\): 8x4 bits;"),
        (UNITS["xnor"], [(4, 1), (4, 6)], r"layer conv1 \(conv\): 4x6 bits; array.modes has 1x1"),
    ],
)
def test_a_width_without_a_mode_is_refused_by_layer(settings, widths, said):
    network = random_widths(0, widths, last_bits=2, residual=False, pool=False)
    with pytest.raises(UserError, match=said):
        compile_network(network, load("tiny", settings))


def test_weights_of_sixteen_bits_are_refused():
    net = Builder("wide")
    x = net.input((2, 3, 3))
    full = {"M": 1, "B": 0, "S": 1}
    net.output(net.conv("wide", x, np.full((1, 2, 1, 1), 300), weight_bits=10, full=full))
    with pytest.raises(UserError, match=r"layer wide \(conv\): 8x10 bits; array.modes has 8x8"):
        compile_network(net.build(), load("tiny"))


@pytest.mark.parametrize("name", ["serial", "bricks", "odd", "subword", "xnor"])
def test_operands_lie_as_the_unit_says(name):
    config = unit(name)
    rng = np.random.default_rng(1)
    for mode in facts(config).modes:
        for places in (facts(config).activations_in(mode), facts(config).weights_in(mode)):
            values = rng.integers(0, 1 << places.width, (5, places.lanes))
            if places.bipolar:
                values = 2 * values - 1
            words = packed(values, places)
            for word, row in zip(words, values, strict=True):
                assert int.from_bytes(word.tobytes(), "little") == places.pack(row.tolist())
            for signed in (False, True):
                want = [
                    places.unpack(int.from_bytes(word.tobytes(), "little"), signed)
                    for word in words
                ]
                assert unpacked(words, places, signed=signed).tolist() == want


@pytest.mark.parametrize(("scale", "share"), [(1, 1), (2, 1), (1, 2), (1, 4)])
def test_other_sums_give_the_same_results(scale, share):
    """All sums of a range, ties and shifts of one included."""
    rng = np.random.default_rng([scale, share])
    for shift in range(1, 8):
        channels = 40
        offset = rng.integers(-30, 30, channels) * (share if scale == 1 else 1)
        q = Requantization(
            rng.integers(-9, 10, channels),
            rng.integers(-99, 99, channels),
            np.full(channels, shift),
        )
        sums = np.arange(-60, 60)[None] * share + (-offset % share)[:, None]
        true = (scale * sums + offset[:, None]) // share
        assert (true * share == scale * sums + offset[:, None]).all()
        own = Sums(scale, share, offset)
        other = own.requantization(q)
        assert (other.shift >= 1).all()

        def result(values, q):
            columns = [v[:, None] for v in (q.multiplier, q.bias, q.shift)]
            return requantize(values, *columns, -1000, 1000)

        np.testing.assert_array_equal(result(sums, other), result(true, q))
        theta = rng.integers(-50, 50, channels)
        fires = sums > own.threshold(theta)[:, None]
        np.testing.assert_array_equal(fires, true > theta[:, None])


def test_weights_lie_dense():
    """Three bits a weight, thresholds as they are."""
    config = load("tiny", ["array.mac=serial", "array.modes=8x4,4x4"])
    network = random_widths(3, [(4, 3)] * 2, gates=("channel",), channels=16, last_bits=3)
    program = compile_network(network, config).program
    loads = [s for s in program.steps if s.name == "LOAD" and s.fields["target"] == 1]
    spread = [s for s in loads if s.fields.get("bits")]
    assert {s.fields["bits"] for s in spread} == {3}
    heads = [s for s in loads if not s.fields.get("bits")]
    thresholds = [s for s in program.steps if s.name == "PASS" and s.fields["thresholds"]]
    assert 0 < len(heads) <= len(thresholds)
    bytes_of_words = load("tiny", ["array.mac=serial", "array.modes=8x8,4x8"])
    whole = compile_network(network, bytes_of_words).program.constants
    assert len(program.constants) < 0.6 * len(whole)


def test_listing_and_summary_name_the_modes():
    network = random_widths(0, [(4, 4), (2, 2)], residual=False, pool=False)
    compiled = compile_network(network, unit("bricks"))
    rows = {row["layer"]: row for row in summary(compiled)}
    assert rows["conv0"]["modes"] == ["4x4"] and rows["conv1"]["modes"] == ["2x2"]
    # Two and four lanes more in a vector.
    assert rows["conv0"]["peak"] == 4 * rows["last"]["peak"]
    assert rows["conv1"]["peak"] == 16 * rows["last"]["peak"]
    assert "conv1: dense pass 2x2, block 0" in listing(compiled)
    assert "conv1: pack bits 0-1, plane 0" in listing(compiled)


def test_outputs_are_packed_where_they_lie():
    """By the layer that makes them, if its channels fill whole words, otherwise by the next one."""
    network = random_widths(
        4, [(8, 8), (4, 4), (2, 2)], channels=16, signs=(False,), residual=False, pool=False
    )
    for settings, layers in (
        # Blocks of eight channels: a word of 4x4 bits, half a word of 2x2.
        (UNITS["bricks"], {"conv0", "conv2"}),
        # Of four, which share a plane of bytes.
        ([*UNITS["bricks"], "array.engines=2", "array.slots=1"], {"conv1", "conv2"}),
    ):
        config = load("tiny", settings)
        packs = [s for s in compile_network(network, config).program.steps if s.name == "VECTOR"]
        assert {s.fields["operation"] for s in packs} == {3}
        assert {s.note.partition(":")[0] for s in packs} == layers
        check(network, config, 4)


def test_equal_weights_in_two_modes():
    """High and low bits with the same weights, which lie dense once and are spread in two ways."""
    widths = [(3, 6), (8, 4), (7, 8), (2, 4), (5, 2), (7, 7), (3, 5)]
    network = random_widths(3, widths, gates=GATES, groups=(1, 2), channels=10, size=5)
    check(network, unit("bricks"), 3)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("fashion_binary", "bnn"),
        ("fashion_mixed", "bitfusion8"),
        ("fashion_mixed", "stripes8"),
        ("fashion_pg43", "pg43"),
    ],
)
def test_trained_networks(name, config):
    check(load_shipped(name), load(config), 0)


def test_random_images_of_signs():
    images, _ = input_images(load_shipped("fashion_binary"), None, 3)
    assert set(np.unique(images)) == {-1, 1}
