"""Precision gating takes the time of the bits that it computes."""

from click.testing import CliRunner

from hwgen.bench.precision_gating import main, measured
from hwgen.config import load


def test_cycles_follow_the_bits():
    rows = measured(load("pg43"), 64, 14, 1, pairs=((4, 3), (8, 4)), densities=(0.25,))
    for row in rows:
        assert abs(row["over"]) < 0.1
    assert rows[1]["part"] < rows[0]["part"]


def test_the_command_names_what_it_lacks():
    result = CliRunner().invoke(main, ["--config", "bnn", "--channels", "8", "--size", "4"])
    said = "layer conv0 (conv): 6x4 bits; array.modes has 1x1; configuration bnn"
    assert str(result.exception) == said
