"""The loops of a load or a store."""

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from ...config import Config
from ..commands import instruction_layout
from .splitter import bytes_bits

__all__ = ["RowWalker", "copied", "row"]


def copied(name: str, config: Config) -> data.StructLayout:
    """The fields of a LOAD or STORE that both have."""
    members = instruction_layout(name, config).members
    shared = instruction_layout("STORE", config).members
    return data.StructLayout({field: members[field] for field in shared})


def row(config: Config) -> data.StructLayout:
    """A row of a copy: where in memory, how many bytes and words, where in the buffer, and whether
    it is the last."""
    members = instruction_layout("LOAD", config).members
    return data.StructLayout(
        {
            "address": config.bus.address_width,
            "bytes": bytes_bits(config),
            "words": members["words"],
            "buffer": members["buffer"],
            "last": 1,
        }
    )


class RowWalker(wiring.Component):
    """Turns a LOAD or STORE into its rows, plane by plane. One row a cycle, after three cycles.

    Addresses are modulo 2 to the power of their width; the window check finds out if that leads
    astray.

    Parameters
    ----------
    config : Config
        The accelerator.
    name : str
        LOAD or STORE.
    words : list of int
        Bytes of a word; powers of two.
    dense : int
        Bits of an eighth of a dense word; 0: there are none.

    Members
    -------
    i : In(stream)
        The fields that LOAD and STORE share.
    size : In
        Which of ``words``, with ``i``.
    eighths : In
        With ``i``: a row of words of so many eighths, in whole bytes; 0: of whole words. Only with
        ``dense``.
    bases : In(address).array(config.control.bases)
        Base registers; must not change while a command is under way.
    o : Out(stream of row)
    misaligned : Out(1)
        Strobe: the command's address is no multiple of its word; the command is dropped.
    """

    def __init__(self, config: Config, name: str, *, words: list[int], dense: int = 0):
        self._config = config
        self._layout = copied(name, config)
        self._sizes = [exact_log2(word) for word in words]
        self._dense = dense
        super().__init__(
            {
                "i": In(stream.Signature(self._layout)),
                "size": In(bits_for(len(words) - 1)),
                "bases": In(config.bus.address_width).array(config.control.bases),
                "o": Out(stream.Signature(row(config))),
                "misaligned": Out(1),
                **({"eighths": In(3)} if dense else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = self._config.bus.address_width
        command = Signal(self._layout, reset_less=True)
        size = Signal.like(self.size)
        base = Signal(width, reset_less=True)
        at = Signal(
            data.StructLayout({"memory": width, "buffer": self._layout["buffer"].shape}),
            reset_less=True,
        )
        plane = Signal.like(at, reset_less=True)  # where its first row lies
        # Left, this one included; and whether it is the last, which is set with them.
        rows, planes = Signal.like(command["rows"]), Signal.like(command["planes"])
        last_row, last_plane = Signal(), Signal()
        again = [rows.eq(command["rows"]), last_row.eq(command["rows"] == 1)]

        def scaled(value):
            """Words as bytes."""
            result = Signal(len(value) + max(self._sizes))
            with m.Switch(size):
                for n, shift in enumerate(self._sizes):
                    with m.Case(n):
                        m.d.comb += result.eq(value << shift)
            return result

        strides = {
            "row": (scaled(command["row_stride"]), command["buffer_row_stride"]),
            "plane": (scaled(command["plane_stride"]), command["buffer_plane_stride"]),
        }

        def advance(target, origin, stride):
            memory, buffer = strides[stride]
            return [
                target.memory.eq(origin.memory + memory),
                target.buffer.eq(origin.buffer + buffer),
            ]

        loose = Signal()
        with m.Switch(size):
            for n, shift in enumerate(self._sizes):
                with m.Case(n):
                    m.d.comb += loose.eq(at.memory[:shift].any())
        m.d.comb += [
            self.o.payload.address.eq(at.memory),
            self.o.payload.buffer.eq(at.buffer),
            self.o.payload.words.eq(command["words"]),
            self.o.payload.bytes.eq(scaled(command["words"])),
            self.o.payload.last.eq(last_row & last_plane),
        ]
        if self._dense:
            self._count_dense_bytes(m, command)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [command.eq(self.i.payload), size.eq(self.size)]
                m.d.sync += base.eq(Array(self.bases)[self.i.payload["base"]])
                with m.If(self.i.valid):
                    m.next = "START"
            with m.State("START"):
                start = base + command["address"]
                m.d.sync += [at.memory.eq(start), plane.memory.eq(start)]
                m.d.sync += [at.buffer.eq(command["buffer"]), plane.buffer.eq(command["buffer"])]
                m.d.sync += again
                m.d.sync += [planes.eq(command["planes"]), last_plane.eq(command["planes"] == 1)]
                m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += self.misaligned.eq(loose)
                m.next = "WALK"
                with m.If(loose):
                    m.next = "IDLE"
            with m.State("WALK"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += advance(at, at, "row")
                    m.d.sync += [rows.eq(rows - 1), last_row.eq(rows == 2)]
                    with m.If(last_row):
                        m.d.sync += advance(at, plane, "plane") + advance(plane, plane, "plane")
                        m.d.sync += again
                        m.d.sync += [planes.eq(planes - 1), last_plane.eq(planes == 2)]
                        with m.If(last_plane):
                            m.next = "IDLE"
        return m

    def _count_dense_bytes(self, m, command):
        """Those of a row of dense words, known when the row is offered."""
        eighths = Signal.like(self.eighths)
        dense_bits = Signal(len(self.o.payload.bytes) + 3)
        m.d.sync += dense_bits.eq(command["words"] * eighths * self._dense)
        with m.If(self.i.ready):
            m.d.sync += eighths.eq(self.eighths)
        with m.If(eighths != 0):
            m.d.comb += self.o.payload.bytes.eq((dense_bits + 7) >> 3)
