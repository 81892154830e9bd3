"""Start, end, error and reset of the machine."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...isa.registers import UNITS, ErrorCode, State

__all__ = ["FAULTS", "Sequencer", "status"]

status = data.StructLayout({"state": 4, "error": 4, "unit": 4, "detail": 4, "bus_idle": 1})
"""The register STATUS."""

FAULTS = {
    "malformed": (ErrorCode.MALFORMED, "fetch"),  # first: ``detail`` is of this one
    "no_end": (ErrorCode.NO_END, "fetch"),
    "fetch_alignment": (ErrorCode.ALIGNMENT, "fetch"),
    "load_alignment": (ErrorCode.ALIGNMENT, "load"),
    "store_alignment": (ErrorCode.ALIGNMENT, "store"),
    "fetch_bounds": (ErrorCode.READ_BOUNDS, "fetch"),
    "load_bounds": (ErrorCode.READ_BOUNDS, "load"),
    "store_bounds": (ErrorCode.WRITE_BOUNDS, "store"),
    "fetch_response": (ErrorCode.READ_RESPONSE, "fetch"),
    "load_response": (ErrorCode.READ_RESPONSE, "load"),
    "store_response": (ErrorCode.WRITE_RESPONSE, "store"),
    **{f"{unit}_overflow": (ErrorCode.TOKEN_OVERFLOW, unit) for unit in UNITS},
    "watchdog": (ErrorCode.WATCHDOG, "fetch"),
}
"""What stops the machine: the error it is reported as, and of which unit. If several come at once,
the first counts."""


class Sequencer(wiring.Component):
    """The state of the machine.

    idle → (``start``) → running → (``ended``) → idle; running → (a fault) → error; any →
    (``reset``) → resetting → (at least two cycles, and until the bus is idle) → idle. An end or a
    fault counts in the cycle after it: much is between them and the state.

    Parameters
    ----------
    index_bits : int
        Bits of the number of an instruction.

    Members
    -------
    start, reset : In(1)
        Strobes from software.
    ended : In(1)
        Strobe: the program has ended.
    <fault> : In(1)
        For each of :data:`FAULTS`: strobe; counts only while running.
    detail : In(4)
        With ``malformed``.
    load_index, store_index, fetch_index : In
        Which instruction the unit is at; the other units use that of ``fetch``.
    bus_idle : In(1)
    begin : Out(1)
        Strobe: a program starts in the next cycle.
    running : Out(1)
    unit_reset : Out(1)
        While resetting.
    abandon : Out(1)
        The bus must come to rest: error, or resetting.
    finished, failed : Out(1)
        Strobes for the interrupts.
    status, index : Out
        For software.
    """

    def __init__(self, *, index_bits: int):
        super().__init__(
            {
                "start": In(1),
                "reset": In(1),
                "ended": In(1),
                **{name: In(1) for name in FAULTS},
                "detail": In(4),
                "fetch_index": In(index_bits),
                "load_index": In(index_bits),
                "store_index": In(index_bits),
                "bus_idle": In(1),
                "begin": Out(1),
                "running": Out(1),
                "unit_reset": Out(1),
                "abandon": Out(1),
                "finished": Out(1),
                "failed": Out(1),
                "status": Out(status),
                "index": Out(index_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        state = Signal(State)
        found = Signal(len(FAULTS))
        ended, fault = Signal(), Signal()
        detail = Signal.like(self.detail)
        waited = Signal()
        report = Signal(data.StructLayout({"error": 4, "unit": 4, "detail": 4}))
        m.d.comb += [
            fault.eq(found.any()),
            self.status.state.eq(state),
            self.status.error.eq(report.error),
            self.status.unit.eq(report.unit),
            self.status.detail.eq(report.detail),
            self.status.bus_idle.eq(self.bus_idle),
        ]
        # What the state means for others, set with it: it goes far.
        running, abandon, unit_reset = self.running, self.abandon, self.unit_reset
        m.d.sync += [
            found.eq(Cat(getattr(self, name) & running for name in FAULTS)),
            ended.eq(self.ended & running),
            detail.eq(self.detail),
        ]
        with m.Switch(state):
            with m.Case(State.IDLE):
                with m.If(self.start):
                    m.d.comb += self.begin.eq(1)
                    m.d.sync += [state.eq(State.RUNNING), running.eq(1)]
            with m.Case(State.RUNNING):
                with m.If(fault):
                    m.d.comb += self.failed.eq(1)
                    self._report(m, report, found, detail)
                    m.d.sync += [state.eq(State.ERROR), running.eq(0), abandon.eq(1)]
                with m.Elif(ended):
                    m.d.comb += self.finished.eq(1)
                    m.d.sync += [state.eq(State.IDLE), running.eq(0)]
            with m.Case(State.RESETTING):
                m.d.sync += [waited.eq(1), self.index.eq(0), report.eq(0)]
                with m.If(waited & self.bus_idle):
                    m.d.sync += [state.eq(State.IDLE), abandon.eq(0), unit_reset.eq(0)]
        # A reset may come in any state, and begins anew in its own.
        with m.If(self.reset):
            m.d.sync += [state.eq(State.RESETTING), running.eq(0), waited.eq(0)]
            m.d.sync += [abandon.eq(1), unit_reset.eq(1)]
        return m

    def _report(self, m, report, found, detail):
        """Keep what is wrong; later assignments win, so the first fault is the last one here."""
        unit = Signal.like(report.unit)
        for n, (error, who) in reversed(list(enumerate(FAULTS.values()))):
            with m.If(found[n]):
                m.d.comb += unit.eq(UNITS.index(who))
                m.d.sync += report.error.eq(error)
        m.d.sync += [
            report.unit.eq(unit),
            report.detail.eq(Mux(found[0], detail, 0)),
            self.index.eq(self.fetch_index),
        ]
        for who, index in (("load", self.load_index), ("store", self.store_index)):
            with m.If(unit == UNITS.index(who)):
                m.d.sync += self.index.eq(index)
