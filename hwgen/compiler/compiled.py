"""What comes out of the compiler."""

from dataclasses import dataclass, field, replace

import numpy as np

from models.netfile import Network

from ..config import Config
from .choice import Choice
from .image import InputArea
from .program import Program
from .tensors import Tensor
from .tiles import Plan

__all__ = ["INPUT_BASE", "WORK_BASE", "Compiled", "View"]

INPUT_BASE, WORK_BASE = 1, 2  # base registers; 0 has the constants


@dataclass(frozen=True)
class View:
    """An edge in memory: channel k lies at place ``channels[k]`` of the tensor."""

    tensor: Tensor
    channels: np.ndarray

    @property
    def plain(self) -> bool:
        """Whether the channels lie in their order from the first place on."""
        return np.array_equal(self.channels, np.arange(len(self.channels)))

    def unpack(self, data: bytes) -> np.ndarray:
        """The edge's integers from the bytes of its tensor; of a batch, an image after another."""
        tensor = replace(self.tensor, channels=self.tensor.places)
        return tensor.unpack(data)[..., self.channels, :, :]


@dataclass(frozen=True)
class Compiled:
    """A program with what its caller has to know.

    ``input`` packs images into the input area; ``views`` has an entry for every edge that lies in
    memory; ``work_bytes`` is the size of the work area. A run takes ``batch`` images. ``choices``
    tells how layers of the array are cut.
    """

    network: Network
    config: Config
    program: Program
    input: InputArea
    views: dict[str, View]
    work_bytes: int
    batch: int = 1
    choices: dict[str, Choice] = field(default_factory=dict)

    @property
    def plans(self) -> dict[str, Plan]:
        """How layers of the array are cut."""
        return {name: choice.plan for name, choice in self.choices.items()}

    @property
    def output(self) -> View:
        """Where the first result lies."""
        return self.views[self.network.outputs[0].name]
