"""Turning a plain network into one that gates, and into one that trains on integers."""

import inspect
from collections.abc import Mapping

from torch import nn

from models.layers.gated import ChannelGatedConv2d, GatedConv2d
from models.layers.precision import ChannelPrecisionGatedConv2d, PrecisionGatedConv2d
from models.layers.quantized import QuantConv2d, QuantLinear, QuantReLU, Stored
from models.layers.tracing import Wiring
from models.layers.widths import Widths
from models.quantizers import FixedStep, make_activation, make_weight

__all__ = ["GATES", "gate", "gated_layers", "quantize_aware"]

GATES = {
    "channel": ChannelGatedConv2d,
    "precision": PrecisionGatedConv2d,
    "both": ChannelPrecisionGatedConv2d,
}


def gate(
    model: nn.Module, kind: str = "channel", *, dense: tuple[str, ...] = (), **options
) -> nn.Module:
    """Gate the convolutions of ``model``, in place; returns it.

    The first convolution stays dense, and so do those named in ``dense`` and those with nothing to
    leave out: for channel gating, fewer than ``part`` input channels a group (depthwise ones; gate
    their precision). Linear layers are never gated. Weights are kept. ``options`` go to the layer
    (``GATES[kind]``).

    With ``norms=2`` the batch norm behind a convolution moves into it, once for each path. A
    precision gate behind a ReLU shares the ReLU's quantizer, which then rounds what the ReLU
    stores; elsewhere it has its own.
    """
    if kind not in GATES:
        raise ValueError(f"kind must be one of {', '.join(GATES)}, not {kind!r}")
    convolutions = {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    known = gate_options(kind)
    foreign = next((option for option in options if option not in known), None)
    if foreign is not None:
        raise ValueError(f"{kind} gating has {', '.join(known)}, not {foreign!r}")
    unknown = set(dense) - set(convolutions)
    if unknown:
        raise ValueError(f"dense: the network has no convolution {sorted(unknown)[0]!r}")
    wiring = Wiring(model)
    for name, conv in list(convolutions.items())[1:]:
        if name in dense or isinstance(conv, GatedConv2d) or not _gateable(conv, kind, options):
            continue
        extra = {}
        if kind != "channel":
            bits = options.get("bits", 4)
            extra["activation"] = _shared_quantizer(model, wiring.producer(name), bits)
            extra["quantize_input"] = extra["activation"] is None
        layer = GATES[kind].like(conv, **options, **extra)
        if getattr(layer, "shuffle_groups", 1) > 1:
            layer.absorb_shuffle()
        if layer.norms == 2:
            _absorb_norm(model, wiring.consumer(name), layer, name)
        model.set_submodule(name, layer)
    return model


def gate_options(kind: str) -> list[str]:
    """What :func:`gate` takes as ``options`` for gates of ``kind``."""
    found = {}
    for cls in GATES[kind].__mro__:
        if issubclass(cls, GatedConv2d):
            found |= inspect.signature(cls.__init__).parameters
    hidden = ("self", "args", "kwargs", "activation", "quantize_input")
    return sorted(name for name in found if name not in hidden)


def _gateable(conv: nn.Conv2d, kind: str, options: dict) -> bool:
    part, channels = options.get("part", 8), conv.in_channels // conv.groups
    if kind == "precision":
        return True
    divides = channels % part == 0 and conv.out_channels % part == 0
    return channels >= part and (divides or not options.get("grouping"))


def _shared_quantizer(model: nn.Module, producer: str | None, bits: int):
    """The quantizer of the ReLU that makes a precision gate's input, put there if it has none."""
    module = model.get_submodule(producer) if producer else None
    if isinstance(module, QuantReLU):
        return module.quantizer if module.quantizer.bits == bits else None
    if not isinstance(module, nn.ReLU):
        return None
    module = QuantReLU(make_activation("pact", bits)).train(module.training)
    model.set_submodule(producer, module)
    return module.quantizer


def _absorb_norm(model: nn.Module, follower: str | None, layer: GatedConv2d, name: str) -> None:
    norm = model.get_submodule(follower) if follower else None
    if not isinstance(norm, nn.BatchNorm2d):
        raise ValueError(f"{name}: norms=2 needs a batch norm right behind the convolution")
    for inner in (layer.bn_base, layer.bn_full):
        inner.load_state_dict(norm.state_dict())
        inner.eps, inner.momentum = norm.eps, norm.momentum
    model.set_submodule(follower, nn.Identity())


def gated_layers(model: nn.Module) -> dict[str, GatedConv2d]:
    """The gated layers of a model by name, in order."""
    return {n: m for n, m in model.named_modules() if isinstance(m, GatedConv2d)}


def quantize_aware(
    model: nn.Module,
    *,
    weights: str = "uniform",
    activations: str = "lsq",
    weight_bits: int = 8,
    activation_bits: int = 8,
    per_channel: bool = True,
    edge_bits: int = 8,
    layers: Mapping[str, Mapping[str, int]] | None = None,
) -> nn.Module:
    """Give ``model`` quantizers, in place; returns it. Gate it first.

    Every convolution and linear layer gets a weight quantizer, every ReLU and :class:`Stored` an
    activation quantizer; those that have one (precision gating) keep it. The first convolution,
    linear layers and :class:`Stored` tensors have ``edge_bits``. ``layers`` gives single layers
    other widths (:class:`Widths`). Names of state entries stay, quantizers add theirs.
    """
    own = Widths(model, layers or {})
    first = True
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            if not isinstance(module, QuantConv2d | QuantLinear):
                kind = QuantConv2d if isinstance(module, nn.Conv2d) else QuantLinear
                module = kind.like(module)
                model.set_submodule(name, module)
            bits = edge_bits if first or isinstance(module, nn.Linear) else weight_bits
            bits, first = own.weights.get(name, bits), False
            quantizer = make_weight(weights, bits, per_channel=per_channel, layer=module)
            module.weight_quantizer = quantizer.to(module.weight.device).train(module.training)
        elif isinstance(module, QuantReLU):
            bits = module.quantizer.bits
            if own.activations.get(name, bits) != bits:
                raise ValueError(f"layers: {name} has {bits} bits from its precision gate")
        elif isinstance(module, nn.ReLU):
            bits = own.activations.get(name, activation_bits)
            model.set_submodule(name, QuantReLU(make_activation(activations, bits)))
        elif isinstance(module, Stored) and module.quantizer is None:
            bits = own.activations.get(name, edge_bits)
            module.quantizer = (
                FixedStep(module.fixed_step, edge_bits, signed=module.signed)
                if module.fixed_step
                else make_activation(activations, bits, signed=module.signed)
            )
    return model
