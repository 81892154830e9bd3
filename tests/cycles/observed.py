"""The RTL, telling when it grants, begins and ends each instruction.

The emitted Verilog gets a few lines of `$display` where tokens and units meet; nothing else of it
changes.
"""

import contextlib
import ctypes
import os
import re
import tempfile
from collections import defaultdict

from hwgen.config import Config
from hwgen.isa.registers import UNITS
from hwgen.rtl.control.decoder import queued_units
from hwgen.simulator.rtl import build
from hwgen.simulator.rtl.accelerator import verilog

__all__ = ["captured", "events", "library"]

MARK = "observed:"


def _observer(config: Config) -> str:
    lines = [
        "  integer observed_cycle = 0;",
        "  always @(posedge clk) observed_cycle <= start ? 0 : observed_cycle + 1;",
    ]
    if not config.control.queue_depth:
        # The decoder gets the tokens; who waited for them in the cycle before has them.
        bits = len(queued_units(config)) - 1
        lines.append(f"  reg [{bits}:0] observed_waiting;")
        lines.append("  always @(posedge clk) observed_waiting <= decoder_waiting;")
    for n, unit in enumerate(queued_units(config)):
        granted = f"tokens_granted[{UNITS.index(unit)}]"
        if not config.control.queue_depth:
            granted = f"tokens_granted[{UNITS.index('fetch')}] & observed_waiting[{n}]"
        happens = {
            "ready": granted,
            "start": f"{unit}_valid & {unit}_ready",
            "end": f"{unit}_done",
        }
        for what, condition in happens.items():
            lines.append(
                f"  always @(posedge clk) if ({condition}) "
                f'$display("{MARK} {unit} {what} %0d", observed_cycle);'
            )
    return "\n".join(lines) + "\n"


def library(config: Config):
    """The simulator of ``config`` that tells what it does on the standard output."""
    text = verilog(config)
    module = re.compile(r"(?ms)^module program_runner \(.*?^endmodule")
    observed, count = module.subn(
        lambda found: found[0].replace("endmodule", _observer(config) + "endmodule"), text
    )
    assert count == 1, "the Verilog has no module program_runner"
    return build(observed, top=config.name, beat_bytes=config.bus.data_width // 8)


@contextlib.contextmanager
def captured(lines: list[str]):
    """What the process writes to its standard output meanwhile."""
    libc = ctypes.CDLL(None)
    kept = os.dup(1)
    with tempfile.TemporaryFile() as file:
        libc.fflush(None)
        os.dup2(file.fileno(), 1)
        try:
            yield
        finally:
            libc.fflush(None)
            os.dup2(kept, 1)
            os.close(kept)
            file.seek(0)
            lines += file.read().decode().splitlines()


def events(lines: list[str]) -> dict[str, list[list[int]]]:
    """For each unit its instructions in order, each as [ready, start, end]."""
    found = defaultdict(lambda: {"ready": [], "start": [], "end": []})
    for line in lines:
        if line.startswith(MARK):
            unit, what, cycle = line.split()[1:]
            found[unit][what].append(int(cycle))
    return {
        unit: [list(times) for times in zip(*kinds.values(), strict=True)]
        for unit, kinds in found.items()
    }
