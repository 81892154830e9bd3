"""Small designs that between them have everything an emitter must get right."""

from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwgen.memory import RAM


class Opcode(enum.Enum, shape=unsigned(2)):
    """What :class:`Alu` does."""

    ADD = 0
    SUB = 1
    MUL = 2
    SHIFT = 3


class Operands(data.Struct):
    """A payload with signed, unsigned and enumerated fields."""

    a: signed(6)
    b: signed(6)
    op: Opcode


class Alu(wiring.Component):
    """Signed arithmetic on a struct, one register deep.

    Parameters
    ----------
    width : int
        Bits of the result.
    """

    def __init__(self, *, width: int):
        self.width = width
        super().__init__({"operands": In(Operands), "result": Out(signed(width)), "less": Out(1)})

    def elaborate(self, platform):
        m = Module()
        a, b = self.operands.a, self.operands.b
        m.d.sync += self.less.eq(a < b)
        with m.Switch(self.operands.op):
            with m.Case(Opcode.ADD):
                m.d.sync += self.result.eq(a + b)
            with m.Case(Opcode.SUB):
                m.d.sync += self.result.eq(a - b)
            with m.Case(Opcode.MUL):
                m.d.sync += self.result.eq(a * b)
            with m.Case(Opcode.SHIFT):
                m.d.sync += self.result.eq(a >> b[:3])
        return m


