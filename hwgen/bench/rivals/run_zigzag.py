"""ZigZag on layers: a script for the Python that has it, which need not have hwgen.

Takes a request in JSON as its argument; writes cycles and seconds of each layer on standard
output. :mod:`hwgen.bench.side_by_side` starts it.
"""

import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import time

LINKS = {"O": "O", "W": "I2", "I": "I1"}
DRAM_BITS = 1 << 33


def port(name: str, kind: str, bits: int, *uses: str) -> dict:
    """A port that moves up to ``bits`` a cycle; uses as "I1 tl", to the level below."""
    return {
        "name": name,
        "type": kind,
        "bandwidth_min": 8,
        "bandwidth_max": bits,
        "allocation": [", ".join(use.split()) for use in uses],
    }


def memory(bits: int, operands: list[str], serves: list[str], *ports: dict) -> dict:
    """A level of memory; costs do not matter to the cycles."""
    return {
        "size": bits,
        "r_cost": 1.0,
        "w_cost": 1.0,
        "area": 0,
        "latency": 1,
        "operands": operands,
        "ports": list(ports),
        "served_dimensions": serves,
    }


def accelerator(array: dict) -> dict:
    """Clusters x engines x lanes, with the memories and widths that hwgen gives them."""
    every = ["D1", "D2", "D3"]
    vector, port_bits = 8 * array["lanes"], 8 * array["bytes_a_cycle"]
    banks = vector * array["clusters"]
    return {
        "name": "array",
        "memories": {
            "engine_weights": memory(
                array["engine_weight_bits"],
                ["I2"],
                ["D1", "D3"],
                port("r_port_1", "read", vector, "I2 tl"),
                port("w_port_1", "write", vector, "I2 fh"),
            ),
            "accumulators": memory(
                array["accumulator_bits"],
                ["O"],
                ["D3"],
                port("r_port_1", "read", 32, "O tl"),
                port("w_port_1", "write", 32, "O fl"),
                port("r_port_2", "read", 32, "O th"),
                port("w_port_2", "write", 32, "O fh"),
            ),
            "weight_buffer": memory(
                array["weight_buffer_bits"],
                ["I2"],
                every,
                port("r_port_1", "read", array["weight_word_bits"], "I2 tl"),
                port("w_port_1", "write", port_bits, "I2 fh"),
            ),
            "activation_buffer": memory(
                array["activation_buffer_bits"],
                ["I1", "O"],
                every,
                port("r_port_1", "read", banks, "I1 tl", "O tl", "O th"),
                port("w_port_1", "write", banks, "I1 fh", "O fh", "O fl"),
            ),
            "dram": memory(
                DRAM_BITS,
                ["I1", "I2", "O"],
                every,
                port(
                    "rw_port_1",
                    "read_write",
                    port_bits,
                    *(f"{operand} {way}" for operand in ("I1", "I2") for way in ("fh", "tl")),
                    *(f"O {way}" for way in ("fh", "tl", "fl", "th")),
                ),
            ),
        },
        "operational_array": {
            "unit_energy": 1.0,
            "unit_area": 1,
            "dimensions": every,
            "sizes": [array["clusters"], array["engines"], array["lanes"]],
        },
    }


def mapping(array: dict) -> list[dict]:
    """Positions on clusters, output channels on engines, input channels on lanes."""
    unrolled = {
        "D1": [f"OX, {array['clusters']}"],
        "D2": [f"K, {array['engines']}"],
        "D3": [f"C, {array['lanes']}"],
    }
    return [{"name": "default", "spatial_mapping": unrolled, "memory_operand_links": LINKS}]


def workload(layer: dict) -> list[dict]:
    """A convolution as loops."""
    stride, kernel, side = layer["stride"], layer["kernel"], layer["kernel"] // 2
    size = (layer["size"] + 2 * side - kernel) // stride + 1
    inputs, outputs = layer["channels"]
    return [
        {
            "id": 0,
            "name": "layer",
            "operator_type": "Conv",
            "equation": "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]",
            "dimension_relations": [f"ix={stride}*ox+1*fx", f"iy={stride}*oy+1*fy"],
            "loop_dims": ["B", "K", "C", "OY", "OX", "FY", "FX"],
            "loop_sizes": [1, outputs, inputs, size, size, kernel, kernel],
            "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8},
            "operand_source": {"W": 0, "I": 0},
            "pr_loop_dims": ["IX", "IY"],
            "pr_loop_sizes": [layer["size"], layer["size"]],
            "padding": [[side, side], [side, side]],
        }
    ]


def main():
    import yaml
    from zigzag.api import get_hardware_performance_zigzag

    request = json.loads(sys.argv[1])
    logging.disable(logging.CRITICAL)
    found, quiet = [], io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, content in (
            ("array.yaml", accelerator(request["array"])),
            ("mapping.yaml", mapping(request["array"])),
        ):
            with open(name, "w") as file:
                yaml.safe_dump(content, file, sort_keys=False)
        for layer in request["layers"]:
            started = time.process_time()
            with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                _energy, latency, cmes = get_hardware_performance_zigzag(
                    workload(layer),
                    "array.yaml",
                    "mapping.yaml",
                    opt="latency",
                    dump_folder="out",
                    loma_show_progress_bar=False,
                )
            (best, _) = cmes[0][1][0]
            found.append(
                {
                    "cycles": int(latency),
                    "compute_cycles": int(best.ideal_temporal_cycle),
                    "stall_cycles": int(best.latency_total0 - best.ideal_temporal_cycle),
                    "load_cycles": int(best.latency_total2 - best.latency_total0),
                    "seconds": time.process_time() - started,
                }
            )
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
