"""Where the multipliers and block RAMs of a large design go, before nextpnr places the rest."""

import math
import re
from collections.abc import Iterator
from itertools import chain, count
from os.path import commonprefix

__all__ = ["DEVICE", "fix_blocks"]

DEVICE = "--85k"
"""What nextpnr calls the LFE5U-85F, whose sites these are."""

CROWDED = 78
"""Multipliers from which on it matters: half of them."""

GROUP = re.compile(r"\bcluster\d+\.group\d+\.")
THIRDS = ((4, 13, 22, 31), (40, 49, 58, 69, 78), (87, 96, 105, 114))
"""The columns of tiles where four multipliers, or four block RAMs, begin."""

FIRST_COLUMN, BLOCK_COLUMNS = THIRDS[0][0], 9
"""Columns of tiles from the beginning of one such four to that of the next, once two more: as a
divisor it tells them all apart."""

TIED = ("CE0", "CE1", "RST0", "SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB")
"""Pins of a multiplier that must be driven, also by constants; others have a bit for that."""

Site = tuple[int, int, str]
"""Column and row of tiles, and the name of the place within."""

SITES = {
    "MULT18X18D": (
        (10, 34, 58),
        ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5")),
    ),
    "DP16KD": ((22, 46, 70, 82), ((0, "EBR0"), (2, "EBR1"), (4, "EBR2"), (6, "EBR3"))),
}
"""Likewise: the rows of tiles, and the columns from there on."""


def fix_blocks(netlist: dict) -> int:
    """Give the blocks of a flat netlist for that device their places, in place; how many got one.

    nextpnr spreads multipliers that take most of a device by where there is room for each, and the
    adders between them follow: an engine then is as wide as the device. Here they go along a line
    that winds through the thirds of the device: half of the groups from its beginning, half from
    its end, so that control, drains and activation buffer have the middle. Block RAMs go near the
    multipliers of their unit, those of units without any near the middle. Neighbours among the
    multipliers get the constants at their control pins from LUTs of their own.

    Nothing is done to a design whose groups have few multipliers, or with more blocks than places.
    """
    (module,) = (m for m in netlist["modules"].values() if int(m["attributes"].get("top", "0"), 2))
    cells = module["cells"]
    multipliers, memories = (
        sorted((name for name, cell in cells.items() if cell["type"] == kind), key=_natural)
        for kind in SITES
    )
    grouped = [name for name in multipliers if GROUP.search(name)]
    line, free = list(_winding("MULT18X18D")), list(_winding("DP16KD"))
    if len(grouped) < CROWDED or len(multipliers) > len(line) or len(memories) > len(free):
        return 0

    units = _units([*multipliers, *memories])
    others = [name for name in multipliers if name not in grouped]
    places = dict(_along(line, list(_together(grouped, units).values()), others))
    middle = _centre(places.values())
    beside = {unit: [places[n] for n in its] for unit, its in _together(multipliers, units).items()}
    stored = _together(memories, units)
    for unit in sorted(stored, key=lambda unit: unit not in beside):  # near their own come first
        x, y = _centre(beside[unit]) if unit in beside else middle
        free.sort(key=lambda site: math.dist((x, y), site[:2]))
        places |= zip(stored[unit], free, strict=False)
        del free[: len(stored[unit])]
    for name, (x, y, site) in places.items():
        cells[name]["attributes"]["BEL"] = f"X{x}/Y{y}/{site}"
    _tie_nearby(module, {name: places[name] for name in multipliers})
    return len(places)


def _tie_nearby(module: dict, places: dict[str, Site]) -> None:
    """Constants of the multipliers of a block come from LUTs that are placed as others are.

    nextpnr has one LUT for each constant of the device. In cgnet85f they have 850 such pins, and
    the ways from zero to what resets a multiplier were those that the router hardly found.
    """
    cells = module["cells"]
    used = chain.from_iterable(chain(*cell["connections"].values()) for cell in cells.values())
    free = count(1 + max((bit for bit in used if isinstance(bit, int)), default=1))
    made: dict[tuple, int] = {}
    for name, (x, y, _site) in places.items():
        pins = cells[name]["connections"]
        for pin in TIED:
            value = pins.get(pin)
            if value not in (["0"], ["1"]):
                continue
            block = (value[0], (x - FIRST_COLUMN) // BLOCK_COLUMNS, y)
            if block not in made:
                made[block] = next(free)
                cells["tie{}_{}_{}".format(*block)] = {
                    "type": "LUT4",
                    "parameters": {"INIT": value[0] * 16},
                    "attributes": {},
                    "port_directions": {"Z": "output"},
                    "connections": {"Z": [made[block]]},
                }
            pins[pin] = [made[block]]


def _winding(kind: str) -> Iterator[Site]:
    """All sites of that kind: down one third of the device, up the next, and so on."""
    rows, offsets = SITES[kind]
    for n, third in enumerate(THIRDS):
        for row in reversed(rows) if n % 2 else rows:
            for column in third:
                for offset, site in offsets:
                    yield column + offset, row, site


def _along(
    line: list[Site], groups: list[list[str]], others: list[str]
) -> Iterator[tuple[str, Site]]:
    """Names with their sites: groups from both ends of the line, others in the middle between."""
    half = (len(groups) + 1) // 2
    first, second = (list(chain.from_iterable(part)) for part in (groups[:half], groups[half:]))
    yield from zip(first, line, strict=False)
    yield from zip(second, line[len(line) - len(second) :], strict=True)
    between = line[len(first) : len(line) - len(second)]
    yield from zip(others, between[(len(between) - len(others)) // 2 :], strict=False)


def _units(names: list[str]) -> dict[str, str]:
    """The block of the design that each cell belongs to: a group or drain of a cluster, or a unit
    that all clusters share. Names may all begin with the way to an accelerator within a board.
    """
    around = commonprefix(names).rpartition(".")[0]
    units = {}
    for name in names:
        inner = name.removeprefix(f"{around}.").split(".")
        units[name] = ".".join(inner[: 2 if inner[0].startswith("cluster") else 1])
    return units


def _together(names: list[str], units: dict[str, str]) -> dict[str, list[str]]:
    """The names of each unit, in order."""
    found = {}
    for name in names:
        found.setdefault(units[name], []).append(name)
    return found


def _centre(sites) -> tuple[float, float]:
    """Column and row in the middle of some sites."""
    columns, rows, _names = zip(*sites, strict=True)
    return sum(columns) / len(columns), sum(rows) / len(rows)


def _natural(name: str) -> list:
    """Numbers in names count as numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
