"""The network of a run."""

import torch
from torch import nn

from hwgen.errors import UserError
from models.data import Dataset
from models.layers import gate, quantize_aware
from models.networks import make_network
from models.training.config import Training

__all__ = ["build"]


def build(config: Training, data: Dataset) -> nn.Module:
    """The network as the run trains it: gated, with quantizers, weights drawn from the seed."""
    torch.manual_seed(config.seed)
    channels, height, width = data.shape
    model = make_network(
        config.network.name,
        classes=len(data.classes),
        channels=channels,
        size=(height, width),
        **config.network.options,
    )
    try:
        if config.gating is not None:
            choice = config.gating
            gate(model, choice.kind, dense=choice.dense, target=choice.target, **choice.options)
        if config.quantization is not None:
            quantize_aware(model, **config.quantization.model_dump())
    except (TypeError, ValueError) as error:
        raise UserError(f"gating or quantization of {config.network.name}: {error}") from None
    return model
