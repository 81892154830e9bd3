"""``hwgen inspect``: an integer network file as a table."""

import json
from pathlib import Path

import click

from hwgen.cli._options import json_option

__all__ = ["command", "describe"]


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def command(file: Path, as_json: bool) -> None:
    """Print the layers, gates, widths and work of a network file."""
    from models.netfile import load

    network = load(file)
    facts = describe(network) | {"file": str(file), "bytes": file.stat().st_size}
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)


def describe(network) -> dict:
    """What a person wants to know of each layer, and the totals."""
    from models.netfile import VERSION

    rows = [_row(network, layer) for layer in network.layers]
    return {
        "name": network.name,
        "version": VERSION,
        "info": network.graph.info,
        "limits": network.graph.limits.model_dump(),
        "layers": rows,
        "macs": sum(row["macs"] for row in rows),
        "gated_macs": sum(row["macs"] for row in rows if row["gate"]),
        "weights": sum(row["weights"] for row in rows),
    }


def _row(network, layer) -> dict:
    from models.netfile import accumulator_range, sum_range

    row = {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": list(layer.inputs),
        "shape": list(layer.output.shape),
        "bits": layer.output.bits,
        "signed": layer.output.signed,
        "scale": layer.output.scale,
        "macs": layer.macs,
        "weights": 0,
        "weight_bits": None,
        "activation_bits": None,
        "activation_signed": None,
        "gate": None,
        "geometry": _geometry(layer),
    }
    if layer.kind in ("conv", "linear"):
        row |= {
            "weights": network.weight(layer).size,
            "weight_bits": layer.weight_bits,
            "activation_bits": network.edge(layer).bits,
            "activation_signed": network.edge(layer).signed,
        }
    if getattr(layer, "full", None) and layer.kind != "input":
        q = network.requantizer(layer)
        row |= {
            "accumulator_bits": accumulator_range(network, layer).widest(),
            "sum_bits": sum_range(network, layer).widest(),
            "shift": [int(q.S.min()), int(q.S.max())],
            "clamp": [layer.lo, layer.hi],
        }
    if layer.kind == "conv" and layer.gate:
        row["gate"] = layer.gate.kind
        row["gate_base"] = _base(layer)
    return row


def _geometry(layer) -> str:
    """Kernel, stride, padding and groups as one writes them in a paper."""
    parts = []
    if hasattr(layer, "kernel"):
        parts.append("×".join(map(str, layer.kernel)))
        if layer.stride != (1, 1):
            step = layer.stride
            parts.append(f"/{step[0]}" if step[0] == step[1] else f"/{step[0]},{step[1]}")
        if any(layer.padding):
            sides = layer.padding
            same = len(set(sides)) == 1
            parts.append(f"pad {sides[0]}" if same else "pad " + ",".join(map(str, sides)))
    if getattr(layer, "groups", 1) != 1:
        parts.append(f"groups {layer.groups}")
    if layer.kind == "split":
        parts.append(f"from {layer.start}")
    return " ".join(parts)


def _base(layer) -> str:
    """The part of the work that the base pass does."""
    if layer.gate.kind == "precision":
        return f"high {layer.gate.high_bits} bits"
    runs = len(layer.gate.starts)
    own = f", {runs} runs" if runs > 1 else ""
    high = f", high {layer.gate.high_bits} bits" if layer.gate.high_bits else ""
    return f"{layer.gate.count} of {layer.in_channels // layer.groups} channels{own}{high}"


def _width(bits: int, signed: bool) -> str:
    """u8, s4, and ±1 for one signed bit."""
    return "±1" if signed and bits == 1 else f"{'s' if signed else 'u'}{bits}"


def _operands(row: dict) -> str:
    """Widths of activations and weights."""
    if not row["weights"]:
        return ""
    activations = _width(row["activation_bits"], row["activation_signed"])
    return f"{activations}×{_width(row['weight_bits'], True)}"


def _print(facts: dict) -> None:
    from rich.table import Table

    from hwgen.console import output

    table = Table(title=f"{facts['name']} ({facts['file']}, {facts['bytes']:,} bytes)")
    for heading in ("layer", "kind", "inputs", "output", "edge", "geometry", "gate"):
        table.add_column(heading)
    for heading in ("bits", "weights", "MACs", "acc", "shift"):
        table.add_column(heading, justify="right")
    for row in facts["layers"]:
        table.add_row(
            row["name"],
            row["kind"],
            ", ".join(row["inputs"]),
            "×".join(map(str, row["shape"])),
            _width(row["bits"], row["signed"]),
            row["geometry"],
            f"{row['gate']}: {row['gate_base']}" if row["gate"] else "",
            _operands(row),
            f"{row['weights']:,}" if row["weights"] else "",
            f"{row['macs']:,}" if row["macs"] else "",
            f"{row['accumulator_bits']}b" if "shift" in row else "",
            "–".join(map(str, sorted(set(row["shift"])))) if "shift" in row else "",
        )
    console = output()
    console.print(table)
    console.print(
        f"{facts['macs']:,} MACs an image, {facts['gated_macs']:,} of them in gated layers; "
        f"{facts['weights']:,} weights",
        highlight=False,
    )
    for key, value in facts["info"].items():
        console.print(f"{key}: {value}", highlight=False)
