"""What there is to choose, in which order it is measured, and what is kept."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from hwgen.cli.tune import command
from hwgen.errors import UserError
from hwgen.rtl.mac import Mode
from hwgen.tuning import Log, Measured, Meter, Space, front, search, sensitivity
from hwgen.tuning.finetune import layer_table, with_layer_table
from hwgen.tuning.search import greedy
from models.netfile import load, save

from .networks import pixels, small

MODES = [Mode(8, 8), Mode(4, 4), Mode(2, 2), Mode(8, 4), Mode(1, 1)]


@pytest.fixture
def space():
    return Space.of(small(), MODES, "array.modes")


def test_layers_get_the_modes_that_hold_their_input(space):
    texts = {name: [str(mode) for mode in modes] for name, modes in space.options.items()}
    others = ["8x8", "8x4", "4x4", "2x2"]
    expected = dict.fromkeys(("gated", "last", "classifier"), others)
    assert texts == {"stem": ["8x8", "8x4"]} | expected
    assert space.table(space.widest) == dict.fromkeys(texts, "8x8")


def test_a_tensor_is_as_wide_as_its_widest_reader_takes_it(space):
    widths = space.with_layer(space.widest, "last", Mode(2, 2))
    weights, edges = space.bits(widths)
    assert weights == {"stem": 8, "gated": 8, "last": 2, "classifier": 8}
    assert sorted(edges.values()) == [2, 8, 8] and "pixels" not in edges


def test_without_a_choice_or_a_mode_that_holds_the_pixels():
    with pytest.raises(UserError, match="layer stem: reads 8 bits; x has 4x4, 2x2"):
        Space.of(small(), [Mode(4, 4), Mode(2, 2)], "x")
    with pytest.raises(UserError, match="x: with 8x8 there is nothing to choose"):
        Space.of(small(), [Mode(8, 8)], "x")


class Formula:
    """A meter by a formula: loss and cycles of layers add up."""

    def __init__(self, space):
        self.space, self.asked = space, []
        self.weight = dict(zip(space.options, (1, 40, 3, 1), strict=True))
        self.macs = dict(zip(space.options, (10, 80, 90, 1), strict=True))

    def __call__(self, widths):
        self.asked.append(widths)
        loss = cycles = 0.0
        for name, mode in zip(self.space.options, widths, strict=True):
            loss += self.weight[name] * (8 - mode.activations + 8 - mode.weights) ** 2
            cycles += self.macs[name] * mode.activations * mode.weights
        return Measured(widths, 1 - loss / 1e5, loss, cycles, 2 * cycles)


def test_the_greedy_chain_begins_with_what_costs_least_for_what_it_gains(space):
    meter = Formula(space)
    chain = greedy(space, sensitivity(meter), "cycles")
    changed = [
        next(n for n, a, b in zip(space.options, old, new, strict=True) if a != b)
        for old, new in zip([space.widest, *chain], chain, strict=False)
    ]
    assert changed[0] == "last" and "gated" in changed
    assert chain[-1] == tuple(modes[-1] for modes in space.options.values())


def test_the_search_finds_the_best_of_all(space):
    """With a formula all 128 choices can be tried, and the front is known."""
    import itertools

    meter = Formula(space)
    everything = [meter(widths) for widths in itertools.product(*space.options.values())]
    best = {m.widths for m in front(everything, "cycles")}
    found = front(search(meter, sensitivity(meter), trials=120, seed=3), "cycles")
    reached = [m for m in found if m.widths in best]
    assert len(reached) >= 0.7 * len(best)
    for one in front(everything, "cycles"):
        near = [m for m in found if m.cycles <= 1.15 * one.cycles]
        assert near and max(m.accuracy for m in near) >= one.accuracy - 0.01


def test_the_same_seed_asks_for_the_same(space):
    asked = []
    for seed in (1, 1, 2):
        meter = Formula(space)
        search(meter, sensitivity(meter), trials=60, seed=seed)
        asked.append(meter.asked)
    assert asked[0] == asked[1] != asked[2]


def test_the_front_holds_what_nothing_beats():
    made = [Measured((), a, 0.0, c, 0.0) for a, c in [(0.5, 1), (0.9, 5), (0.7, 3), (0.6, 4)]]
    assert [(m.accuracy, m.cycles) for m in front(made, "cycles")] == [(0.5, 1), (0.7, 3), (0.9, 5)]


def test_a_log_that_was_cut_goes_on_and_another_is_refused(tmp_path):
    path, run = tmp_path / "measured.jsonl", {"network": "a", "batch": 1}
    log = Log(path, run)
    log.add("8x8", {"accuracy": 0.5})
    log.add("4x4", {"accuracy": 0.25})
    path.write_text(path.read_text()[:-5])
    again = Log(path, run)
    assert again.get("8x8") == {"accuracy": 0.5} and again.get("4x4") is None
    assert len(path.read_text().splitlines()) == 2
    with pytest.raises(UserError, match="of another batch; use --fresh or another --out"):
        Log(path, run | {"batch": 2})
    path.write_text("{}\n")
    with pytest.raises(UserError, match="of another network"):
        Log(path, run)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    save(small(7), folder / "net.safetensors")
    labels = np.random.default_rng(2).integers(0, 4, 24)
    np.savez(folder / "labelled.npz", images=pixels(24), labels=labels)
    np.save(folder / "images.npy", pixels(24))
    (folder / "run.toml").write_text('[quantization]\nweights = "lsq"\n')
    return folder


TINY = [
    "--config", "tiny", "--set", "array.mac=bricks", "--set", "array.modes=8x8,4x4,2x2",
]  # fmt: skip


def _tune(files, *arguments, images="images.npy"):
    start = [str(files / "net.safetensors"), str(files / images), *TINY, "--json"]
    return CliRunner().invoke(command, [*start, *map(str, arguments)], catch_exceptions=True)


def test_the_command_goes_on_where_it_was_stopped(files, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    result = _tune(files, "--trials", 12, "--out", whole, "--finetune", files / "run.toml")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["before"]["accuracy"] == 1.0  # Without labels, what the network itself says.
    assert found["chosen"] in found["front"] and found["chosen"]["accuracy"] >= 0.99
    _tune(files, "--trials", 3, "--out", parts)
    again = _tune(files, "--trials", 12, "--out", parts)
    assert json.loads(again.stdout) == found
    assert (parts / "measured.jsonl").read_text() == (whole / "measured.jsonl").read_text()
    chosen = load(whole / "chosen.safetensors")
    assert "test_accuracy" not in chosen.graph.info and chosen.graph.info["tuned_images"] == 24
    assert (whole / "pareto.png").read_bytes().startswith(b"\x89PNG")
    table = (whole / "finetune.toml").read_text()
    assert table.startswith('[quantization]\nweights = "lsq"\n') and table.endswith(
        layer_table(chosen)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--accuracy", 100), r"--accuracy: must be at most [\d.]+ here, not 100"),
        (("--limit", 1), r"--limit: must be at least \d+ here, not 1"),
        (("--accuracy", 50, "--limit", 9), "one of them, not both"),
        (("--finetune", "nowhere.toml"), "nowhere.toml: no such file"),
    ],
)
def test_goals_that_cannot_be_met_are_told(files, tmp_path, arguments, message):
    arguments = ("--trials", 0, "--out", tmp_path / "out", *arguments)
    result = _tune(files, *arguments, images="labelled.npz")
    assert isinstance(result.exception, UserError)
    with pytest.raises(UserError, match=message):
        raise result.exception


def test_a_run_that_has_widths_already_is_refused(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('[quantization.layers]\n"a" = { weight_bits = 2 }\n')
    with pytest.raises(UserError, match="quantization.layers: must not be there yet"):
        with_layer_table(path, small())


def test_an_array_without_gates_gets_a_network_without(files, tmp_path):
    done = _tune(files, "--trials", 0, "--out", tmp_path, "--set", "array.gated=false")
    assert done.exit_code == 0, done.output
    assert not load(tmp_path / "chosen.safetensors").gated


def test_a_meter_tells_what_the_compiled_program_takes(tmp_path):
    from hwgen.bench.whole import Case
    from hwgen.config import load as configuration
    from hwgen.cycles import predict
    from models.reference import prepare, run

    network, config = small(9), configuration("tiny")
    images = prepare(network, pixels(10))
    labels = run(network, images).classes
    space = Space.of(network, MODES, "x")
    meter = Meter(space, config, images, labels, Log(tmp_path / "log", {}), batch=2)
    found = meter(space.widest)
    result = run(network, images, masks=True)
    case = Case.of(network, config, {n: m[:2] for n, m in result.masks.items()}, 2)
    cycles = predict(config, case.compiled.program, case.decided()).cycles
    assert (found.accuracy, found.cycles) == (1.0, cycles / 2)
    logits = result.logits * 0.05
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert found.loss == pytest.approx(-np.log(shares[np.arange(10), labels]).mean())