class Divider(wiring.Component):
    """Quotients and remainders, rounded down as in Python, and products with constants."""

    def __init__(self):
        super().__init__(
            {
                "a": In(signed(7)),
                "b": In(signed(4)),
                "u": In(5),
                "quotient": Out(signed(8)),
                "remainder": Out(signed(4)),
                "unsigned_quotient": Out(7),
                "scaled": Out(signed(12)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.quotient.eq(self.a // self.b),
            self.remainder.eq(self.a % self.b),
            self.scaled.eq(-self.a * 5 + Mux(self.a < 0, self.u, -1)),
        ]
        m.d.sync += self.unsigned_quotient.eq(self.a[:7] // self.u)
        return m


class Selector(wiring.Component):
    """Parts, arrays, priority and shared bits: what reads and writes some of the bits."""

    def __init__(self):
        super().__init__(
            {
                "value": In(16),
                "number": In(signed(9)),
                "index": In(2),
                "place": In(4),
                "word": Out(4),
                "bits": Out(3),
                "outside": Out(6),
                "chosen": Out(signed(9)),
                "first": Out(3),
                "mixed": Out(8),
                "parity": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.word.eq(self.value.word_select(self.index, 4)),
            self.bits.eq(self.value.bit_select(self.place, 3)),
            self.outside.eq(self.number.bit_select(self.place, 6)),
            self.chosen.eq(Array([self.number, self.value[:5], -self.number, 7])[self.index]),
            self.mixed[4:].eq(self.value[:4]),
        ]
        m.d.sync += self.parity.eq(self.value.xor() ^ self.number.bool())
        with m.If(self.value[0]):
            m.d.comb += self.first.eq(1)
        with m.Elif(self.value[1]):
            m.d.comb += self.first.eq(2)
        with m.Elif(self.number > self.value[4:8].as_signed()):
            m.d.comb += self.first.eq(3)
        with m.Else():
            m.d.comb += self.first.eq(4)
            m.d.comb += self.mixed[:2].eq(self.index)
        with m.Switch(self.place):
            with m.Case("1--0", "11-1"):
                m.d.comb += self.mixed[3].eq(1)
            with m.Case("--10"):
                m.d.comb += self.mixed[2].eq(1)
            with m.Default():
                m.d.comb += self.mixed[6].eq(self.value[15])
        return m


class Registers(wiring.Component):
    """Parts of registers assigned after choices, and a register without reset."""

    def __init__(self):
        super().__init__(
            {
                "load": In(1),
                "value": In(8),
                "flags": In(2),
                "state": Out(8, init=0x5A),
                "held": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kept = Signal(8, reset_less=True)
        with m.If(self.load):
            m.d.sync += kept.eq(self.value)
            with m.If(self.flags[0]):
                m.d.sync += self.state.eq(self.value)
            m.d.sync += self.state[3:6].eq(self.flags)
        with m.Else():
            m.d.sync += self.state.eq(self.state.rotate_left(1))
        m.d.sync += self.held.eq(kept)
        return m


class Halves(wiring.Component):
    """A payload of which some fields are registers, and registers that nobody named."""

    def __init__(self):
        super().__init__({"i": In(Operands), "o": Out(Operands), "seen": Out(2)})

    def elaborate(self, platform):
        m = Module()
        first, second = Signal(), Signal()
        m.d.comb += [self.o.a.eq(self.i.a + second), self.seen.eq(Cat(first, second))]
        m.d.sync += [first.eq(self.i.op == Opcode.MUL), second.eq(first)]
        with m.If(first):
            m.d.sync += [self.o.b.eq(self.i.b), self.o.op.eq(self.i.op)]
        return m


class Sequence(wiring.Component):
    """A state machine with names of states, and a counter it shares with nobody."""

    def __init__(self):
        super().__init__({"go": In(1), "busy": Out(1), "count": Out(3), "phase": Out(2)})

    def elaborate(self, platform):
        m = Module()
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.go):
                    m.d.sync += self.count.eq(0)
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [self.busy.eq(1), self.phase.eq(1)]
                m.d.sync += self.count.eq(self.count + 1)
                with m.If(self.count == 5):
                    m.next = "STOP"
            with m.State("STOP"):
                m.d.comb += self.phase.eq(2)
                m.next = "IDLE"
        return m


class Stores(wiring.Component):
    """All kinds of memory: block and LUT RAM, write masks, asynchronous reads, a table,
    transparent reads."""

    def __init__(self):
        super().__init__(
            {
                "w_en": In(1),
                "w_addr": In(3),
                "w_data": In(8),
                "w_mask": In(2),
                "r_addr": In(3),
                "blocked": Out(8),
                "looked_up": Out(8),
                "table": Out(6),
                "through": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.block = block = RAM(depth=8, width=8, granularity=4)
        m.submodules.lut = lut = RAM(depth=8, width=8, style="distributed", asynchronous=True)
        m.submodules.rom = rom = Memory(shape=6, depth=8, init=[5, 9, 0, 63, 32, 1, 17, 40])
        m.submodules.wide = wide = Memory(shape=8, depth=8, init=[])
        write = wide.write_port()
        read = wide.read_port(transparent_for=(write,))
        table = rom.read_port(domain="comb")
        m.d.comb += [
            block.w_en.eq(self.w_en),
            block.w_addr.eq(self.w_addr),
            block.w_data.eq(self.w_data),
            block.w_mask.eq(self.w_mask),
            block.r_en.eq(~self.w_en),
            block.r_addr.eq(self.r_addr),
            self.blocked.eq(block.r_data),
            lut.w_en.eq(self.w_en & self.w_mask[0]),
            lut.w_addr.eq(self.w_addr),
            lut.w_data.eq(self.w_data),
            lut.r_addr.eq(self.r_addr),
            self.looked_up.eq(lut.r_data),
            write.en.eq(self.w_en),
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            read.en.eq(self.w_mask[1]),
            read.addr.eq(self.r_addr),
            self.through.eq(read.data),
            table.addr.eq(self.r_addr),
            self.table.eq(table.data),
        ]
        return m


class Link(wiring.Component):
    """A link of a chain: a queue, and a counter of what went through."""

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(Operands)),
                "o": Out(stream.Signature(Operands)),
                "mode": In(2),
                "number": In(4),
                "count": Out(4),
                "unread": Out(4),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.queue = queue = SyncFIFOBuffered(width=14, depth=3)
        m.d.comb += [
            queue.w_data.eq(self.i.payload),
            queue.w_en.eq(self.i.valid),
            self.i.ready.eq(queue.w_rdy),
            self.o.payload.eq(queue.r_data),
            self.o.valid.eq(queue.r_rdy),
            queue.r_en.eq(self.o.ready),
            self.unread.eq(self.count ^ self.number),
        ]
        with m.If(self.i.valid & self.i.ready & (self.mode != 3)):
            m.d.sync += self.count.eq(self.count + self.mode + 1)
        return m


class Chain(wiring.Component):
    """Links that differ in nothing but what their parent ties to their inputs.

    Parameters
    ----------
    links : int
        How many.
    """

    def __init__(self, *, links: int):
        self.links = links
        super().__init__(
            {
                "i": In(stream.Signature(Operands)),
                "o": Out(stream.Signature(Operands)),
                "nested": Out(wiring.Signature({"counts": Out(4).array(links)})),
            }
        )

    def elaborate(self, platform):
        m = Module()
        before = wiring.flipped(self.i)
        for n in range(self.links):
            m.submodules[f"link{n}"] = link = Link()
            wiring.connect(m, before, link.i)
            m.d.comb += [
                link.mode.eq(n % 3),
                link.number.eq(n),
                self.nested.counts[n].eq(link.count),
            ]
            before = link.o
        wiring.connect(m, before, wiring.flipped(self.o))
        return m


class Pair(wiring.Component):
    """Two variants of one class, one of them twice."""

    def __init__(self):
        super().__init__(
            {"operands": In(Operands), "results": Out(signed(16)).array(3), "less": Out(3)}
        )

    def elaborate(self, platform):
        m = Module()
        for n, width in enumerate((16, 9, 16)):
            m.submodules[f"alu{n}"] = alu = Alu(width=width)
            m.d.comb += [
                alu.operands.eq(self.operands),
                self.results[n].eq(alu.result),
                self.less[n].eq(alu.less),
            ]
        return m


class Awkward(wiring.Component):
    """Names that Verilog or its readers would stumble over.

    ``a.b`` and ``a_b`` collide, ``output`` and ``reg`` are keywords, and the submodule is called
    as a port is.
    """

    def __init__(self):
        super().__init__(
            {
                "a": Out(wiring.Signature({"b": In(3)})),
                "a_b": In(3),
                "output": Out(4),
                "reg": Out(3),
                "stop": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.stop = inner = ResetInserter(self.a_b[0])(Sequence())
        m.submodules += Alu(width=7)
        strange = Signal(3, name="odd name's$".replace(" ", "_"))
        m.d.sync += strange.eq(self.a.b ^ self.a_b)
        m.d.comb += [
            inner.go.eq(strange[1]),
            self.output.eq(strange + self.a.b),
            self.reg.eq(inner.count),
            self.stop.eq(inner.busy),
        ]
        return m


class Boxed(wiring.Component):
    """Black boxes: a vendor's cell with parameters, and a memory to be bound to a macro."""

    def __init__(self):
        super().__init__({"a": In(4), "b": In(4), "y": Out(8), "row": Out(8)})

    def elaborate(self, platform):
        m = Module()
        product = Signal(8)
        m.submodules.multiplier = Instance(
            "VENDOR_MUL",
            p_WIDTH=4,
            p_MODE="FAST",
            i_A=self.a,
            i_B=self.b + 1,
            o_Y=product,
        )
        m.submodules.store = store = RAM(depth=16, width=8, granularity=4, style="macro")
        m.d.sync += self.y.eq(product ^ self.a)
        m.d.comb += [
            store.w_en.eq(self.a[0]),
            store.w_addr.eq(self.b),
            store.w_data.eq(product),
            store.w_mask.eq(self.a[1:3]),
            store.r_en.eq(~self.a[0]),
            store.r_addr.eq(self.a),
            self.row.eq(store.r_data),
        ]
        return m


# Designs that run in Amaranth's simulator, by name; each call makes a new one.
SIMULATED = {
    "alu": lambda: Alu(width=12),
    "divider": Divider,
    "selector": Selector,
    "registers": Registers,
    "halves": Halves,
    "machine": Sequence,
    "stores": Stores,
    "chain": lambda: Chain(links=4),
    "pair": Pair,
    "awkward": Awkward,
}

EVERYTHING = SIMULATED | {"boxed": Boxed}
