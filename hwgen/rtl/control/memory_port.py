"""The AXI4 port: who reads, who writes, within which windows."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ...config import Config
from ..axi import AXI4Signature
from .read_master import ReadMaster
from .splitter import BurstSplitter, request
from .write_master import WriteMaster, write_beat

__all__ = ["MemoryPort", "READERS"]

READERS = ("fetch", "load")


class MemoryPort(wiring.Component):
    """Two readers and a writer on one AXI4 port.

    ``reset`` drops what has been asked for and not been issued; it must come with ``abandon``,
    under which transactions under way come to their end without effect (see :class:`ReadMaster`,
    :class:`WriteMaster`).

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    axi : Out(AXI4Signature)
    <reader>_requests, <reader>_beats : In(stream of request), Out(stream)
        For fetch and load.
    store_requests, store_beats : In(stream of request), In(stream of write_beat)
    read_start, read_end, write_start, write_end : In
        The windows.
    reset, abandon : In(1)
    idle : Out(1)
        No transaction is under way.
    store_quiet : Out(1)
        All that was to be written has been, and was answered.
    fetch_bounds, load_bounds, store_bounds : Out(1)
        Strobe: a request was outside its window.
    fetch_response, load_response, store_response : Out(1)
        Strobe: memory has answered with an error.
    read_beat, write_beat, moved : Out(1)
        Strobes: a beat came, a beat went, anything moved on any channel.
    """

    def __init__(self, config: Config):
        self._config = config
        bus = config.bus
        end = min(64, bus.address_width + 1)
        beat = unsigned(bus.data_width)
        members = {
            "axi": Out(AXI4Signature(address_width=bus.address_width, data_width=bus.data_width)),
            "read_start": In(bus.address_width),
            "read_end": In(end),
            "write_start": In(bus.address_width),
            "write_end": In(end),
            "reset": In(1),
            "abandon": In(1),
            "idle": Out(1),
            "store_quiet": Out(1),
            "read_beat": Out(1),
            "write_beat": Out(1),
            "moved": Out(1),
            "store_requests": In(stream.Signature(request(config))),
            "store_beats": In(stream.Signature(write_beat(config))),
        }
        for name in READERS:
            members[f"{name}_requests"] = In(stream.Signature(request(config)))
            members[f"{name}_beats"] = Out(stream.Signature(beat))
        for name in (*READERS, "store"):
            members |= {f"{name}_bounds": Out(1), f"{name}_response": Out(1)}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.read = read = ReadMaster(self._config, clients=len(READERS))
        m.submodules.write = write = WriteMaster(self._config)
        for n, name in enumerate(READERS):
            self._split(m, name, read.bursts[n], self.read_start, self.read_end)
            connect(m, read.beats[n], flipped(getattr(self, f"{name}_beats")))
            m.d.comb += getattr(self, f"{name}_response").eq(read.error[n])
        store = self._split(m, "store", write.bursts, self.write_start, self.write_end)
        connect(m, flipped(self.store_beats), write.beats)
        m.d.comb += [
            read.abandon.eq(self.abandon),
            write.abandon.eq(self.abandon),
            self.idle.eq(read.idle & write.idle),
            self.store_quiet.eq(store.idle & write.idle),
            self.store_response.eq(write.error),
            self.read_beat.eq(read.beat),
            self.write_beat.eq(write.beat),
            self.moved.eq(read.moved | write.moved),
        ]
        for half in (read.axi, write.axi):
            for name, member in half.signature.members.items():
                ours, theirs = getattr(self.axi, name), getattr(half, name)
                m.d.comb += ours.eq(theirs) if member.flow == Out else theirs.eq(ours)
        return m

    def _split(self, m, name, bursts, start, end):
        """A splitter between the requests of ``name`` and the bursts of a master."""
        splitter = BurstSplitter(self._config)
        m.submodules[f"{name}_splitter"] = ResetInserter(self.reset)(splitter)
        connect(m, flipped(getattr(self, f"{name}_requests")), splitter.i)
        connect(m, splitter.o, bursts)
        m.d.comb += [
            splitter.start.eq(start),
            splitter.end.eq(end),
            getattr(self, f"{name}_bounds").eq(splitter.fault),
        ]
        return splitter
