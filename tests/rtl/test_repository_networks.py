"""Whole networks of the repository, small: layers as PyTorch's networks have them, not drawn ones.

``python -m sim.proof networks`` runs all of them, as large as they are.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from hwgen.config import load
from hwgen.errors import UserError
from hwgen.simulator.rtl.build import NotBuilt
from models.netfile import Builder
from models.networks import NETWORKS
from models.zoo import shipped_names
from sim.proof import networks
from sim.proof.__main__ import _prove_all
from sim.proof.networks import prove_network, prove_subject, table
from sim.proof.program import Difference
from sim.proof.subjects import UNTRAINED, Subject, check_name, subject_names

TINY = load("tiny")
EDGES = 60
"""Of the network below: all layers but its input write one."""


@pytest.fixture(scope="module")
def residual():
    """A ResNet-8 with gates by channel and precision, of few channels and for few pixels."""
    small = replace(UNTRAINED["resnet-8"], size=16, options={"width": 8})
    return small.subject("resnet-8", small=False)


@pytest.mark.parametrize("name", ["tiny", "cgnet8"])
def test_a_gated_network(residual, name):
    facts = prove_subject(residual, load(name))
    assert (facts["layers"], facts["gated"], facts["edges"]) == (61, 8, 2 * EDGES)
    assert 0.1 < float(facts["fired"].rstrip("%")) / 100 < 0.6
    assert "refused" not in facts


def test_without_gates_where_there_is_no_hardware_for_them(residual):
    facts = prove_subject(residual, load("baseline8"))
    assert "it is gated, configuration baseline8 has array.gated = false" in facts["refused"]
    assert facts["gated"] == 0 and facts["edges"] == 2 * EDGES


def test_what_cannot_run_at_all_is_told():
    net = Builder("skewed")
    x = net.conv(
        "conv", net.input((1, 4, 4)), [[[[1]]]], stride=(1, 2), full={"M": 1, "B": 0, "S": 1}
    )
    net.output(x)
    facts = prove_subject(Subject("skewed", net.build(), np.ones((1, 1, 4, 4), int), "4x4"), TINY)
    assert "stride (1, 2) differs between rows and columns" in facts["refused"]
    assert facts.keys() == {"form", "refused"}


def test_wrong_weights_are_found(residual, monkeypatch):
    """The program is that of another network."""
    compile_network = networks.compile_network

    def of_another(network, *arguments, **options):
        compiled = compile_network(network, *arguments, **options)
        changed = replace(compiled.network, tensors=dict(network.tensors))
        weight = network.layer("classifier").weight
        changed.tensors[weight] = -network.tensors[weight]
        other = compile_network(changed, *arguments, **options)
        return replace(other, network=network)

    monkeypatch.setattr(networks, "compile_network", of_another)
    with pytest.raises(Difference, match="layer classifier, image 0"):
        prove_subject(residual, TINY)


def test_an_edge_that_is_not_compared_is_missed(residual, monkeypatch):
    compile_network = networks.compile_network

    def without(*arguments, **options):
        compiled = compile_network(*arguments, **options)
        views = {name: view for name, view in compiled.views.items() if name != "pool.0"}
        return replace(compiled, views=views)

    monkeypatch.setattr(networks, "compile_network", without)
    with pytest.raises(
        Difference, match=f"{2 * EDGES - 2} edges were compared, there are {2 * EDGES}"
    ):
        prove_subject(residual, TINY)


def test_all_networks_are_among_them():
    assert {one.network for one in UNTRAINED.values()} >= {
        name for name in NETWORKS if not name.startswith("fashion")
    }
    assert set(shipped_names()) < set(subject_names())
    with pytest.raises(UserError, match="network must be one of every-kind, .*, not 'lenet'"):
        check_name("lenet")


def test_a_run_goes_on_where_it_was(tmp_path, capsys):
    """What is known is not proved again, but for differences; all rows come back."""
    log, proved = tmp_path / "log.jsonl", []

    def prove(key):
        proved.append(key)
        if key == "b on tiny" and len(proved) < 3:
            raise Difference("layer conv, image 0")
        if key == "c on tiny":
            return {"form": "3x3", "refused": "too large"}
        return {"form": "3x3", "edges": 1234, "cycles": 5}

    keys = ["a on tiny", "b on tiny", "c on tiny"]
    with pytest.raises(UserError, match="1 of 2 differ"):
        _prove_all(keys[:2], prove, log, table)
    assert "| b on tiny |  |  |  |  |  |  |  | Difference: layer conv, image 0 () |" in (
        capsys.readouterr().out
    )
    _prove_all(keys, prove, log, table)
    assert proved == ["a on tiny", "b on tiny", "b on tiny", "c on tiny"]
    assert len([json.loads(line) for line in log.read_text().splitlines()]) == 4
    said = capsys.readouterr().out
    assert "| a on tiny | 3x3 |  |  |  |  | 1,234 | 5 | 0 |  |" in said
    assert said.endswith("all 2 equal, 1 refused\n")


def test_without_a_simulator_nothing_is_proved(tmp_path):
    """It is told at once, as a mistake, and nothing is kept of that network."""
    log = tmp_path / "log.jsonl"

    def prove(key):
        if key == "b on tiny":
            raise NotBuilt("tiny: the simulator could not be built")
        return {"form": "3x3", "edges": 1234, "cycles": 5}

    with pytest.raises(NotBuilt):
        _prove_all(["a on tiny", "b on tiny", "c on tiny"], prove, log)
    assert [json.loads(line)["key"] for line in log.read_text().splitlines()] == ["a on tiny"]


def test_the_network_of_every_kind():
    facts = prove_network("every-kind on tiny")
    assert facts["gated"] == 4 and np.isclose(float(facts["fired"].rstrip("%")), 54)
