"""The figures of the shipped configurations are still those that are written down."""

import json
from pathlib import Path

import pytest

from hwgen.errors import UserError
from hwgen.flows import Libraries
from hwgen.flows.ppa import ENTRIES, losses, measure, merge
from tests.flows.test_timing import CELLS

FILE = Path(__file__).parents[2] / "docs" / "results" / "ppa.json"
QUICK = [name for name, entry in ENTRIES.items() if entry.quick]


@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_lost(name):
    """Worse by more than 2 %: `hwgen ppa --only NAME --declare "why"` writes it down."""
    figures = json.loads(FILE.read_text())["figures"]
    assert name in figures
    assert losses({name: figures[name]}, measure(name)) == []


def test_losses():
    before = {"a": {"lut": 100, "fmax": 100.0, "ff": 0}, "b": {"lut": 5}}
    assert losses(before, {"a": {"lut": 102, "fmax": 98.0, "ff": 0}}) == []
    assert losses(before, {"a": {"lut": 90, "fmax": 120.0, "ff": 0}}) == []
    found = losses(before, {"a": {"lut": 103, "fmax": 97.0, "ff": 1}, "c": {"lut": 9}})
    assert [loss["figure"] for loss in found] == ["ff", "fmax", "lut"]


def test_losses_are_declared():
    kept = {"figures": {"a": {"lut": 100}, "b": {"lut": 1}}}
    with pytest.raises(UserError, match="DECLARE: .* a lut: 100 -> 110"):
        merge(kept, {"a": {"lut": 110}}, None)
    document = merge(kept, {"a": {"lut": 110}}, "a second port")
    assert document["figures"] == {"a": {"lut": 110}, "b": {"lut": 1}}
    assert document["declared_losses"] == [
        {"entry": "a", "figure": "lut", "before": 100, "after": 110, "why": "a second port"}
    ]
    again = merge(document, {"a": {"lut": 90}}, None)
    assert again["declared_losses"] == document["declared_losses"]


def test_areas_in_the_cells_of_a_user(tmp_path):
    """They are named by the file, one for each configuration."""
    (tmp_path / "cells.lib").write_text(CELLS)
    libraries = Libraries.read((tmp_path / "cells.lib",), None)
    with pytest.raises(UserError, match=r"ONLY: .*area/cells/tiny, .*area/cells/bnn, not 'x'"):
        measure("x", libraries=libraries)
    with pytest.raises(
        UserError, match=r"ONLY: .*placed/lfe5u-85f/cgnet85f/all, not 'area/cells/\*'"
    ):
        measure("area/cells/*")


def test_unknown_entry():
    with pytest.raises(UserError, match="ONLY: must match one of cycles/"):
        measure("speed/*")
