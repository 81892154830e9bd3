"""State on disk: whole or not at all, and never of another network."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hwgen.errors import UserError
from hwgen.files import write_atomic

__all__ = ["load_checkpoint", "load_weights", "save_checkpoint"]

FORMAT = 1
ENTRIES = {
    "config": dict,
    "step": int,
    "classes": list,
    "shape": list,
    "model": dict,
    "optimizer": dict,
    "scaler": dict,
}


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; an earlier checkpoint stays until the new one is complete."""
    buffer = io.BytesIO()
    torch.save({"format": FORMAT} | content, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What :func:`save_checkpoint` wrote; a user's error if it is damaged or of another format."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a checkpoint of hwgen train")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # Other files make the unpickler stumble in ways without end.
        size = path.stat().st_size
        raise UserError(f"{path}: {size} bytes, not a whole checkpoint of hwgen train") from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise UserError(f"{path}: checkpoint of format {found!r}, this version reads {FORMAT}")
    for name, kind in ENTRIES.items():
        if not isinstance(content.get(name), kind):
            raise UserError(f"{path}: checkpoint was edited: it has no {name}")
    return content


def load_weights(model: nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    """Put ``state`` into ``model``; a user's error, and nothing changed, if it is another
    network's.
    """
    own = model.state_dict()
    for name, tensor in own.items():
        if name not in state:
            raise UserError(f"{path}: checkpoint of another network: it has no {name}")
        if not isinstance(state[name], torch.Tensor):
            raise UserError(f"{path}: checkpoint was edited: {name} is no tensor")
        if state[name].shape != tensor.shape:
            shapes = f"{list(state[name].shape)}, expected {list(tensor.shape)}"
            raise UserError(f"{path}: checkpoint of another network: {name} is {shapes}")
    extra = next((name for name in state if name not in own), None)
    if extra is not None:
        raise UserError(f"{path}: checkpoint of another network: it has {extra}")
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise UserError(f"{path}: checkpoint was edited: {name} holds NaN or infinity")
    model.load_state_dict(state)
