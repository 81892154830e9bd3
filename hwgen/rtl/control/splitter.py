"""From byte ranges to bursts."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from ...config import Config
from ...isa.parameters import RECORD_BYTES
from ..commands import instruction_layout

__all__ = ["BurstSplitter", "burst", "bytes_bits", "longest_burst", "request"]


def bytes_bits(config: Config) -> int:
    """Bits of the length of a request: the longest row of the largest words."""
    words = instruction_layout("LOAD", config)["words"].width
    sizes = (config.vector_bits, config.weight_word_bits, 8 * RECORD_BYTES)
    return words + exact_log2(max(sizes) // 8)


def request(config: Config) -> data.StructLayout:
    """A range of memory: ``bytes`` (at least 1) from byte ``address``."""
    return data.StructLayout({"address": config.bus.address_width, "bytes": bytes_bits(config)})


def burst(config: Config) -> data.StructLayout:
    """A burst: address of its first beat, and its beats less one."""
    return data.StructLayout({"address": config.bus.address_width, "beats": 8})


def longest_burst(config: Config) -> int:
    """Beats of the longest burst: the largest power of two up to ``config.bus.burst``."""
    return 1 << (config.bus.burst.bit_length() - 1)


class BurstSplitter(wiring.Component):
    """Checks that a range lies within the window, and cuts it into bursts.

    A range is checked as a whole, before its first burst appears; one that is not inside
    [``start``, ``end``) raises ``fault`` and is dropped. Bursts are whole beats. Each ends at a
    multiple of the longest burst (the largest power of two of beats up to ``config.bus.burst``), so
    none crosses an address that AXI forbids to cross. A request takes two cycles, and one for each
    burst.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    i : In(stream of request), o : Out(stream of burst)
    start, end : In
        The window. ``end`` has one bit more than an address (unless that has 64).
    fault : Out(1)
        Strobe.
    idle : Out(1)
        Nothing is being cut.
    """

    def __init__(self, config: Config):
        self._config = config
        width = config.bus.address_width
        super().__init__(
            {
                "i": In(stream.Signature(request(config))),
                "o": Out(stream.Signature(burst(config))),
                "start": In(width),
                "end": In(min(64, width + 1)),
                "fault": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = self._config.bus.address_width
        beat = exact_log2(self._config.bus.data_width // 8)
        longest = longest_burst(self._config)
        piece = beat + exact_log2(longest)
        first = Signal(width, reset_less=True)
        # The sum may be beyond the last address: outside of any window.
        last = Signal(max(width, bytes_bits(self._config)) + 1, reset_less=True)
        # Of the burst that is offered: known a cycle before.
        final = Signal()  # it is the last
        beats = Signal(piece - beat)
        more = Signal(bytes_bits(self._config) + 1 - piece)  # pieces behind it

        def offer(beginning, left, ends):
            """The burst from a beat of its piece on, behind which so many pieces are left; whether
            it ends in its piece is known late."""
            to_its_end = C(longest - 1, piece - beat) - beginning
            return [
                final.eq(ends),
                more.eq(left),
                beats.eq(Mux(ends, last[beat:piece] - beginning, to_its_end)),
            ]

        m.d.comb += [
            self.o.payload.address.eq(Cat(C(0, beat), first[beat:])),
            self.o.payload.beats.eq(beats),
        ]
        with m.FSM():
            with m.State("EMPTY"):
                m.d.comb += [self.idle.eq(~self.i.valid), self.i.ready.eq(1)]
                m.d.sync += [
                    first.eq(self.i.payload.address),
                    last.eq(self.i.payload.address + self.i.payload.bytes - 1),
                ]
                with m.If(self.i.valid):
                    m.next = "CHECK"
            with m.State("CHECK"):
                with m.If((first >= self.start) & (last < self.end) & ~last[width:].any()):
                    m.next = "CUT"
                with m.Else():
                    m.d.comb += self.fault.eq(1)
                    m.next = "EMPTY"
                pieces = last[piece:] - first[piece:]
                m.d.sync += offer(first[beat:piece], pieces, last[piece:width] == first[piece:])
            with m.State("CUT"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += first.eq(Cat(C(0, piece), first[piece:] + 1))
                    m.d.sync += offer(0, more - 1, more == 1)
                    with m.If(final):
                        m.next = "EMPTY"
        return m
