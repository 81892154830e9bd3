"""Where the broadcast of weights enters a group."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ..commands import weight_write
from ..unreset import unreset

__all__ = ["WeightDoor"]


class WeightDoor(wiring.Component):
    """What is broadcast for a group, a cycle later.

    The same addresses go to every group, and synthesis would make one register of all of them that
    lies far from most weight memories. This is a module, because it may be told to keep modules.

    Members
    -------
    weights : In(weight_write), weights_valid, chunk_loaded : In(1)
        See :class:`~hwgen.rtl.group.group.Group`.
    word : Out(weight_write), arrived : Out(1)
        A word, and whether it is new.
    loaded : Out(1)
        ``chunk_loaded``.
    """

    def __init__(self, config: Config):
        super().__init__(
            {
                "weights": In(weight_write(config)),
                "weights_valid": In(1),
                "chunk_loaded": In(1),
                "word": Out(weight_write(config)),
                "arrived": Out(1),
                "loaded": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = unreset(m, self.word)
        m.d.sync += [self.arrived.eq(self.weights_valid), self.loaded.eq(self.chunk_loaded)]
        with m.If(self.weights_valid):
            m.d.sync += word.eq(self.weights)
        return m
