"""Everything between instructions in memory and commands for the units."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ...config import Config
from ...isa.checks import token_count
from ...isa.registers import UNITS, number_bits
from ..commands import instruction_layout
from .decoder import Decoder, index_bits, queued_units
from .fetch import Fetch
from .splitter import request
from .tokens import TokenCounters
from .unit_queue import UnitQueue

__all__ = ["PASSES_IN_FLIGHT", "ProgramRunner"]

PASSES_IN_FLIGHT = 4
"""Passes that have their tokens and are not done: the array begins one while it ends another."""


class ProgramRunner(wiring.Component):
    """Fetch, decoder, tokens and queues: a program goes in, commands for each unit come out.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    start : In(1)
        Strobe: begin the program at ``address`` of ``length`` instructions.
    hold : In(1)
        Between programs, and after a fault: grants no tokens, so that nothing new begins, and
        forgets those that there were.
    ended : Out(1)
        Strobe: END has been reached, and every unit is done.
    requests, beats : Out(stream of request), In(stream)
        To and from memory.
    <unit> : Out(stream)
        Commands of load, store, array, drain and, with ``drain.pool``, vector.
    <unit>_done : In(1)
        Strobe: the unit's oldest command has ended.
    <unit>_busy, <unit>_waiting : Out(1)
        A command is under way; the next one waits for tokens.
    load_index, store_index, fetch_index : Out
        Which instruction they are at.
    malformed, reason, misaligned, no_end : Out
        What is wrong with the program.
    overflow : Out(units)
        A token counter was full; which unit posted to it.
    dispatched : Out(1)
        Strobe: an instruction has left the decoder.
    """

    def __init__(self, config: Config):
        self._config = config
        self._decoder = Decoder(config)
        units = {}
        for unit, name in queued_units(config).items():
            units |= {
                unit: Out(stream.Signature(instruction_layout(name, config))),
                f"{unit}_done": In(1),
                f"{unit}_busy": Out(1),
                f"{unit}_waiting": Out(1),
            }
        super().__init__(
            {
                "start": In(1),
                "address": In(config.bus.address_width),
                "length": In(number_bits(config)),
                "hold": In(1),
                "ended": Out(1),
                "requests": Out(stream.Signature(request(config))),
                "beats": In(stream.Signature(unsigned(config.bus.data_width))),
                **units,
                "load_index": Out(number_bits(config)),
                "store_index": Out(number_bits(config)),
                "fetch_index": Out(number_bits(config)),
                "malformed": Out(1),
                "reason": Out(len(self._decoder.reason)),
                "misaligned": Out(1),
                "no_end": Out(1),
                "overflow": Out(len(UNITS)),
                "dispatched": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = Fetch(self._config)
        m.submodules.decoder = decoder = self._decoder
        m.submodules.tokens = tokens = TokenCounters(
            units=len(UNITS),
            tokens=token_count(self._config),
            bits=self._config.control.token_bits,
        )
        connect(m, fetch.requests, flipped(self.requests))
        connect(m, flipped(self.beats), fetch.beats)
        connect(m, fetch.o, decoder.i)
        own = UNITS.index("fetch")
        idle = [fetch.idle]
        for n, (unit, name) in enumerate(queued_units(self._config).items()):
            queue = self._queue(m, unit, name, tokens)
            idle.append(queue.idle)
            waiting = decoder.waiting[n] | (queue.asking & ~queue.granted)
            m.d.comb += getattr(self, f"{unit}_waiting").eq(waiting)
        m.d.comb += [
            fetch.start.eq(self.start),
            fetch.address.eq(self.address),
            fetch.length.eq(self.length),
            fetch.stop.eq(decoder.stopping),
            tokens.hold.eq(self.hold),
            tokens.asking[own].eq(decoder.asking),
            tokens.ask[own].eq(decoder.ask),
            tokens.post[own].eq(0),
            decoder.granted.eq(tokens.granted[own]),
            decoder.quiet.eq(Cat(idle).all()),
            self.ended.eq(decoder.ended),
            self.fetch_index.eq(decoder.index),
            self.malformed.eq(decoder.malformed),
            self.reason.eq(decoder.reason),
            self.misaligned.eq(fetch.misaligned),
            self.no_end.eq(fetch.exhausted & ~decoder.stopping),
            self.dispatched.eq(decoder.dispatched),
        ]
        # Of the cycle before. The program cannot have ended since.
        held = Signal()
        m.d.sync += held.eq(self.hold)
        m.d.comb += self.overflow.eq(Mux(held, 0, tokens.overflow))
        return m

    def _queue(self, m, unit: str, name: str, tokens) -> UnitQueue:
        """The queue of a unit, connected to all but the unit's idleness."""
        queue = UnitQueue(
            instruction_layout(name, self._config),
            depth=self._config.control.queue_depth,
            in_flight=PASSES_IN_FLIGHT if unit == "array" else 1,
            index_bits=index_bits(self._config, unit),
            name=unit,
            tokens=token_count(self._config),
        )
        m.submodules[f"{unit}_queue"] = queue
        connect(m, getattr(self._decoder, unit), queue.i)
        connect(m, queue.o, flipped(getattr(self, unit)))
        number = UNITS.index(unit)
        m.d.comb += [
            queue.done.eq(getattr(self, f"{unit}_done")),
            tokens.asking[number].eq(queue.asking),
            tokens.ask[number].eq(queue.ask),
            tokens.post[number].eq(queue.post),
            queue.granted.eq(tokens.granted[number]),
            getattr(self, f"{unit}_busy").eq(queue.busy),
        ]
        if index_bits(self._config, unit):
            m.d.comb += getattr(self, f"{unit}_index").eq(queue.index)
        return queue
