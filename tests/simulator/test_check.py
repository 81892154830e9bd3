"""``hwgen run --check``: a whole test set, and samples of it on the Verilog."""

import json

import numpy as np
import pytest

from hwgen import cli
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.cycles import Model
from hwgen.driver import Driver
from hwgen.simulator import check as module
from hwgen.simulator.check import check
from hwgen.simulator.compare import Memory, profile
from hwgen.simulator.rtl import RtlSimulator, library
from models.netfile import Builder, save
from models.reference import run as reference
from models.zoo.synthetic import random_parameters
from sim.networks import example

TINY = load("tiny")


def images_of(network, count: int) -> np.ndarray:
    edge = network.input.output
    return np.random.default_rng(1).integers(edge.lo, edge.hi + 1, (count, *edge.shape))


def rtl_cycles(network, images, batch: int) -> list[int]:
    """Cycles of each run, one after the other."""
    compiled = compile_network(network, TINY, profile(network, images[:16]), batch=batch)
    with RtlSimulator(library(TINY), memory_bytes=1 << 20) as simulator:
        session = Driver(simulator, TINY).load(compiled, 1 << 20)
        cycles = []
        for first in range(0, len(images), batch):
            session.run(images[first : first + batch] if batch > 1 else images[first])
            cycles.append(session.driver.counters()["CYCLES"])
    return cycles


@pytest.mark.parametrize("batch, count", [(1, 5), (2, 7)])
def test_figures_are_those_of_the_verilog(monkeypatch, batch, count):
    monkeypatch.setattr(module, "AT_ONCE", 3)  # several blocks
    network = example(2)
    images = images_of(network, count)
    labels = reference(network, images).classes.copy()
    labels[0] += 1
    facts = check(network, TINY, images, labels, samples=2, batch=batch)
    done = count // batch * batch
    cycles = [c / batch for c in rtl_cycles(network, images[:done], batch)]
    assert facts["images"] == done
    assert facts["accuracy"] == pytest.approx((done - 1) / done)
    assert facts["cycles"] == pytest.approx(np.mean(cycles))
    assert (facts["cycles_least"], facts["cycles_most"]) == (min(cycles), max(cycles))
    assert (facts["samples"], facts["samples_equal"], facts["wrong"]) == (2, 2, 0)


def test_images_of_a_stack_on_the_verilog():
    """Four images in a tile, with strides and gates: every edge, and the cycles of the model."""
    rng = np.random.default_rng(3)
    net = Builder("stack")
    x = net.input((8, 8, 8))
    for number, stride in enumerate((1, 2, 2, 1)):
        weights = rng.integers(-127, 128, (8, 8, 3, 3))
        fields = {"full": random_parameters(rng, 8, 72), "stride": (stride, stride)}
        if number:
            theta = rng.integers(-40000, 40000, 8)
            fields["gate"] = {"kind": "channel", "count": 4, "starts": (0,), "theta": theta}
            fields["gate"]["base"] = random_parameters(rng, 8, 36)
        x = net.conv(f"conv{number}", x, weights, padding=(1, 1, 1, 1), **fields)
    net.output(x)
    network = net.build()
    compiled = compile_network(network, TINY, batch=4)
    passes = [step.fields for step in compiled.program.steps if step.name == "PASS"]
    assert any(f["images"] and f["conditional"] for f in passes)
    facts = check(network, TINY, images_of(network, 8), samples=2, batch=4)
    assert (facts["samples"], facts["samples_equal"], facts["wrong"]) == (2, 2, 0)


def test_a_sample_that_differs_is_told(monkeypatch):
    class Late(Model):
        def run(self, *arguments, **options):
            prediction = super().run(*arguments, **options)
            object.__setattr__(prediction, "cycles", prediction.cycles + 1)
            return prediction

    monkeypatch.setattr(module, "Model", Late)
    network = example(2)
    facts = check(network, TINY, images_of(network, 3), samples=3)
    assert (facts["samples_equal"], facts["wrong"]) == (0, 3)
    assert "predicted" in facts["first_wrong"]


def test_a_wrong_edge_is_told(monkeypatch):
    def spoilt(network, images, **options):
        result = reference(network, images, **options)
        if options.get("taps"):
            result.taps["beside"][1] += 1
        return result

    monkeypatch.setattr(module, "reference", spoilt)
    network = example(2)
    facts = check(network, TINY, images_of(network, 3), samples=2)
    assert (facts["samples_equal"], facts["wrong"]) == (1, 1)
    assert facts["first_wrong"] == "layer beside, image 1"


def test_random_stalls_leave_the_results_to_be_compared():
    network = example(2)
    facts = check(network, TINY, images_of(network, 2), samples=1, memory=Memory(5, 0.5, 0.3))
    assert (facts["samples_equal"], facts["wrong"]) == (1, 0)


def test_the_command(tmp_path, capsys):
    network = example(2)
    save(network, tmp_path / "net.safetensors")
    images = images_of(network, 4).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.zeros(4, int))
    arguments = ["run", tmp_path / "net.safetensors", tmp_path / "images.npz", "--config", "tiny"]
    arguments += ["--check", "--samples", "1"]
    with pytest.raises(SystemExit) as exit:
        cli.main([*map(str, arguments), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert not exit.value.code
    assert facts["format"] == "hwgen-check"
    assert facts["accuracy"] == float((reference(network, images).classes == 0).mean())
    with pytest.raises(SystemExit):
        cli.main([*map(str, arguments)])
    out = capsys.readouterr().out
    assert "1 of 1 sampled runs are equal on the Verilog" in out
    assert f"{facts['cycles']:,.0f} cycles an image" in out


def test_the_memory_is_that_of_the_user():
    network = example(2)
    fast, slow = (
        check(network, TINY, images_of(network, 1), samples=1, memory=memory)
        for memory in (Memory(1), Memory(60, 0.3))
    )
    assert slow["cycles"] > fast["cycles"]
    assert slow["wrong"] == fast["wrong"] == 0
