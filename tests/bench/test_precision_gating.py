"""Precision gating takes the time of the bits that it computes."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from hwgen.bench.precision_gating import gated_chain, main, measured
from hwgen.compiler.network import compile_network
from hwgen.config import load
from hwgen.errors import UserError
from models.zoo import shipped


def test_cycles_follow_the_bits():
    rows = measured(load("pg43"), 64, 14, 1, pairs=((4, 3), (8, 4)), densities=(0.25,))
    for row in rows:
        assert abs(row["over"]) < 0.1
    assert rows[1]["part"] < rows[0]["part"]


def test_the_command_names_what_it_lacks():
    result = CliRunner().invoke(main, ["--config", "bnn", "--channels", "8", "--size", "4"])
    said = "layer conv0 (conv): 6x4 bits; array.modes has 1x1; configuration bnn"
    assert str(result.exception) == said


def test_of_a_network_without_such_gates():
    result = CliRunner().invoke(main, [str(shipped("fashion_mixed")), "--batch", "2"])
    assert str(result.exception) == "network fashion-small: no layer has a precision gate"


def test_of_a_network():
    """Cycles as of the network run whole; the ideal weighs layers by their products."""
    result = CliRunner().invoke(main, [str(shipped("fashion_pg43")), "--json"])
    *layers, whole = json.loads(result.output)
    assert [row["layer"] for row in layers] == ["features.4", "features.7", "features.10"]
    ideal = np.mean([(3 + row["density"]) / 4 for row in layers])  # of equal products
    assert whole["ideal"] == pytest.approx(ideal)
    assert whole["part"] == whole["cycles"] / sum(row["dense_cycles"] for row in layers)
    assert "| all |" in CliRunner().invoke(main, [str(shipped("fashion_pg43"))]).output


def test_a_mixture_without_modes_is_refused_by_layer():
    said = r"layer conv0 \(conv\): 8/3x4 bits; array.modes has 4x8, 2x8; configuration pg43"
    with pytest.raises(UserError, match=said):
        compile_network(gated_chain(8, 3, 8, 4), load("pg43", ["array.modes=4x8,2x8"]))
