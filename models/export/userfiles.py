"""What users name on a command line: a model in a file, a checkpoint, images. Never pickle."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from hwgen.errors import UserError

__all__ = ["load_model", "load_state", "load_weights"]


def load_model(spec: str) -> torch.nn.Module:
    """The ``nn.Module`` that ``file.py:function`` makes; the file is run."""
    path, _, function = spec.rpartition(":")
    if not path or not function.isidentifier():
        raise UserError(f"model must be file.py:function, not {spec!r}")
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{path}: there is no such file")
    module_spec = importlib.util.spec_from_file_location(f"hwgen_user_{file.stem}", file)
    if module_spec is None:
        raise UserError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        module_spec.loader.exec_module(module)
        made = getattr(module, function, None)
        if not callable(made):
            raise UserError(f"{path}: defines no function {function!r}")
        model = made()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{spec}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    if not isinstance(model, torch.nn.Module):
        raise UserError(f"{spec}: makes a {type(model).__name__}, not a torch.nn.Module")
    return model


def load_state(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint: ``.safetensors``, or what ``torch.save`` wrote, read with
    weights_only=True.

    A state dict may lie under ``state_dict``, ``model`` or ``model_state_dict``, and its names may
    begin with ``module.``.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise UserError(f"{path}: not a whole safetensors file ({error})") from None
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if "weights only" in first.lower():
            first = "no file of PyTorch, or one with other objects"
        raise UserError(f"{path}: not a checkpoint of tensors alone ({first})") from None
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise UserError(f"{path}: holds no state dict")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def load_weights(model: torch.nn.Module, path: str | Path) -> None:
    """Put a checkpoint into ``model``; UserError says how they differ if they are of different
    networks.
    """
    state, own = load_state(path), model.state_dict()
    missing = sorted(own.keys() - state.keys())
    unknown = sorted(state.keys() - own.keys())
    if missing or unknown:
        parts = [f"{len(missing)} tensors missing ({missing[0]!r}, …)"] if missing else []
        parts += [f"{len(unknown)} unknown ({unknown[0]!r}, …)"] if unknown else []
        raise UserError(f"{path}: a checkpoint of another network: {', '.join(parts)}")
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            raise UserError(
                f"{path}: a checkpoint of another network: {name!r} is {list(state[name].shape)}, "
                f"the model has {list(tensor.shape)}"
            )
    for name, tensor in state.items():
        if tensor.is_floating_point() and not np.isfinite(tensor.float().numpy()).all():
            raise UserError(f"{path}: {name!r} holds NaN or infinity")
    model.load_state_dict(state)
