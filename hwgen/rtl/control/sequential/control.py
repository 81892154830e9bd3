"""The sequential control: the same as :class:`~hwgen.rtl.control.control.Control` to software."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from ....config import Config
from ....isa.checks import Reason
from ....isa.instructions import by_name
from ....isa.registers import number_bits
from ..check import fields_of
from ..performance import PerformanceCounters
from ..sequencer import Sequencer
from ..watchdog import Watchdog
from .burst_master import BurstMaster
from .copier import Copier
from .instruction import InstructionRegister
from .ports import sequential_control_ports
from .registers import SequentialRegisters
from .runner import Runner

__all__ = ["SequentialControl"]

RECORDS = 2  # target of a LOAD


class SequentialControl(wiring.Component):
    """Runs programs, one instruction after the other, each to its end.

    So nothing ever waits for tokens, and one burst master, one set of pointers and one register for
    the instruction are enough. Fields are not checked. At an error, and at a soft reset, a burst
    that has begun goes on to its end; the units are reset when the bus is at rest.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    See :func:`hwgen.rtl.control.sequential.ports.sequential_control_ports`.
    """

    def __init__(self, config: Config):
        self._config = config
        super().__init__(sequential_control_ports(config))

    def elaborate(self, platform):
        m = Module()
        config = self._config
        bits = number_bits(config)
        m.submodules.sequencer = sequencer = Sequencer(index_bits=bits)
        m.submodules.registers = bank = SequentialRegisters(config)
        m.submodules.master = master = BurstMaster(config)
        m.submodules.copier = copier = Copier(config)
        m.submodules.instruction = instruction = InstructionRegister(config)
        m.submodules.runner = runner = ResetInserter(~sequencer.running)(Runner(config))
        m.submodules.watchdog = watchdog = Watchdog(bits=config.control.watchdog_bits)
        m.submodules.counters = counters = PerformanceCounters(inputs={"CYCLES": 1}, amounts=set())

        connect(m, flipped(self.s_axi), bank.axi)
        connect(m, master.axi, flipped(self.m_axi))
        index = Signal(bits)
        with m.If(sequencer.begin):
            m.d.sync += index.eq(0)
        with m.Elif(runner.finished & ~runner.ended):
            m.d.sync += index.eq(index + 1)

        at_rest = Signal()  # in two cycles of a reset
        m.d.sync += at_rest.eq(master.idle)
        m.d.comb += [
            sequencer.start.eq(bank.control[0]),
            sequencer.reset.eq(bank.control[1]),
            sequencer.ended.eq(runner.ended),
            sequencer.bus_idle.eq(at_rest),
            self.unit_reset.eq(sequencer.unit_reset & master.idle),
            bank.status.eq(sequencer.status),
            bank.error_index.eq(index),
            bank.interrupt_status_set.eq(Cat(sequencer.finished, sequencer.failed)),
            bank.interrupt_status_clear.eq(sequencer.unit_reset),
            self.irq.eq((bank.interrupt_status & bank.interrupt_enable).any()),
            bank.cycles.eq(counters.cycles),
            counters.clear.eq(sequencer.begin),
            counters.enable.eq(sequencer.running),
            counters.cycles_input.eq(1),
            watchdog.limit.eq(bank.watchdog),
            watchdog.running.eq(sequencer.running & ~runner.offers),
            sequencer.watchdog.eq(watchdog.bark),
            runner.index.eq(index),
            runner.stored.eq(bank.stored),
            bank.row_en.eq(runner.row_en & sequencer.running),
            bank.row.eq(runner.row),
        ]
        m.d.sync += watchdog.moved.eq(master.moved)
        self._connect_copies(m, runner, copier, master, instruction, bank, index)
        self._connect_units(m, runner, instruction)
        self._connect_faults(m, sequencer, runner, master, instruction)
        return m

    def _connect_copies(self, m, runner, copier, master, instruction, bank, index):
        """Bursts, and where their words come from or go to."""
        fields = fields_of(instruction.word, "LOAD")
        stores = (instruction.word[:8] == by_name("STORE").opcode) & ~runner.fetches
        blocks = runner.fetches | ((fields.target == RECORDS) & ~stores)
        m.d.comb += [
            copier.fields.eq(fields),
            copier.fetches.eq(runner.fetches),
            copier.blocks.eq(blocks),
            copier.index.eq(index),
            copier.begin.eq(runner.begin),
            copier.origin.eq(bank.stored),
            copier.next_piece.eq(runner.next_piece),
            copier.next_row.eq(runner.next_row),
            copier.word.eq(self.read_en | (master.arrived & (~blocks | master.last))),
            runner.opcode.eq(instruction.word),
            runner.base.eq(fields.base),
            runner.address.eq(copier.address),
            runner.through.eq(copier.through),
            runner.misaligned.eq(copier.misaligned),
            runner.row_ends.eq(copier.row_ends),
            runner.ends.eq(copier.ends),
            runner.idle.eq(master.idle),
            master.start.eq(runner.start),
            master.write.eq(stores),
            master.address.eq(copier.address),
            master.beats.eq(copier.beats),
            master.data.eq(self.read_data),
            self.read_en.eq((runner.start & stores) | master.following),
            self.read_address.eq(copier.buffer),
            instruction.en.eq(master.arrived & runner.fetches),
            instruction.beat.eq(~master.left),
            instruction.data.eq(self.m_axi.rdata),
            self.write_valid.eq(master.arrived & ~runner.fetches),
            self.write.target.eq(fields.target),
            self.write.address.eq(copier.buffer),
            self.write.part.eq(~master.left),
            self.write.data.eq(self.m_axi.rdata),
        ]

    def _connect_units(self, m, runner, instruction):
        for name, unit in (("PASS", self.passes), ("DRAIN", self.drains)):
            fields = fields_of(instruction.word, name)
            mine = instruction.word[:8] == by_name(name).opcode
            m.d.comb += unit.valid.eq(runner.offers & mine)
            m.d.comb += [unit.payload[f].eq(fields[f]) for f in unit.payload.shape().members]
            with m.If(mine):
                m.d.comb += runner.accepted.eq(unit.ready)

    def _connect_faults(self, m, sequencer, runner, master, instruction):
        """Whose fault it is: of what is copied."""
        stores = instruction.word[:8] == by_name("STORE").opcode
        who = {
            "fetch": runner.fetches,
            "load": ~runner.fetches & ~stores,
            "store": ~runner.fetches & stores,
        }
        m.d.comb += [
            sequencer.malformed.eq(runner.malformed),
            sequencer.detail.eq(Reason.OPCODE),
            sequencer.no_end.eq(runner.no_end),
        ]
        for unit, his in who.items():
            for kind, happens in (
                ("alignment", runner.alignment),
                ("bounds", runner.bounds),
                ("response", master.failed),
            ):
                m.d.comb += getattr(sequencer, f"{unit}_{kind}").eq(happens & his)
