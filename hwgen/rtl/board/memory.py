"""A memory on chip, behind AXI4 and a second port."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, flipped

from ...memory import RAM
from ..axi import OKAY, SLVERR, AXI4Signature
from .bridge import memory_request

__all__ = ["BoardMemory"]


class BoardMemory(wiring.Component):
    """Answers bursts of full beats, and single words of 32 bits in between.

    A burst is answered at a beat a cycle from the second cycle after its address. The memory has
    one port, as the large ones of an iCE40 UltraPlus do: reading waits while a beat is written. The
    second port waits while a burst of its direction is under way. Addresses beyond the memory are
    answered with SLVERR.

    Parameters
    ----------
    size : int
        Bytes, a power of two.
    address_width, data_width : int
        Of AXI4.

    Members
    -------
    axi : In(AXI4)
        For the accelerator.
    request : In(stream(memory_request)), row : Out(32)
        For the bridge; ``row`` is the word of a request the cycle after it has been accepted.
    """

    def __init__(self, *, size: int, address_width: int, data_width: int):
        self._size = size
        self._data_width = data_width
        super().__init__(
            {
                "axi": In(AXI4Signature(address_width=address_width, data_width=data_width)),
                "request": In(stream.Signature(memory_request(size // 4))),
                "row": Out(32),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = self._data_width
        rows = self._size * 8 // width
        m.submodules.ram = ram = RAM(
            depth=rows, width=width, granularity=8, single_port=True, name="board memory"
        )
        lanes = (width // 32).bit_length() - 1  # bits of a word's place in a row
        lane = Signal(lanes)
        request = self.request.payload
        m.d.comb += self.row.eq(ram.r_data.word_select(lane, 32))
        m.d.sync += lane.eq(request.address[:lanes])
        writing = self.request.valid & request.write
        reading = self.request.valid & ~request.write
        write_free, read_free = Signal(), Signal()
        m.d.comb += self.request.ready.eq(Mux(request.write, write_free, read_free))
        rows = [Signal(ram.addr_width, name=f"{name}_row") for name in ("write", "read")]
        place = Mux(ram.w_en, *rows)
        m.d.comb += [ram.w_addr.eq(place), ram.r_addr.eq(place)]
        self._writes(m, ram, rows[0], writing, write_free, lanes)
        self._reads(m, ram, rows[1], reading, read_free, lanes)
        return m

    def _writes(self, m, ram, place, requested, free, lanes):
        axi, request = flipped(self.axi), self.request.payload
        row, failed = Signal(ram.addr_width + 1), Signal()
        shift = (self._data_width // 8).bit_length() - 1
        m.d.comb += [
            place.eq(row),
            ram.w_data.eq(axi.wdata),
            ram.w_mask.eq(axi.wstrb),
            axi.bresp.eq(Mux(failed, SLVERR, OKAY)),
        ]
        with m.FSM(name="write_state"):
            with m.State("idle"):
                m.d.comb += [free.eq(1), axi.awready.eq(~requested)]
                m.d.sync += [
                    row.eq(axi.awaddr >> shift),
                    failed.eq(axi.awaddr >> (shift + ram.addr_width) != 0),
                ]
                with m.If(requested):
                    m.d.comb += [
                        ram.w_en.eq(1),
                        place.eq(request.address >> lanes),
                        ram.w_data.eq(request.data.replicate(1 << lanes)),
                        ram.w_mask.eq(
                            0b1111 << (request.address[:lanes] << 2) if lanes else 0b1111
                        ),
                    ]
                with m.Elif(axi.awvalid):
                    m.next = "beats"
            with m.State("beats"):
                beyond = row[-1] | failed
                m.d.comb += [axi.wready.eq(1), ram.w_en.eq(axi.wvalid & ~beyond)]
                with m.If(axi.wvalid):
                    m.d.sync += [row.eq(row + 1), failed.eq(beyond)]
                    with m.If(axi.wlast):
                        m.next = "answer"
            with m.State("answer"):
                m.d.comb += axi.bvalid.eq(1)
                with m.If(axi.bready):
                    m.next = "idle"

    def _reads(self, m, ram, place, requested, free, lanes):
        axi, request = flipped(self.axi), self.request.payload
        row, failed = Signal(ram.addr_width + 1), Signal()
        left = Signal(9)  # rows to read
        shift = (self._data_width // 8).bit_length() - 1
        m.d.comb += [
            place.eq(row),
            axi.rdata.eq(ram.r_data),
            axi.rresp.eq(Mux(failed, SLVERR, OKAY)),
            axi.rlast.eq(left == 0),
        ]
        with m.FSM(name="read_state"):
            with m.State("idle"):
                m.d.comb += [free.eq(~ram.w_en), axi.arready.eq(~requested)]
                m.d.sync += [
                    row.eq(axi.araddr >> shift),
                    failed.eq(axi.araddr >> (shift + ram.addr_width) != 0),
                    left.eq(axi.arlen + 1),
                ]
                with m.If(requested):
                    m.d.comb += [ram.r_en.eq(free), place.eq(request.address >> lanes)]
                with m.Elif(axi.arvalid):
                    m.next = "beats"
            with m.State("beats"):
                with m.If(left != 0):
                    with m.If(axi.rready):
                        m.d.sync += axi.rvalid.eq(0)
                    with m.If((~axi.rvalid | axi.rready) & ~ram.w_en):
                        m.d.comb += ram.r_en.eq(1)
                        m.d.sync += [
                            axi.rvalid.eq(1),
                            row.eq(row + 1),
                            left.eq(left - 1),
                            failed.eq(failed | row[-1]),
                        ]
                with m.Elif(axi.rready):
                    m.d.sync += axi.rvalid.eq(0)
                    m.next = "idle"
