"""Folded first layers, maps that do not fit, small maps that stay on chip, and what they reach."""

import numpy as np
import pytest

from hwgen.compiler import choice
from hwgen.compiler.network import compile_network
from hwgen.compiler.program import Program, Step, encode
from hwgen.config import load
from hwgen.cycles import predict
from hwgen.errors import UserError
from hwgen.isa.instructions import by_name
from models.netfile import Builder
from models.zoo.synthetic import random_parameters

from .test_network import check


def network(rng, image, *convolutions, pool=False):
    """Convolutions (outputs, kernel, stride, padding), one behind the other."""
    net = Builder("net")
    x = net.input(image, signed=True)
    for number, (outputs, kernel, stride, padding) in enumerate(convolutions):
        inputs = net.edge(x).shape[0]
        x = net.conv(
            f"conv{number}",
            x,
            rng.integers(-127, 128, (outputs, inputs, *kernel)),
            full=random_parameters(rng, outputs, inputs * kernel[0] * kernel[1]),
            stride=(stride, stride),
            padding=padding,
        )
        if pool and number == 0:
            x = net.maxpool("pool", x, (3, 3), (2, 2), (1, 1, 1, 1))
    net.output(x)
    return net.build()


@pytest.mark.parametrize("name", ["cgnet8", "tiny"])
@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "padding", "batch"),
    [
        (3, (7, 7), 2, (3, 3, 3, 3), 1),
        (1, (3, 3), 1, (1, 1, 1, 1), 3),
        (3, (5, 3), 3, (0, 2, 1, 0), 2),
        (2, (4, 6), 4, (3, 0, 2, 5), 1),
        (11, (2, 2), 2, (0, 0, 0, 0), 2),
    ],
)
def test_folded_first_layers(name, channels, kernel, stride, padding, batch):
    rng = np.random.default_rng([channels, *kernel])
    made = network(rng, (channels, 13, 11), (9, kernel, stride, padding))
    check(made, load(name), channels, batch=batch)


def test_taps_are_folded_into_lanes():
    made = network(np.random.default_rng(1), (3, 32, 32), (64, (7, 7), 2, (3, 3, 3, 3)))
    compiled = compile_network(made, load("cgnet8"))
    (packing,) = compiled.input.packings
    assert packing.fold == (7, 7) and packing.tensor.channels == 147
    passes = [s.fields for s in compiled.program.steps if s.name == "PASS"]
    assert sum(f["chunks"] * f["positions"] for f in passes) == 19 * 16 * 16


@pytest.mark.parametrize("order", [None, "input", "weight", "output"])
def test_maps_larger_than_the_buffer(order):
    """1,024 words of four channels; the map has 40 x 33 positions and 12 channels."""
    same = (1, 1, 1, 1)
    rng = np.random.default_rng(5)
    made = network(rng, (3, 40, 33), (12, (3, 3), 1, same), (6, (3, 3), 2, same))
    check(made, load("tiny"), 5, order=order)


def test_a_small_map_stays_on_chip():
    same = (1, 1, 1, 1)
    rng = np.random.default_rng(6)
    made = network(rng, (3, 11, 13), *3 * [(64, (3, 3), 1, same)])
    compiled = compile_network(made, load("baseline8"))
    loads = [s.note for s in compiled.program.steps if s.name == "LOAD" and "planes" in s.note]
    assert {note.partition(":")[0] for note in loads} == {"conv0"}
    # Tiles of it, so that one drains while the next one is computed.
    drains = [s.note for s in compiled.program.steps if s.name == "DRAIN" and "conv1" in s.note]
    assert len(drains) > 1
    check(made, load("baseline8"), 6)


def test_maps_wider_than_an_instruction_can_tell():
    """Tiles are cut where they fit into the buffer, and where their columns have no bits."""
    rng = np.random.default_rng(9)
    made = network(rng, (3, 3, 1100), (4, (1, 1), 1, (0,) * 4), (4, (3, 3), 1, (1, 1, 1, 1)))
    check(made, load("cgnet8", ["memory.activation_words=16384", "array.rows=4096"]), 9)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "field"),
    [((3, 3), 8, (0,) * 4, "PASS.stride"), ((15, 15), 1, (40,) * 4, "PASS.pad_top")],
)
def test_what_no_instruction_can_tell_is_refused_by_layer(kernel, stride, padding, field):
    rng = np.random.default_rng(10)
    made = network(rng, (8, 20, 20), (8, (1, 1), 1, (0,) * 4), (8, kernel, stride, padding))
    compiled = compile_network(made, load("cgnet8"))
    with pytest.raises(UserError, match=f"^layer conv1: no instruction can tell that: {field}"):
        encode(compiled.program, compiled.config)


