"""From a configuration to the bitstream of a board."""

import base64
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hwgen.config import Config
from hwgen.errors import UserError
from hwgen.files import write_atomic
from hwgen.flows.boards import Board
from hwgen.flows.modules import digest_of, split
from hwgen.flows.nextpnr import run_nextpnr
from hwgen.flows.paths import Instances
from hwgen.flows.primitives import named, with_primitives
from hwgen.flows.process import identity, run_tool
from hwgen.flows.route import Placement, Routing, packed, prepared
from hwgen.flows.yosys import run_yosys, version
from hwgen.simulator.rtl.build import cache_folder

__all__ = ["Bitstream", "board_verilog", "make_bitstream", "system_verilog"]

CACHE_FORMAT = 3
"""Part of every key: raised when what is kept changes its meaning."""

TOP = """module {top} (
  input  wire clk,
  input  wire rx,
  output wire tx
);
  // Flip-flops begin at zero: the first {hold} cycles are a reset.
{clock}  reg [{bits}:0] since_start = 0;
  wire rst = !since_start[{bits}];
  always @(posedge system_clk)
    if (rst) since_start <= since_start + 1'b1;
  {system} system (
    .clk(system_clk), .rst(rst), .rx(rx), .tx(tx)
  );
endmodule
"""


@dataclass(frozen=True)
class Bitstream:
    """A bitstream, and what is known of it.

    Attributes
    ----------
    board : Board
        What it is for.
    clock_hz, baud : int
        Of the accelerator's clock and of the serial port.
    memory_bytes : int
        Of the memory on chip.
    routing : Routing
        How full the device is, and how fast the clock could be.
    data : bytes
        What is loaded.
    """

    board: Board
    clock_hz: int
    baud: int
    memory_bytes: int
    routing: Routing
    data: bytes

    def as_dict(self) -> dict:
        """For JSON."""
        return {
            "format": "hwgen-bitstream",
            "format_version": 1,
            "board": self.board.name,
            "clock_hz": self.clock_hz,
            "baud": self.baud,
            "memory_bytes": self.memory_bytes,
            "bytes": len(self.data),
            "routing": self.routing.as_dict() | {"out_of_context": False},
        }


def system_verilog(
    config: Config, name: str, *, memory_bytes: int, clock_hz: int, baud: int
) -> str:
    """Verilog of an accelerator with memory, bridge and serial port; ports ``clk rst rx tx``.

    Raises
    ------
    UserError
        If the serial port is too fast for the clock, or the memory is no power of two.
    """
    from hwgen import memory
    from hwgen.rtl.board.system import BoardSystem
    from hwgen.verilog.emit import assemble, write_modules
    from hwgen.verilog.split import split as split_hierarchy

    if not 4 <= round(clock_hz / baud) < 1 << 20:
        raise UserError(f"BAUD: must be at most {clock_hz // 4} at {clock_hz} Hz, not {baud}")
    if memory_bytes < 1024 or memory_bytes & (memory_bytes - 1):
        raise UserError(f"MEMORY: must be a power of two of at least 1024, not {memory_bytes}")
    system = BoardSystem(
        config.override({"memory.style": "auto"}),
        memory_bytes=memory_bytes,
        clock_hz=clock_hz,
        baud=baud,
    )
    hierarchy = split_hierarchy(system, name=name, platform=memory.EmissionTarget())
    banner = f"{config.name} on a board, configuration hash {config.hash}"
    return assemble(hierarchy, write_modules(hierarchy), header=banner)


def board_verilog(top: str, system: str, divide: int) -> str:
    """Verilog of the top: reset at power-on, and the clock divided."""
    stages = divide.bit_length() - 1
    lines = ["  wire system_clk = clk;"] if not stages else [f"  reg [{stages - 1}:0] halves = 0;"]
    if stages:
        lines += [
            "  always @(posedge clk) halves <= halves + 1'b1;",
            f"  wire system_clk = halves[{stages - 1}];",
        ]
    clock = "\n".join(lines) + "\n"
    return TOP.format(top=top, system=system, clock=clock, bits=4, hold=16)


def make_bitstream(
    config: Config,
    board: Board,
    *,
    baud: int = 115_200,
    memory_bytes: int | None = None,
    divide: int | None = None,
    seed: int = 1,
    progress: Callable[[str], None] = lambda stage: None,
) -> Bitstream:
    """Synthesize, place, route and pack ``config`` for a board; kept by hash of all it depends on.

    Raises
    ------
    UserError
        If it does not fit, or is too slow for the clock.
    """
    divide = divide or board.divide
    memory_bytes = memory_bytes or board.memory_bytes
    if memory_bytes > (most := board.most_memory_bytes):
        raise UserError(f"MEMORY: must be at most {most} on {board.name}, not {memory_bytes}")
    clock_hz = board.board_hz // divide
    top, system = f"{config.name}_{board.name}", f"{config.name}_system"
    progress("generating")
    verilog = board_verilog(top, system, divide) + system_verilog(
        config, system, memory_bytes=memory_bytes, clock_hz=clock_hz, baud=baud
    )
    part = board.part
    modules = with_primitives(split(verilog), part.target, multipliers=part.available["dsp"] > 0)
    verilog = "\n\n".join(module.text for module in modules.values())
    file, constraints, told = board.constraints()
    made, asked = board.made
    placement = Placement(part, clock_hz / 1e6, seed)
    arguments = [*part.arguments, *told, *asked, "--freq", f"{clock_hz / 1e6:g}"]
    arguments += ["--seed", str(seed), "--timing-allow-fail"]
    synthesis = f"{part.synthesis} -top {top}"
    lines = ["read_verilog design.v", *prepared(part), synthesis, *named(part.target)]
    script = "\n".join([*lines, "write_json netlist.json"]) + "\n"
    tools = [version(), identity(part.tool, part.package), board.pack]
    recipe = digest_of([CACHE_FORMAT, tools, script, arguments, constraints, verilog])
    kept = cache_folder() / "bitstreams" / f"{recipe}.json"
    try:
        found = json.loads(kept.read_text())
    except (OSError, ValueError):
        netlist = run_yosys(
            script,
            {"design.v": verilog},
            ("netlist.json",),
            lambda stage: progress(f"Yosys: {stage}"),
        )["netlist.json"]
        inputs = {"netlist.json": packed(netlist, part, top), file: constraints}
        report, files = run_nextpnr(top, part, arguments, inputs, (made,), progress)
        progress("packing the bitstream")
        data = _pack(board, made, files[made])
        found = {"report": report, "data": base64.b64encode(data).decode()}
        write_atomic(kept, json.dumps(found))
    routing = Routing.read(found["report"], placement, Instances(top, modules))
    if routing.fmax is not None and routing.fmax * 1e6 < clock_hz:
        raise UserError(
            f"{config.name} reaches {routing.fmax:.1f} MHz on {board.name}, whose clock is "
            f"{clock_hz / 1e6:g} MHz: give DIVIDE={2 * divide}"
        )
    data = base64.b64decode(found["data"])
    return Bitstream(board, clock_hz, baud, memory_bytes, routing, data)


def _pack(board: Board, made: str, content: bytes) -> bytes:
    tool, *arguments = board.pack
    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, made).write_bytes(content)
        filled = [argument.format(made=made, bits="bits") for argument in arguments]
        if run_tool(tool, filled, folder, said.append):
            raise RuntimeError(f"{tool} failed: {(said or ['no word'])[-1]}")
        return Path(folder, "bits").read_bytes()
