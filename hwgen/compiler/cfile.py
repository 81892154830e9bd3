"""A compiled network as C for the driver of bare metal."""

import json
from collections.abc import Iterable

import numpy as np

from ..isa.registers import MAC_LOW, unit_registers
from ..verilog.names import plain
from .image import Packing
from .network import Compiled, View
from .program import encode
from .tensors import Tensor

__all__ = ["program_header"]


def program_header(compiled: Compiled) -> str:
    """A C header that holds a compiled network as the ``struct hwgen_program NAME_network``."""
    name = plain(f"{compiled.network.name.lower()}_network")
    code = encode(compiled.program, compiled.config)
    outputs = [layer.name for layer in compiled.network.outputs]
    places = [_places(compiled.views[output]) for output in outputs]
    digest = int(compiled.config.hash[:16], 16)
    scaling = _scaling(compiled)
    channels, rows, columns = compiled.network.input.output.shape
    parts = [
        f"// {json.dumps(compiled.network.name)}, compiled for {compiled.config.name}; see "
        f"docs/driver.md.\n#ifndef HWGEN_{name.upper()}\n#define HWGEN_{name.upper()}\n"
        f'#include "hwgen_driver.h"\n',
        _array("uint8_t", f"{name}_instructions", code),
        _array("uint8_t", f"{name}_constants", compiled.program.constants or b"\0"),
        *(
            _array("uint16_t", f"{name}_places{number}", view)
            for number, view in enumerate(places)
            if view is not None
        ),
        f"static const struct hwgen_scaling {name}_scaling[] = {{\n{scaling}}};\n"
        if scaling
        else "",
        f"// The results: {', '.join(outputs)}.\n"
        f"static const struct hwgen_tensor {name}_output[] = {{\n"
        + "".join(
            f"    {_tensor(compiled.views[output], None if p is None else f'{name}_places{n}')},\n"
            for n, (output, p) in enumerate(zip(outputs, places, strict=True))
        )
        + "};\n",
        f"static const struct hwgen_packing {name}_packing[] = {{\n"
        + "".join(_packing(packing) for packing in compiled.input.packings)
        + "};\n",
        f"static const struct hwgen_program {name} = {{\n"
        f"    .name = {json.dumps(compiled.network.name)},\n"
        f"    .units = {_units(compiled)},\n"
        f"    .hash_low = 0x{digest & 0xFFFFFFFF:08x}u,\n"
        f"    .hash_high = 0x{digest >> 32:08x}u,\n"
        f"    .instructions = {name}_instructions,\n"
        f"    .length = {len(compiled.program.steps)},\n"
        f"    .constants = {name}_constants,\n"
        f"    .constant_bytes = {len(compiled.program.constants)},\n"
        f"    .work_bytes = {compiled.work_bytes}u,\n"
        f"    .images = {compiled.batch},\n"
        f"    .channels = {channels}, .rows = {rows}, .columns = {columns},\n"
        f"    .input_bytes = {compiled.input.bytes}u,\n"
        f"    .packings = {len(compiled.input.packings)},\n"
        f"    .packing = {name}_packing,\n"
        f"    .scaling = {f'{name}_scaling' if scaling else 'NULL'},\n"
        f"    .outputs = {len(outputs)},\n"
        f"    .output = {name}_output,\n}};\n",
        "#endif\n",
    ]
    return "\n".join(part for part in parts if part)


def _units(compiled: Compiled) -> str:
    parts, count, *words = (register.reset for register in unit_registers(compiled.config))
    modes = ", ".join(f"0x{word:08x}u" for word in words)
    return f"{{ {parts >> MAC_LOW & 7}, {count}, {{ {modes} }} }}"


def _packing(packing: Packing) -> str:
    tensor = packing.tensor
    return (
        f"    {{ .tensor = {_tensor(View(tensor, np.arange(tensor.channels)), None)},\n"
        f"      .fold_rows = {packing.fold[0]}, .fold_columns = {packing.fold[1]}, "
        f".step = {packing.step}, .top = {packing.pad[0]}, .left = {packing.pad[1]} }},\n"
    )


def _places(view: View) -> list[int] | None:
    return None if view.plain else view.channels.tolist()


def _tensor(view: View, places: str | None) -> str:
    tensor = view.tensor
    return (
        f"{{ .base = {tensor.base}, .offset = {tensor.offset}u, .bytes = {tensor.bytes}u,\n"
        f"      .channels = {len(view.channels)}, .rows = {tensor.rows}, "
        f".columns = {tensor.columns}, .lanes = {tensor.lanes},\n"
        f"      .images = {tensor.images}, .gap = {tensor.gap},\n"
        f"      .is_signed = {str(tensor.signed).lower()}, "
        f".is_bipolar = {str(tensor.bipolar).lower()},\n"
        f"      .slices = {len(tensor.slices)}, .slice = {_slices(tensor)},\n"
        f"      .places = {places or 'NULL'} }}"
    )


def _slices(tensor: Tensor) -> str:
    if not tensor.slices:
        return "NULL"
    slices = (f"{{{s.shift}, {s.bits}, {s.room}, {s.copies}}}" for s in tensor.slices)
    return f"(const struct hwgen_slice[]){{{', '.join(slices)}}}"


def _scaling(compiled: Compiled) -> str:
    """The requantization of raw bytes, a line for each input channel."""
    layer = compiled.network.input
    if layer.full is None:
        return ""
    q = compiled.network.requantizer(layer)
    rows = np.broadcast_arrays(q.M, q.B, q.S, np.arange(layer.output.shape[0]))[:3]
    return "".join(
        f"    {{ {m}, {b}, {s}, {q.lo}, {q.hi} }},\n" for m, b, s in zip(*rows, strict=True)
    )


def _array(kind: str, name: str, values: Iterable[int]) -> str:
    values = list(values)
    lines = [
        "    " + ", ".join(map(str, values[start : start + 16])) + ",\n"
        for start in range(0, len(values), 16)
    ]
    return f"static const {kind} {name}[] = {{\n{''.join(lines)}}};\n"
