"""The steps of every instruction."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ....config import Config
from ....isa.instructions import by_name
from ....isa.registers import number_bits
from .registers import ROW_BITS, stored_row

__all__ = ["FAULTS", "Runner"]

FAULTS = ("malformed", "no_end", "alignment", "bounds")


class Runner(wiring.Component):
    """Runs a program, instruction after instruction, while it is not reset.

    An instruction is fetched as a LOAD copies a row: its place is worked out, compared with the
    window, and asked for. A LOAD or STORE does the same for each of its bursts; PASS and DRAIN are
    offered to the array until it accepts them.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    index : In
        Number of the instruction.
    opcode : In(8)
        Of the one that was fetched.
    base : In
        Base register of a copy.
    row_en, row, stored : Out(1), Out, In(32)
        The stored registers.
    begin, next_piece, next_row : Out(1)
        Strobes for the copier.
    address, through, misaligned, row_ends, ends : In
        What it says.
    start, idle : Out(1), In(1)
        Begin the burst; it is over.
    fetches : Out(1)
        What is copied is an instruction.
    offers, accepted : Out(1), In(1)
        PASS or DRAIN is to run; it is done.
    finished, ended : Out(1)
        Strobes: the instruction is done; the program is.
    <fault> : Out(1)
        For each of :data:`FAULTS`, a strobe: what is wrong; nothing follows.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(
            {
                "index": In(number_bits(config)),
                "opcode": In(8),
                "base": In(range(config.control.bases)),
                "row_en": Out(1),
                "row": Out(ROW_BITS),
                "stored": In(32),
                "begin": Out(1),
                "next_piece": Out(1),
                "next_row": Out(1),
                "address": In(config.bus.address_width - 2),
                "through": In(config.bus.address_width - 2),
                "misaligned": In(1),
                "row_ends": In(1),
                "ends": In(1),
                "start": Out(1),
                "idle": In(1),
                "fetches": Out(1),
                "offers": Out(1),
                "accepted": In(1),
                "finished": Out(1),
                "ended": Out(1),
                **{fault: Out(1) for fault in FAULTS},
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        # Stays as it is when the machine stops: a burst may be under way.
        fetches = Signal(reset_less=True)
        m.d.comb += self.fetches.eq(fetches)
        opcode = {name: self.opcode == by_name(name).opcode for name in ("END", "LOAD", "STORE")}
        units = Cat(self.opcode == by_name(name).opcode for name in ("PASS", "DRAIN")).any()
        writes = opcode["STORE"] & ~fetches
        # One comparison for both ends of the window.
        place, below = Signal.like(self.address), Signal()
        m.d.comb += below.eq(place < self.stored[2 : config.bus.address_width + 1])

        def look(row):
            m.d.comb += [self.row_en.eq(1), self.row.eq(row)]

        def look_at(name: str):
            look(stored_row(config, name))

        def window(end: str):
            read, write = (stored_row(config, f"{way}_{end}_LOW") for way in ("READ", "WRITE"))
            look(Mux(writes, write, read))

        def stop(fault: str):
            m.d.comb += getattr(self, fault).eq(1)
            m.next = "STOPPED"

        with m.FSM():
            with m.State("NEXT"):
                look_at("LENGTH")
                m.d.sync += fetches.eq(1)
                m.next = "LENGTH"
            with m.State("LENGTH"):
                look_at("PROGRAM_LOW")
                m.next = "PLACE"
                with m.If(self.index == self.stored[: len(self.index)]):
                    stop("no_end")
            with m.State("PLACE"):
                window("START")
                m.d.comb += self.begin.eq(1)
                m.next = "FIRST"
            with m.State("FIRST"):
                window("END")
                m.d.comb += place.eq(self.address)
                m.next = "LAST"
                with m.If(below):
                    stop("bounds")
                with m.If(self.misaligned):
                    stop("alignment")
            with m.State("LAST"):
                m.d.comb += place.eq(self.through)
                m.next = "BURST"
                with m.If(below):
                    m.d.comb += self.start.eq(1)
                with m.Else():
                    stop("bounds")
            with m.State("BURST"):
                window("START")
                with m.If(self.idle):
                    m.next = "FIRST"
                    with m.If(self.fetches):
                        m.next = "DECODE"
                    with m.Elif(~self.row_ends):
                        m.d.comb += self.next_piece.eq(1)
                    with m.Elif(~self.ends):
                        m.d.comb += self.next_row.eq(1)
                    with m.Else():
                        m.d.comb += self.finished.eq(1)
                        m.next = "NEXT"
            with m.State("DECODE"):
                m.d.sync += fetches.eq(0)
                look(stored_row(config, "BASE0_LOW") | self.base << 1)
                with m.If(opcode["LOAD"] | opcode["STORE"]):
                    m.next = "PLACE"
                with m.Elif(units):
                    m.next = "WORK"
                with m.Elif(opcode["END"]):
                    m.d.comb += [self.ended.eq(1), self.finished.eq(1)]
                    m.next = "STOPPED"
                with m.Else():
                    stop("malformed")
            with m.State("WORK"):
                m.d.comb += self.offers.eq(1)
                with m.If(self.accepted):
                    m.d.comb += self.finished.eq(1)
                    m.next = "NEXT"
            with m.State("STOPPED"):
                pass
        return m
