"""Who decides on the plan of a layer: an estimate, or the cycle model."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from hwgen.cli.compile import command
from hwgen.compiler import choice as module
from hwgen.compiler.file import listing, summary
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.cycles import predict
from hwgen.errors import UserError
from models.netfile import save

from .test_network import check
from .test_plans import network

SAME = (1, 1, 1, 1)


@pytest.fixture(autouse=True)
def nothing_known(tmp_path, monkeypatch):
    """Nothing is known from earlier runs."""
    monkeypatch.setattr(module, "_folder", lambda: tmp_path / "plans")


def two_alike():
    """Two layers of one shape behind a third one."""
    rng = np.random.default_rng(2)
    return network(rng, (3, 20, 18), *3 * [(12, (3, 3), 1, SAME)])


def test_the_model_decides_by_the_cycles_of_the_layer_alone(monkeypatch):
    asked = []

    def count(config, layer, plan, alone=module._cycles):
        asked.append(layer.name)
        cycles = alone(config, layer, plan)
        return cycles - 10_000 if plan.order == "output" else cycles

    monkeypatch.setattr(module, "_cycles", count)
    monkeypatch.setattr(module, "HOPELESS", 100)
    compiled = compile_network(two_alike(), load("tiny"), plans="model")
    # The third layer is like the second one; what is known of it is read from the cache.
    assert "conv1" in asked and "conv2" not in asked
    for made in compiled.choices.values():
        assert made.by == "model" and made.plan.order == "output"
        assert [plan.cycles for plan in made.plans] == sorted(plan.cycles for plan in made.plans)
    check(two_alike(), load("tiny"), 3, plans="model")


def test_cycles_alone_are_those_of_a_program():
    """A network of one layer, whose input is not folded, takes what the model has said of it."""
    rng = np.random.default_rng(4)
    made = network(rng, (8, 9, 10), (8, (3, 3), 1, SAME))
    compiled = compile_network(made, load("tiny"), plans="model")
    chosen = compiled.choices["conv0"].plan
    assert predict(load("tiny"), compiled.program).cycles == chosen.cycles


def test_an_order_is_forced_whoever_decides():
    compiled = compile_network(two_alike(), load("tiny"), order="weight", plans="model")
    assert {plan.order for plan in compiled.plans.values()} == {"weight"}
    assert all(len(made.plans) == 1 for made in compiled.choices.values())


def test_table_and_listing_tell_what_others_would_cost(tmp_path):
    compiled = compile_network(two_alike(), load("tiny"))
    row = next(row for row in summary(compiled) if row["layer"] == "conv1")
    assert row["decided_by"] == "estimate" and row["plans"][0]["order"] == row["order"]
    orders = [plan["order"] for plan in row["plans"]]
    assert len(set(orders)) == len(orders) > 1
    line = next(line for line in listing(compiled).splitlines() if line.startswith("# conv1: "))
    assert line.startswith(f"# conv1: by the estimate {row['order']} ") and ", not " in line
    save(two_alike(), tmp_path / "net.safetensors")
    arguments = [str(tmp_path / "net.safetensors"), "--config", "tiny", "--json", "--no-predict"]
    rows = json.loads(CliRunner().invoke(command, arguments, catch_exceptions=False).output)
    assert {row["decided_by"] for row in rows["layers"]} == {"model"}


def test_a_program_that_would_be_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("hwgen.compiler.program.PASSES", 50)
    with pytest.raises(UserError, match=r"^layer conv\d: with it the program has \d+ passes, more"):
        compile_network(two_alike(), load("tiny"))
