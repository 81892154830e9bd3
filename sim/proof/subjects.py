"""The networks of the repository as integers, with images for them.

Those that ship are as they were trained. Of those that can be trained (:mod:`models.networks`) the
weights are drawn; scales, ranges and thresholds are made for the images, as training would.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hwgen.config import Config
from hwgen.errors import UserError
from models.netfile import Network
from models.reference import prepare
from models.reference import run as reference
from models.zoo import fashion_sample, load_shipped, shipped_names
from models.zoo.synthetic import every_kind

__all__ = ["Subject", "check_name", "subject", "subject_names"]

FEW_MACS = 64
"""A configuration with fewer MACs a cycle gets the small form of a network."""

SETTLING = 16
"""Images that batch norms and quantizers see, four times as often as they are."""

FIRES = 0.3
"""Share of the outputs of a gate that thresholds are made for."""

IMAGES = 2


@dataclass(frozen=True)
class Subject:
    """A network and images for it; ``form`` tells people its size."""

    name: str
    network: Network
    images: np.ndarray
    form: str
    batch: int = 1


@dataclass(frozen=True)
class _Untrained:
    """A network of :mod:`models.networks`, for images of ``size`` pixels.

    ``small`` replaces fields where MACs are few. ``gating`` are the arguments of
    :func:`models.layers.gate`.
    """

    network: str
    size: int = 32
    options: Mapping[str, object] = field(default_factory=dict)
    gating: Mapping[str, object] = field(default_factory=lambda: {"part": 8})
    small: Mapping[str, object] = field(default_factory=dict)

    def subject(self, name: str, *, small: bool) -> Subject:
        """The network with its images, in its small form or the large one."""
        it = replace(self, **self.small) if small else self
        network, images = it._exported(name)
        form = ", ".join(
            [f"{it.size}x{it.size}"]
            + [key if value is True else f"{key} {value}" for key, value in it.options.items()]
        )
        return Subject(name, _with_thresholds(network, images), images[:1], form)

    def _exported(self, name: str) -> tuple[Network, np.ndarray]:
        """The network, in which every gate fires, and some images."""
        # Who proves random networks needs no PyTorch.
        import torch
        from torch import nn

        from models.data import load_dataset
        from models.export import Pixels
        from models.export.trained import export_trained
        from models.layers import gate, gated_layers, quantize_aware
        from models.networks import make_network

        shape = (3, self.size, self.size)
        data = load_dataset("generated", train=SETTLING, test=IMAGES, shape=shape)
        torch.manual_seed(0)
        model = make_network(self.network, classes=10, channels=3, size=shape[1:], **self.options)
        quantize_aware(gate(model, **self.gating), activations="uniform")
        for layer in gated_layers(model).values():
            layer.threshold.data.fill_(-100)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.5
        seen = data.train.images
        with torch.no_grad():
            for part in seen.float().div(255).repeat(4, 1, 1, 1).split(SETTLING):
                model(part)
        exported = export_trained(
            model.eval(), seen.numpy(), pixels=Pixels((0.0,) * 3, (1.0,) * 3), name=name
        )
        return exported.network, prepare(exported.network, data.test.images.numpy())


def _with_thresholds(network: Network, images: np.ndarray) -> Network:
    """Thresholds that about FIRES of the outputs of each channel pass."""
    # Decisions change what later layers see: the second time nearly all of them stay.
    for _ in range(2 if network.gated else 0):
        sums = reference(network, images, taps=[layer.name for layer in network.gated])
        theta = {
            layer.gate.theta: np.quantile(
                sums.base_accumulators[layer.name], 1 - FIRES, axis=(0, 2, 3), method="lower"
            ).astype(np.int32)
            for layer in network.gated
        }
        network = replace(network, tensors=network.tensors | theta)
    return network


def _shipped(name: str) -> Subject:
    network = load_shipped(name)
    images = prepare(network, fashion_sample()[0][: 2 * IMAGES])
    return Subject(name, network, images, "28x28, trained", batch=2)


def _every_kind() -> Subject:
    network = every_kind()
    edge = network.input.output
    rng = np.random.default_rng(0)
    images = rng.integers(edge.lo, edge.hi + 1, (IMAGES, *edge.shape))
    return Subject(network.name, network, images, "9x7")


UNTRAINED = {
    "resnet-8": _Untrained("resnet-8", gating={"kind": "both", "part": 4}),
    "resnet-20": _Untrained("resnet-20", gating={"part": 4}),
    "resnet-20-precision": _Untrained("resnet-20", gating={"kind": "precision"}),
    "mobilenet-v1": _Untrained("mobilenet-v1"),
    "shufflenet": _Untrained("shufflenet", gating={"part": 4}),
    "vgg-11": _Untrained(
        "vgg-11", gating={"part": 8, "norms": 2}, small={"options": {"width": 16}}
    ),
    "vgg-16": _Untrained(
        "vgg-16",
        gating={"part": 8, "grouping": True, "shuffle": True},
        small={"options": {"width": 16}},
    ),
    "alexnet": _Untrained("alexnet", small={"options": {"width": 16}}),
    "resnet-18": _Untrained("resnet-18", small={"options": {"width": 16}}),
    "resnet-18-precision": _Untrained(
        "resnet-18", gating={"kind": "precision"}, small={"options": {"width": 16}}
    ),
    "mobilenet-v1-imagenet": _Untrained(
        "mobilenet-v1",
        96,
        {"imagenet": True},
        small={"size": 64, "options": {"imagenet": True, "width": 16}},
    ),
    "shufflenet-imagenet": _Untrained(
        "shufflenet",
        96,
        {"imagenet": True},
        {"part": 4},
        small={"size": 64, "options": {"imagenet": True, "width": 48}},
    ),
    "resnet-18-imagenet": _Untrained(
        "resnet-18",
        224,
        {"imagenet": True},
        small={"size": 64, "options": {"imagenet": True, "width": 16}},
    ),
    "alexnet-imagenet": _Untrained(
        "alexnet",
        224,
        {"imagenet": True},
        small={"options": {"imagenet": True, "width": 8}},
    ),
    "vgg-16-imagenet": _Untrained(
        "vgg-16",
        224,
        {"imagenet": True, "width": 16},
        small={"options": {"imagenet": True, "width": 4}, "gating": {"part": 4}},
    ),
}
"""With gates of all kinds. ImageNet's stems and classifiers are other layers than those for small
images."""


def subject_names() -> list[str]:
    """Names of all networks, short runs first."""
    return ["every-kind", *shipped_names(), *UNTRAINED]


def check_name(name: str) -> None:
    """Refuse a network that is not there."""
    if name not in subject_names():
        raise UserError(f"network must be one of {', '.join(subject_names())}, not {name!r}")


def subject(name: str, config: Config) -> Subject:
    """A network, as large as ``config`` can run it in minutes of simulation."""
    check_name(name)
    if name in UNTRAINED:
        return UNTRAINED[name].subject(name, small=config.macs < FEW_MACS)
    return _every_kind() if name == "every-kind" else _shipped(name)
