"""The group as Verilog, without a simulation: that it can be emitted, and what is left out."""

import pytest
from amaranth.back import verilog

from hwgen.config import load, shipped_names
from hwgen.memory import inventory
from hwgen.rtl.group import Group


@pytest.mark.parametrize("name", shipped_names())
def test_emission(name):
    text = verilog.convert(Group(load(name)), name="group")
    assert "module \\group.accumulators " in text or "module \\group.accumulators(" in text


def test_no_gate_no_gate_hardware():
    """A dense array holds sums, the engines' own weights and a queue, and nothing else."""
    config = load("cgnet8", {"array.gated": False})
    dense = {use.name: use.bits for use in inventory(Group(config))}
    assert set(dense) == {"accumulators", "weights", "vector queue"}
    assert dense["weights"] == 2 * 8 * config.array.lanes * config.channels_per_group

    gated = {use.name: use.bits for use in inventory(Group(load("cgnet8")))}
    assert gated["weights"] == config.array.group * dense["weights"]
    assert gated["accumulators"] == dense["accumulators"]
