"""What a multiplier unit is given while a network runs: taken from the generated Verilog."""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.netfile import Network

from ..compiler.network import compile_network
from ..config import Config
from ..driver import Driver
from ..simulator.rtl import RtlSimulator, build
from ..simulator.rtl.accelerator import verilog

__all__ = ["logged", "operands_of"]

UNIT = "parallel_mac"
LOG = "operands.txt"
MEMORY_BYTES = 1 << 24

WRITER = f"""
  integer log;
  initial log = $fopen("{LOG}", "w");
  always @(posedge clk)
    if (i_start) begin
      $fdisplay(log, "%0d %h %h", i_signed, i_activations, i_weights);
      $fflush(log);
    end
endmodule"""


def logged(text: str) -> str:
    """The Verilog with a first unit that writes down its operands.

    There must be one group of engines: a module is written once however often it stands there.
    """
    unit = re.search(rf"^module {UNIT} .*?^endmodule$", text, re.MULTILINE | re.DOTALL)[0]
    writing = unit.replace(f"module {UNIT} ", f"module {UNIT}_logged ", 1)
    writing = writing[: -len("endmodule")].rstrip() + WRITER
    return text.replace(f"  {UNIT} mac0 (", f"  {UNIT}_logged mac0 (", 1) + "\n\n" + writing + "\n"


def operands_of(
    network: Network,
    config: Config,
    images: np.ndarray,
    densities: dict[str, np.ndarray] | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> dict[str, np.ndarray]:
    """The operands of the first engine, a row for each start in the order of time.

    Parameters
    ----------
    network
        That runs.
    config
        With parallel units, one cluster and one group.
    images
        Integers as the network takes them; all run one after the other.
    densities
        Part of the outputs of each channel that fires, for the compiler.
    progress
        Called with a few words before each stage.

    Returns
    -------
    dict
        ``i_signed`` (start, 1), ``i_activations`` and ``i_weights`` (start, lane), bytes.
    """
    array = config.array
    if (array.mac, array.clusters, config.groups) != ("parallel", 1, 1):
        raise ValueError("config must have parallel units, one cluster and one group of engines")
    compiled = compile_network(network, config, densities)
    progress("generating")
    text = logged(verilog(config))
    progress("compiling the simulator")
    library = build(text, top=config.name, beat_bytes=config.bus.data_width // 8)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            with RtlSimulator(library, memory_bytes=MEMORY_BYTES) as simulator:
                session = Driver(simulator, config).load(compiled, MEMORY_BYTES)
                for number, image in enumerate(images):
                    progress(f"image {number + 1} of {len(images)}")
                    session.run(image, cycles=1 << 32)
            lines = Path(LOG).read_text().splitlines()
        finally:
            os.chdir(before)
    rows = [line.split() for line in lines]

    def vectors(column: int) -> np.ndarray:
        data = b"".join(bytes.fromhex(row[column])[::-1] for row in rows)
        return np.frombuffer(data, np.uint8).reshape(-1, array.lanes)

    return {
        "i_signed": np.array([[int(row[0])] for row in rows], np.uint8),
        "i_activations": vectors(1),
        "i_weights": vectors(2),
    }
