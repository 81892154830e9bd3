"""One bank of the activation buffer."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..config import Config
from ..memory import RAM
from .arbiter import Arbiter
from .unreset import unreset

__all__ = ["ActivationBank", "row_write"]


def row_write(config: Config) -> data.StructLayout:
    """A write as a bank sees it: its own row, the word, and which bytes of it."""
    return data.StructLayout(
        {
            "row": ceil_log2(config.activation_rows),
            "data": config.vector_bits,
            "mask": config.vector_bits // 8,
        }
    )


class ActivationBank(wiring.Component):
    """A memory with many readers and writers, of which one each is served in a cycle.

    Cycle 0: arbitration. 1: the winner's row (and data) is chosen from all. 2: the memory is
    accessed. 3: it answers. 4: ``answer`` with its reader's bit.

    A row that would be read and written in one cycle makes ``conflict`` high in that cycle: the
    write is done, and ``hold`` must make the read wait. All banks hold together, so that answers
    stay in order.

    Members
    -------
    read_requests : In(readers), read_grants : Out(readers)
        Who asks, and who wins, in the same cycle. With ``hold`` a read grant has no effect.
    rows : Array of In
        Row of each reader, in the cycle after its grant and while ``hold`` lasts then.
    write_requests : In(writers), write_grants : Out(writers)
        Likewise.
    writes : Array of In(row_write)
        The write of each writer, in the cycle after its grant.
    conflict : Out(1), hold : In(1)
        ``hold`` must be high if ``conflict`` of any bank is.
    answer : Out(vector_bits), answer_valid : Out(readers)
        A word that was read, and whose it is.
    """

    def __init__(self, config: Config, *, readers: int, writers: int):
        self._config = config
        self._readers = readers
        self._writers = writers
        row = ceil_log2(config.activation_rows)
        super().__init__(
            {
                "read_requests": In(readers),
                "read_grants": Out(readers),
                "rows": In(row).array(readers),
                "write_requests": In(writers),
                "write_grants": Out(writers),
                "writes": In(row_write(config)).array(writers),
                "conflict": Out(1),
                "hold": In(1),
                "answer": Out(config.vector_bits),
                "answer_valid": Out(readers),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.read_arbiter = read_arbiter = Arbiter(ways=self._readers)
        m.submodules.write_arbiter = write_arbiter = Arbiter(ways=self._writers)
        m.submodules.ram = ram = RAM(
            depth=config.activation_rows,
            width=config.vector_bits,
            granularity=8,
            style="macro" if config.memory.style == "macro" else "block",
            name="activations",
        )

        def chosen(grants, values):
            """The value of the one that is granted, else 0."""
            picked = Const(0)
            for n, value in enumerate(values):
                value = Value.cast(value)
                picked = picked | (value & grants[n].replicate(len(value)))
            return picked

        reader, writer = Signal(self._readers), Signal(self._writers)
        m.d.comb += [
            read_arbiter.requests.eq(self.read_requests),
            read_arbiter.advance.eq(~self.hold),
            self.read_grants.eq(read_arbiter.grant),
            write_arbiter.requests.eq(self.write_requests),
            write_arbiter.advance.eq(1),
            self.write_grants.eq(write_arbiter.grant),
        ]
        m.d.sync += writer.eq(self.write_grants)

        # What the memory does in this cycle, and what it will do in the next unless it holds.
        # That it reads at all is a register of its own: it enables many memories, far apart.
        reads, read_row = Signal(), Signal(ram.addr_width, reset_less=True)
        reading = Signal(self._readers)
        next_read_row = Signal.like(read_row)
        writing, write = Signal(), Signal(row_write(config), reset_less=True)
        next_write = Signal.like(write)
        m.d.comb += [
            next_read_row.eq(chosen(reader, self.rows)),
            Value.cast(next_write).eq(chosen(writer, self.writes)),
        ]
        m.d.sync += [writing.eq(writer.any()), write.eq(next_write)]
        with m.If(self.hold):
            m.d.sync += self.conflict.eq(reads & writer.any() & (read_row == next_write.row))
        with m.Else():
            m.d.sync += [
                reader.eq(self.read_grants),
                reading.eq(reader),
                reads.eq(reader.any()),
                read_row.eq(next_read_row),
                self.conflict.eq(reader.any() & writer.any() & (next_read_row == next_write.row)),
            ]

        read = Signal(self._readers)
        m.d.comb += [
            ram.w_en.eq(writing),
            ram.w_addr.eq(write.row),
            ram.w_data.eq(write.data),
            ram.w_mask.eq(write.mask),
            ram.r_en.eq(reads & ~self.hold),
            ram.r_addr.eq(read_row),
        ]
        # Block RAM answers late in its cycle: the data get a cycle of their own before they are
        # dealt to the readers.
        m.d.sync += [
            read.eq(reading & (~self.hold).replicate(self._readers)),
            self.answer_valid.eq(read),
            unreset(m, self.answer).eq(ram.r_data),
        ]
        return m
