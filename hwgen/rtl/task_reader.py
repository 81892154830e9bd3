"""Reading the list of positions with tasks, once for every chunk."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config import Config
from .task_index import task_entry, task_list

__all__ = ["TaskReader", "listed_position"]


def listed_position(config: Config) -> data.StructLayout:
    """A step through the list: an entry if ``some``; ``last`` ends the chunk."""
    return data.StructLayout({"entry": task_entry(config), "some": 1, "last": 1})


class TaskReader(wiring.Component):
    """Goes through a list again and again, also while it still grows.

    An entry a cycle, the first of a round in the cycle after the last of the round before. ``last``
    comes with the round's last entry, or without an entry if the list was completed later, or is
    empty.

    Members
    -------
    list : Out(task_list)
        The list; this reads ``count``, ``complete`` and entries, the rest is not driven here.
    enable : In(1)
        Go on. While it is low, nothing is read, and the next step is the first of a round.
    o : Out(stream(listed_position))
        The steps. There may always be one more than is needed: the reader does not know how many
        rounds there are.
    """

    def __init__(self, config: Config):
        self._config = config
        signature = task_list(config)
        reading = {
            name: signature.members[name]
            for name in ("read_en", "read_index", "entry", "count", "complete")
        }
        # The proofs look at it.
        self._following = Signal(signature.members["count"].shape, name="following")
        super().__init__(
            {
                "list": Out(wiring.Signature(reading)),
                "enable": In(1),
                "o": Out(stream.Signature(listed_position(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        tasks, o = self.list, self.o
        following = self._following
        after = Signal.like(tasks.count)
        free = Signal()
        m.d.comb += [
            after.eq(following + 1),
            free.eq(~o.valid | o.ready),
            tasks.read_index.eq(following),
            o.payload.entry.eq(tasks.entry),
        ]
        with m.If(~self.enable):
            m.d.sync += [o.valid.eq(0), following.eq(0)]
        with m.Elif(free):
            with m.If(following != tasks.count):
                m.d.comb += tasks.read_en.eq(1)
                m.d.sync += [o.valid.eq(1), o.payload.some.eq(1)]
                with m.If(tasks.complete & (after == tasks.count)):
                    m.d.sync += [o.payload.last.eq(1), following.eq(0)]
                with m.Else():
                    m.d.sync += [o.payload.last.eq(0), following.eq(after)]
            with m.Elif(tasks.complete):
                m.d.sync += [
                    o.valid.eq(1),
                    o.payload.some.eq(0),
                    o.payload.last.eq(1),
                    following.eq(0),
                ]
            with m.Else():
                m.d.sync += o.valid.eq(0)
        return m
