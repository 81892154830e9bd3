"""A module in standard cells, for its switching to be simulated."""

import json

from ..errors import UserError
from ..flows.liberty import Cells
from ..flows.yosys import SynthesisFailed, run_yosys
from .gates import Netlist
from .library import read_power

__all__ = ["netlist_of"]

SCRIPT = """read_verilog design.v
synth -flatten -top {top}
dfflibmap {liberty}
abc {liberty} -D {period}
setundef -zero
opt_clean -purge
write_json netlist.json
"""


def netlist_of(verilog: str, top: str, cells: Cells, *, frequency: float = 200.0) -> Netlist:
    """Synthesize ``top``, flat, for ``frequency`` MHz.

    Raises
    ------
    UserError
        If Yosys rejects a Liberty file, or a cell is used of which none says what it computes.
    """
    files = {f"cells{index}.lib": text for index, text in enumerate(cells.texts)}
    liberty = " ".join(f"-liberty {name}" for name in files)
    script = SCRIPT.format(top=top, liberty=liberty, period=round(1e6 / frequency))
    try:
        made = run_yosys(script, {"design.v": verilog, **files}, ("netlist.json",))
    except SynthesisFailed as error:
        if error.stage not in ("dfflibmap", "dfflegalize", "abc"):
            raise
        names = ", ".join(cells.files)
        raise UserError(f"LIBERTY: Yosys rejects {names}: {error.message}") from None
    document = json.loads(made["netlist.json"])
    used = {
        cell["type"].lstrip("\\")
        for module in document["modules"].values()
        for cell in module["cells"].values()
    }
    power, volts = read_power(cells, used)
    unknown = [n for n in used if n not in power or not any(power[n].outputs.values())]
    if unknown:
        raise UserError(
            f"LIBERTY: must say what {', '.join(sorted(unknown))} computes, which "
            f"{', '.join(cells.files)} does not"
        )
    return Netlist(document, power, volts)
