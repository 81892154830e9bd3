"""Registers behind the block RAM of an ECP5 move into it, which synthesis does not do."""

from collections import Counter

__all__ = ["with_output_registers"]

PSEUDO_DUAL = 36
"""Bits of a row with which a block writes through one port and reads through the other."""


def with_output_registers(netlist: dict) -> int:
    """Use the output registers of block RAMs in a netlist of Yosys, in place; how many were.

    A DP16KD answers 5.8 ns after the clock, one with its output register 0.9 ns. A block gets it if
    whatever uses its outputs is a flip-flop, one for each, all with the same clock and enable and
    none with a reset: these are removed. What they are then is undefined until the first read, as
    it is of :class:`hwgen.memory.RAM`.

    Parameters
    ----------
    netlist
        As ``write_json`` writes it, of blocks that are written through port A and read through
        port B, which is how Yosys makes them.
    """
    return sum(_module(module) for module in netlist["modules"].values())


def _module(module: dict) -> int:
    """The blocks of a module whose registers are beside them."""
    cells = module["cells"]
    blocks = {name: cell for name, cell in cells.items() if cell["type"] == "DP16KD"}
    if not blocks:
        return 0
    users = Counter(bit for port in module["ports"].values() for bit in port["bits"])
    registers = {}  # by the bit that they take
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                users.update(bits)
        if cell["type"] == "TRELLIS_FF":
            registers[cell["connections"]["DI"][0]] = name
    changed = 0
    for block in blocks.values():
        outputs = _outputs(block, users)
        behind = {bit: registers.get(bit) for bit in outputs if users[bit] == 1}
        if len(behind) < len(outputs) or not outputs or None in behind.values():
            continue
        enables = {_enable(cells[name], block) for name in behind.values()}
        if len(enables) == 1 and None not in enables:
            _move(block, cells, behind, enables.pop())
            changed += 1
    return changed


def _outputs(block: dict, users: Counter) -> list[int]:
    """The outputs that somebody uses."""
    return [
        bits[0]
        for port, bits in block["connections"].items()
        if block["port_directions"][port] == "output" and bits and users[bits[0]]
    ]


def _enable(register: dict, block: dict) -> int | str | None:
    """The net of a register's enable, or ``"1"``; None if a block cannot have this register."""
    pins, how = register["connections"], register["parameters"]
    plain = {"CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
    if any(how.get(name, wanted) != wanted for name, wanted in plain.items()):
        return None
    if pins["CLK"] != block["connections"]["CLKB"] or pins.get("LSR", ["0"]) != ["0"]:
        return None
    if "M" in pins or block["parameters"]["REGMODE_B"] != "NOREG":
        return None
    match how.get("CEMUX", "1").strip():
        case "1":
            return "1"
        case "CE":
            return pins["CE"][0]
    return None


def _move(block: dict, cells: dict, behind: dict[int, str], enable: int | str) -> None:
    for port, bits in block["connections"].items():
        if block["port_directions"][port] == "output" and bits and bits[0] in behind:
            block["connections"][port] = cells.pop(behind[bits[0]])["connections"]["Q"]
    block["connections"]["OCEB"] = [enable]
    block["parameters"]["REGMODE_B"] = "OUTREG"
    if int(block["parameters"]["DATA_WIDTH_A"], 2) == PSEUDO_DUAL:
        block["parameters"]["REGMODE_A"] = "OUTREG"  # half of the row leaves there
