"""The control: registers, memory port, and everything that runs a program."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped
from amaranth.utils import exact_log2

from ...config import Config
from ...isa.registers import UNITS, counters, number_bits, registers
from ..local_reset import add_with_reset
from .decoder import queued_units
from .load import LoadUnit
from .memory_port import MemoryPort
from .performance import PerformanceCounters
from .ports import REGISTER_ADDRESS_BITS, control_ports
from .program import ProgramRunner
from .register_file import RegisterFile
from .sequencer import Sequencer
from .store import StoreUnit
from .watchdog import Watchdog

__all__ = ["Control"]

EXTERNAL = {"array": ("passes", "pass_done"), "drain": ("drains", "drain_done")}
VECTOR = {"vector": ("vectors", "vector_done")}


class Control(wiring.Component):
    """Runs programs: fetches and checks instructions, orders them by tokens, loads and stores, and
    hands passes, drains and vector operations to the other blocks.

    The machine is idle, runs a program, or has stopped at an error. In the error state nothing new
    is begun: no burst is issued, no tokens are granted, and a write burst that has begun ends
    without strobes. A soft reset leads from every state back to idle, as soon as the memory has
    answered what was under way: AXI's rules are kept throughout. Registers that software has
    written keep their values.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    See :func:`hwgen.rtl.control.ports.control_ports`.
    """

    def __init__(self, config: Config):
        self._config = config
        self._external = EXTERNAL | (VECTOR if config.drain.pool else {})
        super().__init__(control_ports(config))

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.sequencer = sequencer = Sequencer(index_bits=number_bits(config))
        m.submodules.registers = bank = RegisterFile(
            registers(config), address_width=REGISTER_ADDRESS_BITS
        )
        m.submodules.memory_port = port = MemoryPort(config)
        m.submodules.watchdog = watchdog = Watchdog(bits=config.control.watchdog_bits)
        # These forget everything at a soft reset; the ones above see to it that the bus does not
        # notice.
        runner, load, store = ProgramRunner(config), LoadUnit(config), StoreUnit(config)
        for name, unit in (("runner", runner), ("load", load), ("store", store)):
            add_with_reset(m, name, unit, sequencer.unit_reset)

        connect(m, flipped(self.s_axi), bank.axi)
        connect(m, port.axi, flipped(self.m_axi))
        self._connect_registers(m, bank, sequencer, runner, port, load, store)
        self._connect_units(m, runner, port, load, store)
        self._connect_faults(m, sequencer, runner, port, load, store)
        counts = self._count(m, bank, sequencer, runner, port)

        done = Cat(getattr(runner, f"{unit}_done") for unit in queued_units(config))
        m.d.comb += [
            sequencer.ended.eq(runner.ended),
            sequencer.bus_idle.eq(port.idle),
            runner.start.eq(sequencer.begin),
            counts.clear.eq(sequencer.begin),
            runner.hold.eq(~sequencer.running),
            port.abandon.eq(sequencer.abandon),
            port.reset.eq(sequencer.unit_reset),
            self.unit_reset.eq(sequencer.unit_reset),
            watchdog.running.eq(sequencer.running),
            watchdog.limit.eq(bank.watchdog),
            sequencer.watchdog.eq(watchdog.bark),
        ]
        m.d.sync += watchdog.moved.eq(done.any() | port.moved | runner.dispatched | self.progress)
        return m

    def _connect_registers(self, m, bank, sequencer, runner, port, load, store):
        def wide(name: str):
            """Both halves of a number; the upper one has no bits where addresses are short."""
            halves = (getattr(bank, f"{name}_{half}", None) for half in ("low", "high"))
            return Cat(half for half in halves if half is not None)

        was_resetting = Signal()
        m.d.sync += was_resetting.eq(sequencer.unit_reset)
        m.d.comb += [
            # In the cycle after a reset the blocks are still being reset.
            sequencer.start.eq(bank.control[0] & ~was_resetting),
            sequencer.reset.eq(bank.control[1]),
            bank.status.eq(sequencer.status),
            bank.error_index.eq(sequencer.index),
            bank.interrupt_status_set.eq(Cat(sequencer.finished, sequencer.failed)),
            bank.interrupt_status_clear.eq(sequencer.unit_reset),
            self.irq.eq((bank.interrupt_status & bank.interrupt_enable).any()),
            runner.address.eq(wide("program")),
            runner.length.eq(bank.length),
            port.read_start.eq(wide("read_start")),
            port.read_end.eq(wide("read_end")),
            port.write_start.eq(wide("write_start")),
            port.write_end.eq(wide("write_end")),
        ]
        if self._config.array.gated:
            m.d.comb += [self.count_index.eq(bank.count_index), bank.count.eq(self.count)]
        for n in range(self._config.control.bases):
            m.d.comb += [load.bases[n].eq(wide(f"base{n}")), store.bases[n].eq(wide(f"base{n}"))]

    def _connect_units(self, m, runner, port, load, store):
        connect(m, runner.requests, port.fetch_requests)
        connect(m, port.fetch_beats, runner.beats)
        connect(m, runner.load, load.command)
        connect(m, load.requests, port.load_requests)
        connect(m, port.load_beats, load.beats)
        connect(m, load.activation_writes, flipped(self.activation_writes))
        connect(m, load.weight_writes, flipped(self.weight_writes))
        connect(m, load.record_writes, flipped(self.record_writes))
        connect(m, runner.store, store.command)
        connect(m, store.addresses, flipped(self.activation_requests))
        connect(m, flipped(self.activation_data), store.words)
        connect(m, store.requests, port.store_requests)
        connect(m, store.beats, port.store_beats)
        m.d.comb += [
            runner.load_done.eq(load.done),
            runner.store_done.eq(store.done),
            store.quiet.eq(port.store_quiet),
        ]
        for unit, (commands, done) in self._external.items():
            connect(m, getattr(runner, unit), flipped(getattr(self, commands)))
            m.d.comb += getattr(runner, f"{unit}_done").eq(getattr(self, done))

    def _connect_faults(self, m, sequencer, runner, port, load, store):
        m.d.comb += [
            sequencer.malformed.eq(runner.malformed),
            sequencer.detail.eq(runner.reason),
            sequencer.no_end.eq(runner.no_end),
            sequencer.fetch_alignment.eq(runner.misaligned),
            sequencer.load_alignment.eq(load.misaligned),
            sequencer.store_alignment.eq(store.misaligned),
            sequencer.fetch_index.eq(runner.fetch_index),
            sequencer.load_index.eq(runner.load_index),
            sequencer.store_index.eq(runner.store_index),
        ]
        for unit in ("fetch", "load", "store"):
            for kind in ("bounds", "response"):
                name = f"{unit}_{kind}"
                m.d.comb += getattr(sequencer, name).eq(getattr(port, name))
        for number, unit in enumerate(UNITS):
            m.d.comb += getattr(sequencer, f"{unit}_overflow").eq(runner.overflow[number])

    def _count(self, m, bank, sequencer, runner, port):
        """The performance counters, and what each counts."""
        beat = exact_log2(self._config.bus.data_width // 8)
        happens = {
            "CYCLES": C(1, 1),
            "INSTRUCTIONS": runner.dispatched,
            "ARRAY_BUSY": self.busy,
            "ARRAY_STARVED": self.starved,
            "ARRAY_UNLOADED": self.unloaded,
            "ARRAY_INTERLOCKED": self.interlocked,
            "BYTES_READ": port.read_beat << beat,
            "BYTES_WRITTEN": port.write_beat << beat,
            "FIRED": self.fired,
        }
        for unit in queued_units(self._config):
            happens[f"WAITING_{unit.upper()}"] = getattr(runner, f"{unit}_waiting")
            happens[f"BUSY_{unit.upper()}"] = getattr(runner, f"{unit}_busy")
        inputs = {name: happens.get(name, C(0, 1)) for name in counters(self._config)}
        m.submodules.counters = counts = PerformanceCounters(
            inputs={name: len(value) for name, value in inputs.items()},
            amounts={"BYTES_READ", "BYTES_WRITTEN", "FIRED"},
        )
        m.d.comb += counts.enable.eq(sequencer.running)
        for name, value in inputs.items():
            count = name.lower()
            m.d.comb += [
                getattr(counts, f"{count}_input").eq(value),
                getattr(bank, count).eq(getattr(counts, count)),
            ]
        return counts
