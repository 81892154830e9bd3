"""SCALE-Sim on layers: a script for the Python that has it, which need not have hwgen.

Takes a request in JSON as its argument; writes cycles and seconds of each layer on standard
output. :mod:`hwgen.bench.side_by_side` starts it.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
import time

CONFIG = """[general]
run_name = run
[run_presets]
InterfaceBandwidth = USER
UseRamulatorTrace = False
[architecture_presets]
ArrayHeight = {rows}
ArrayWidth = {columns}
IfmapSramSzkB = {input_kb}
FilterSramSzkB = {weight_kb}
OfmapSramSzkB = {output_kb}
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
Bandwidth = {bytes_a_cycle}
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = {bytes_a_cycle}
IfmapSRAMBankNum = 1
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = {bytes_a_cycle}
FilterSRAMBankNum = 1
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
"""

TITLES = "Layer,Rows,Columns,Kernel rows,Kernel columns,Channels,Filters,Stride,\n"
LAYOUT_FIELDS = 28


def main():
    from scalesim.scale_sim import scalesim

    request = json.loads(sys.argv[1])
    found, quiet = [], io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("array.cfg", "w") as file:
            file.write(CONFIG.format(**request["array"]))
        for layer in request["layers"]:
            size = layer["size"] + 2 * (layer["kernel"] // 2)
            kernel, channels = layer["kernel"], layer["channels"]
            with open("layer.csv", "w") as file:
                file.write(TITLES)
                row = ["layer", size, size, kernel, kernel, *channels, layer["stride"]]
                file.write(",".join(map(str, row)) + ",\n")
            # Read always, used only with a layout of one's own.
            with open("layout.csv", "w") as file:
                fields = [",".join(["layer", *["1"] * LAYOUT_FIELDS]) + ",\n"] * 2
                file.writelines(fields)
            started = time.process_time()
            with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                run = scalesim(
                    save_disk_space=True,
                    verbose=False,
                    config="array.cfg",
                    topology="layer.csv",
                    layout="layout.csv",
                )
                run.run_scale(top_path=folder)
            (simulated,) = run.runner.single_layer_sim_object_list
            whole, compute, stalls = simulated.get_compute_report_items()[:3]
            found.append(
                {
                    "cycles": int(whole),
                    "compute_cycles": int(compute),
                    "stall_cycles": int(stalls),
                    "seconds": time.process_time() - started,
                }
            )
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
