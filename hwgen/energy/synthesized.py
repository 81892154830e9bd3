"""A module in standard cells, for its switching to be simulated."""

import json

from ..flows.liberty import Cells
from ..flows.yosys import run_yosys
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
    """Synthesize ``top``, flat, for ``frequency`` MHz."""
    files = {f"cells{index}.lib": text for index, text in enumerate(cells.texts)}
    liberty = " ".join(f"-liberty {name}" for name in files)
    script = SCRIPT.format(top=top, liberty=liberty, period=round(1e6 / frequency))
    made = run_yosys(script, {"design.v": verilog, **files}, ("netlist.json",))
    document = json.loads(made["netlist.json"])
    used = {
        cell["type"].lstrip("\\")
        for module in document["modules"].values()
        for cell in module["cells"].values()
    }
    power, volts = read_power(cells, used)
    return Netlist(document, power, volts)
