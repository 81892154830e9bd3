"""The networks that can be trained, by name. Plain ones: gates and quantizers are put in later."""

import inspect

from torch import nn

from hwgen.errors import UserError
from models.networks.alexnet import AlexNet
from models.networks.fashion_binary import FashionBinary
from models.networks.fashion_small import FashionSmall
from models.networks.mobilenet import MobileNetV1
from models.networks.resnet import resnet8, resnet18, resnet20
from models.networks.shufflenet import ShuffleNet
from models.networks.vgg import vgg11, vgg16

__all__ = ["NETWORKS", "make_network"]

NETWORKS = {
    "alexnet": AlexNet,
    "fashion-binary": FashionBinary,
    "fashion-small": FashionSmall,
    "mobilenet-v1": MobileNetV1,
    "resnet-8": resnet8,
    "resnet-18": resnet18,
    "resnet-20": resnet20,
    "shufflenet": ShuffleNet,
    "vgg-11": vgg11,
    "vgg-16": vgg16,
}


def make_network(
    name: str, *, classes: int, channels: int, size: tuple[int, int], **options
) -> nn.Module:
    """The network ``name`` for images of ``channels`` × ``size``; ``options`` are its own."""
    if name not in NETWORKS:
        raise UserError(f"network.name: must be one of {', '.join(NETWORKS)}, not {name!r}")
    make = NETWORKS[name]
    known = inspect.signature(make).parameters
    unknown = next((option for option in options if option not in known), None)
    if unknown is not None:
        own = ", ".join(p for p in known if p not in ("classes", "channels", "size"))
        raise UserError(f"network.options: {name} has {own or 'no options'}, not {unknown!r}")
    for option, value in options.items():
        default = known[option].default
        if type(value) is not type(default) or (type(value) is int and value < 1):
            accepted = "true or false" if default is False else "an integer from 1"
            raise UserError(f"network.options.{option}: must be {accepted}, not {value!r}")
    if "size" in known:
        options["size"] = size
    try:
        return make(classes=classes, channels=channels, **options)
    except ValueError as error:
        raise UserError(f"network.options: {name}: {error}") from None
