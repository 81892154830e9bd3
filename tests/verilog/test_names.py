"""Names of modules, ports and signals."""

import pytest

from hwgen.verilog.names import Namespace, plain, snake_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("axi.ar.valid", "axi_ar_valid"),
        ("lane[3]$12", "lane_3_12"),
        ("i__payload", "i_payload"),
        ("output", "output_"),
        ("logic", "logic_"),
        ("2nd", "n2nd"),
        ("$", "unnamed"),
        ("_private", "_private"),
    ],
)
def test_plain(name, expected):
    assert plain(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("StreamQueue", "stream_queue"),
        ("AXIReadPort", "axi_read_port"),
        ("RAM", "ram"),
        ("Reg", "reg_"),
    ],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


def test_namespace_keeps_the_first_and_counts_the_others():
    names = Namespace(["clk"])
    assert [names.add(name) for name in ("sum", "clk", "sum", "sum_2", "sum")] == [
        "sum",
        "clk_2",
        "sum_2",
        "sum_2_2",
        "sum_3",
    ]
