"""From instructions to the queues of the units."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...isa.checks import available, token_count
from ...isa.instructions import HEADER, by_name
from ...isa.registers import number_bits
from ..commands import instruction_layout
from .check import InstructionCheck, fields_of
from .fetch import fetched
from .unit_queue import queued

__all__ = ["Decoder", "index_bits", "queued_units"]


def queued_units(config: Config) -> dict[str, str]:
    """Units that have a queue, each with the instruction it runs."""
    return {i.unit: i.name for i in available(config) if i.unit != "fetch"}


def index_bits(config: Config, unit: str) -> int:
    """Loads and stores meet errors of their own: they keep the number of their instruction."""
    return number_bits(config) if unit in ("load", "store") else 0


class Decoder(wiring.Component):
    """Checks instructions in program order, and gives each to the queue of its unit.

    A malformed instruction is reported, and nothing follows it. END waits for its tokens, then for
    ``quiet``; what follows END is dropped. Without queues every instruction waits here for its
    tokens, and then for its unit.

    Parameters
    ----------
    config : Config
        The accelerator.

    Members
    -------
    i : In(stream of fetched)
    load, store, array, drain, vector : Out(stream of queued)
        ``vector`` is there with ``drain.pool``.
    asking, ask, granted : Out(1), Out(tokens), In(1)
        The tokens of END, without queues those of all instructions.
    waiting : Out(units)
        Units, in the order of :func:`queued_units`, whose instruction waits here for tokens.
    quiet : In(1)
        No unit has anything to do, and nothing is left to fetch.
    stopping : Out(1)
        END has come: fetch no more.
    ended : Out(1)
        Strobe: the program has ended.
    malformed, reason : Out(1), Out
        Strobe, and why.
    dispatched : Out(1)
        Strobe: an instruction has left.
    index : Out
        Number of the instruction that is looked at.
    """

    def __init__(self, config: Config):
        self._config = config
        self._check = InstructionCheck(config)
        tokens = token_count(config)
        queues = {}
        for unit, name in queued_units(config).items():
            payload = queued(instruction_layout(name, config), index_bits(config, unit), tokens)
            queues[unit] = Out(stream.Signature(payload))
        super().__init__(
            {
                "i": In(stream.Signature(fetched(config))),
                **queues,
                "asking": Out(1),
                "ask": Out(tokens),
                "waiting": Out(len(queued_units(config))),
                "granted": In(1),
                "quiet": In(1),
                "stopping": Out(1),
                "ended": Out(1),
                "malformed": Out(1),
                "reason": Out(len(self._check.reason)),
                "dispatched": Out(1),
                "index": Out(number_bits(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.check = check = self._check
        word = self.i.payload.word
        header, low = {}, 0
        for field in HEADER:
            header[field.name] = word[low : low + field.bits]
            low += field.bits
        # Whose it is, known before it is dispatched.
        names = queued_units(self._config).values()
        target, is_end = Signal(len(names)), Signal()
        m.d.comb += [
            check.word.eq(word),
            self.ask.eq(header["wait"]),
            self.index.eq(self.i.payload.index),
            self.reason.eq(check.reason),
        ]
        with m.FSM():
            with m.State("NEXT"):
                m.d.sync += [
                    target.eq(Cat(header["opcode"] == by_name(name).opcode for name in names)),
                    is_end.eq(header["opcode"] == by_name("END").opcode),
                ]
                with m.If(self.i.valid):
                    m.d.comb += check.start.eq(1)
                    m.next = "CHECK"
            with m.State("CHECK"):
                with m.If(check.done):
                    m.next = "DISPATCH" if self._config.control.queue_depth else "TOKENS"
                    with m.If(is_end):
                        m.next = "END"
                    with m.If(check.reason != 0):
                        m.d.comb += self.malformed.eq(1)
                        m.next = "STOPPED"
            if not self._config.control.queue_depth:
                with m.State("TOKENS"):
                    m.d.comb += self.asking.eq(1)
                    with m.If(self.granted):
                        m.next = "DISPATCH"
                    with m.Else():
                        m.d.comb += self.waiting.eq(target)
            with m.State("DISPATCH"):
                self._dispatch(m, header, target)
                with m.If(self.i.ready):
                    m.d.comb += self.dispatched.eq(1)
                    m.next = "NEXT"
            with m.State("END"):
                m.d.comb += [self.stopping.eq(1), self.asking.eq(1)]
                with m.If(self.granted):
                    m.d.comb += [self.i.ready.eq(1), self.dispatched.eq(1)]
                    m.next = "DROP"
            with m.State("DROP"):
                m.d.comb += [self.stopping.eq(1), self.i.ready.eq(1)]
                with m.If(self.quiet):
                    m.d.comb += self.ended.eq(1)
                    m.next = "NEXT"
            with m.State("STOPPED"):
                m.d.comb += self.stopping.eq(1)
        return m

    def _dispatch(self, m, header, target):
        for n, (unit, name) in enumerate(queued_units(self._config).items()):
            queue = getattr(self, unit)
            m.d.comb += [
                queue.payload.wait.eq(header["wait"]),
                queue.payload.post.eq(header["post"]),
                queue.payload.index.eq(self.i.payload.index),
            ]
            payload, fields = queue.payload.payload, fields_of(self.i.payload.word, name)
            m.d.comb += [payload[field].eq(fields[field]) for field in payload.shape().members]
            with m.If(target[n]):
                m.d.comb += [queue.valid.eq(1), self.i.ready.eq(queue.ready)]
