"""The chosen widths as the table of a training run."""

import tomllib
from pathlib import Path

from hwgen.errors import UserError
from models.netfile import Network

__all__ = ["layer_table", "with_layer_table"]


def layer_table(network: Network) -> str:
    """``[quantization.layers]`` with the widths of every layer's operands, for ``hwgen train``."""
    lines = ["[quantization.layers]"]
    for layer in network.layers:
        if layer.kind in ("conv", "linear"):
            fields = f"weight_bits = {layer.weight_bits}"
            if layer.inputs[0] != network.input.name:
                fields += f", activation_bits = {network.edge(layer).bits}"
            lines.append(f'"{layer.name}" = {{ {fields} }}')
    return "\n".join(lines) + "\n"


def with_layer_table(run: Path, network: Network) -> str:
    """The TOML file ``run`` of ``hwgen train`` with that table at its end."""
    if not run.is_file():
        raise UserError(f"{run}: no such file")
    text = run.read_text()
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{run}: not TOML ({error})") from None
    quantization = tree.get("quantization", {})
    if not isinstance(quantization, dict) or "layers" in quantization:
        raise UserError(f"{run}: quantization.layers: must not be there yet")
    return text.rstrip("\n") + "\n\n" + layer_table(network)
