"""The places of multipliers and block RAMs in a large design."""

import json
import re

from hwgen.flows.floorplan import fix_blocks
from hwgen.flows.nextpnr import run_nextpnr
from hwgen.flows.parts import part_named

LANES = 8


def netlist(groups, memories, others=()):
    """Groups with engines of ``LANES`` multipliers, each with so many block RAMs, and others."""
    names = {}
    for group, engines in groups.items():
        for n in range(engines * LANES):
            engine, lane = divmod(n, LANES)
            names[f"{group}.mac{engine}.product{lane}.multiplier"] = "MULT18X18D"
        names |= {f"{group}.bank{n}.memory": "DP16KD" for n in range(memories)}
    names |= dict(others) | {"cluster0.group0.queue.level": "TRELLIS_FF"}
    cells = {
        name: {
            "type": kind,
            "parameters": {},
            "attributes": {},
            "port_directions": {},
            "connections": {},
        }
        for name, kind in names.items()
    }
    top = {"attributes": {"top": "1"}, "ports": {}, "cells": cells, "netnames": {}}
    return {"creator": "a test", "modules": {"top": top, "library": {"attributes": {}}}}


def places(document):
    """Cells that have a place: its column, its row, its name."""
    found = {}
    for name, cell in document["modules"]["top"]["cells"].items():
        if bel := cell["attributes"].get("BEL"):
            x, y, site = re.fullmatch(r"X(\d+)/Y(\d+)/(\w+)", bel).groups()
            found[name] = int(x), int(y), site
    return found


def spread(sites):
    """Columns and rows between the outermost of some places."""
    columns, rows, _ = zip(*sites, strict=True)
    return max(columns) - min(columns), max(rows) - min(rows)


FOUR = {f"cluster{c}.group{g}": 4 for c in range(2) for g in range(2)}


def test_neighbours():
    drains = {
        f"cluster{c}.drain.lane0.multiplier{n}": "MULT18X18D" for c in range(2) for n in range(5)
    }
    shared = {f"feeder.buffer.ram{n}": "DP16KD" for n in range(30)}
    document = netlist(FOUR, 17, drains | shared)
    assert fix_blocks(document) == 4 * 32 + 10 + 4 * 17 + 30
    found = places(document)
    assert len(found) == len(set(found.values())) == 236
    for group in FOUR:
        for engine in range(4):
            mac = [found[f"{group}.mac{engine}.product{lane}.multiplier"] for lane in range(LANES)]
            width, height = spread(mac)
            assert width <= 24 or height  # two neighbouring blocks, or where the line turns
            assert width <= 36 and height <= 24
        own = [site for name, site in found.items() if name.startswith(f"{group}.")]
        assert spread(own)[0] < 80
    middle = [site for name, site in found.items() if "drain" in name]
    assert all(30 < x < 90 for x, _, _ in middle)


def test_constants():
    """Control pins of a multiplier that are tied hang on a LUT of their block, and only these."""
    document = netlist(FOUR, 1)
    cells = document["modules"]["top"]["cells"]
    tied = {"CE0": ["0"], "CE1": ["1"], "RST0": ["0"], "SIGNEDA": [7], "A0": ["0"], "CLK0": [5]}
    for cell in cells.values():
        if cell["type"] == "MULT18X18D":
            cell["connections"] = {pin: list(bits) for pin, bits in tied.items()}
    fix_blocks(document)
    sources = {}  # a LUT's constant, for each wire
    for cell in cells.values():
        if cell["type"] == "LUT4":
            assert cell["port_directions"] == {"Z": "output"}
            (wire,) = cell["connections"]["Z"]
            assert wire > 7 and wire not in sources
            sources[wire] = cell["parameters"]["INIT"]
    assert len(sources) == 2 * 128 / 4
    used = {wire: set() for wire in sources}
    for name, (x, y, _) in places(document).items():
        pins = cells[name]["connections"]
        if not pins:
            continue
        for pin in ("CE0", "CE1", "RST0"):
            (wire,) = pins.pop(pin)
            assert sources[wire] == tied[pin][0] * 16
            used[wire].add((x, y))
        assert pins == {pin: tied[pin] for pin in pins} and len(pins) == 3
    assert all(spread([(*site, "") for site in block]) <= (5, 0) for block in used.values())


def test_within_a_board():
    """The same, where all names begin with the way to the accelerator."""
    alone, board = netlist(FOUR, 17, {"vector.records": "DP16KD"}), netlist({}, 0)
    inner = alone["modules"]["top"]["cells"]
    board["modules"]["top"]["cells"] = {
        f"system.accelerator.{name}": dict(cell, attributes={}) for name, cell in inner.items()
    }
    assert fix_blocks(alone) == fix_blocks(board) == 4 * 32 + 4 * 17 + 1
    assert {f"system.accelerator.{n}": p for n, p in places(alone).items()} == places(board)


def test_all_sites_exist():
    """A device full of blocks, placed by nextpnr, which refuses what it does not know."""
    others = {f"feeder.ram{n}": "DP16KD" for n in range(208)}
    others |= {f"vector.multiplier{n}": "MULT18X18D" for n in range(156 - 4 * 32)}
    document = netlist(FOUR, 0, others)
    del document["modules"]["library"]
    del document["modules"]["top"]["cells"]["cluster0.group0.queue.level"]
    assert fix_blocks(document) == 156 + 208
    assert len(set(places(document).values())) == 156 + 208
    part = part_named("lfe5u-85f", "ecp5")
    arguments = [*part.arguments, "--out-of-context", "--no-route"]
    report, _ = run_nextpnr(
        "top", part, arguments, {"netlist.json": json.dumps(document)}, (), print
    )
    assert report["utilization"]["MULT18X18D"]["used"] == 156
    assert report["utilization"]["DP16KD"]["used"] == 208


def test_left_alone():
    """Groups without multipliers, and more blocks than there are places."""
    for document in (
        netlist({}, 0, {"cluster0.group0.bank0.memory": "DP16KD"}),
        netlist({"cluster0.group0": 9}, 1),
        netlist({f"cluster0.group{n}": 4 for n in range(5)}, 0),
        netlist(FOUR, 53),
    ):
        assert fix_blocks(document) == 0
        assert places(document) == {}