@pytest.fixture
def stacks(monkeypatch):
    """Layers are cut into stacks of images where that is possible at all."""
    ranked = choice.ranked_plans

    def stacked(*arguments):
        return sorted(ranked(*arguments), key=lambda plan: not plan.stacked)

    monkeypatch.setattr(choice, "ranked_plans", stacked)


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize("order", ["weight", "output"])
def test_stacked_images_whose_last_columns_nobody_sees(order):
    """Rows of an image lie in the buffer with all of their columns."""
    rng = np.random.default_rng(8)
    same, none = (1, 1, 1, 1), (0, 0, 0, 0)
    made = network(rng, (5, 7, 9), (9, (1, 1), 1, none), (6, (2, 2), 3, none), (7, (3, 3), 1, same))
    compiled = compile_network(made, load("tiny"), batch=3, order=order)
    assert compiled.plans["conv1"].stacked
    check(made, load("tiny"), 8, batch=3, order=order)


@pytest.mark.usefixtures("stacks")
@pytest.mark.parametrize(("name", "size"), [("tiny", 4), ("cgnet8", 8), ("cgnet8", 4)])
def test_images_of_a_stack_lie_as_they_are(name, size):
    """The streamer knows where an image ends, unless the step from position to position is longer
    than an image; loads bring each row once then.
    """
    rng = np.random.default_rng(9)
    same = (1, 1, 1, 1)
    layers = (8, (1, 1), 1, (0, 0, 0, 0)), (16, (3, 3), 2, same), (9, (5, 3), 1, (2, 2, 1, 1))
    made = network(rng, (9, size, size), *layers)
    compiled = compile_network(made, load(name), batch=5)
    passes = [s for s in compiled.program.steps if s.name == "PASS"]
    knows = (name, size) != ("cgnet8", 4)
    for layer in ("conv1", "conv2"):
        assert compiled.plans[layer].stacked and compiled.plans[layer].copied != knows
    assert all(s.fields["images"] == knows for s in passes if not s.note.startswith("conv0"))
    check(made, load(name), 9, batch=5)


def test_the_array_is_busy_from_the_first_layer_on():
    """Stem, pooling and a layer of ResNet at a quarter of its size."""
    rng = np.random.default_rng(7)
    stem, same = (64, (7, 7), 2, (3, 3, 3, 3)), (64, (3, 3), 1, (1, 1, 1, 1))
    made = network(rng, (3, 112, 112), stem, same, same, pool=True)
    config = load("baseline8")
    cycles = predict(config, compile_network(made, config).program).cycles
    busy = sum(layer.macs for layer in made.layers) / config.macs / cycles
    assert busy > 0.87


def test_a_pool_beside_a_layer_of_many_tiles():
    """The first two layers of ResNet-18 at ImageNet shapes: loads and stores of the pool come
    between those of the convolution, which hardly waits for them.
    """
    stem = ((64, (7, 7), 2, (3, 3, 3, 3)),)
    made = network(np.random.default_rng(3), (3, 224, 224), *stem, pool=True)
    config = load("baseline8")
    least = sum(layer.macs for layer in made.layers) / config.macs
    assert predict(config, compile_network(made, config).program).cycles < 1.1 * least


@pytest.mark.parametrize("bits, count", [(4, 15), (3, 7)])
def test_tokens_that_no_counter_holds(bits, count):
    """Without queues a unit may be ahead of one that has not waited yet; not by too much."""
    config = load("micro", ["control.sequential=false", f"control.token_bits={bits}"])

    def step(name, **tokens):
        return Step(
            name, {f.name: f.least for f in by_name(name).fields}, f"ahead: {name}", **tokens
        )

    posts, waits, end = step("DRAIN", post={2}), step("STORE", wait={2}), step("END")
    encode(Program([posts] * count + [waits, posts, end], b""), config)
    too_many = Program([posts] * (count + 1) + [waits, end], b"")
    with pytest.raises(
        UserError, match=f"layer ahead: a token .* to count to {count + 1}, .* micro"
    ):
        encode(too_many, config)
    encode(too_many, load("tiny"))
    encode(too_many, config.override({"control.sequential": True}))
