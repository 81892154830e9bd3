"""The token counters: the only order between the units."""

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...isa.instructions import TOKEN_BITS, TOKENS

__all__ = ["TokenCounters"]


class TokenCounters(wiring.Component):
    """Counters that units take tokens from, all those they ask for at once, and add tokens to.

    A unit whose counters are all above zero, tokens of this cycle included, is granted them in the
    next cycle; of several the one with the lowest number. Behind a grant a cycle passes without
    one, in which the others look again: so no token is given twice. Any number of units may post in
    a cycle. A counter that would go beyond its end begins again from zero and raises ``overflow``,
    which must stop the machine.

    Parameters
    ----------
    units : int
        Number of units.
    tokens : int
        Number of counters.
    bits : int
        Bits of a counter.

    Members
    -------
    asking : In(units), ask : In(tokens).array(units)
        Who wants tokens from which counters, the same until it is granted; an empty mask is
        granted, too.
    granted : Out(units)
        The tokens are taken. At most one bit.
    post : In(tokens).array(units)
        Counters that get one token from each unit in this cycle.
    hold : In(1)
        Grants nothing, and keeps all counters at zero; posts are lost.
    overflow : Out(units)
        Strobe in the next cycle: this unit has posted to a counter that was full. Says nothing
        behind ``hold``.
    """

    def __init__(self, *, units: int, tokens: int = TOKENS, bits: int = TOKEN_BITS):
        self._units = units
        self._tokens = tokens
        self._bits = bits
        # The proof looks at these.
        self.counts = [Signal(bits, name=f"count_{token}") for token in range(tokens)]
        self.eligible = Signal(units)
        super().__init__(
            {
                "asking": In(units),
                "ask": In(tokens).array(units),
                "granted": Out(units),
                "post": In(tokens).array(units),
                "hold": In(1),
                "overflow": Out(units),
            }
        )

    def elaborate(self, platform):
        m = Module()
        eligible = self.eligible  # has been seen to have its tokens
        filled = Signal(self._tokens)
        taken = C(0, self._tokens)  # but while on ``hold``, when it does not matter
        full = Signal(self._tokens)
        was_full = Signal(self._tokens)
        m.d.sync += was_full.eq(full)
        looking = Signal()
        m.d.comb += looking.eq(~self.granted.any() & ~self.hold)
        for unit in range(self._units):
            lacking = (self.ask[unit] & ~filled).any()
            m.d.sync += eligible[unit].eq(self.asking[unit] & ~lacking & looking)
            posted = Signal(self._tokens, name=f"posted_{unit}")
            m.d.sync += posted.eq(self.post[unit])
            m.d.comb += self.overflow[unit].eq((posted & was_full).any())
            first = eligible[unit] & ~eligible[:unit].any()
            m.d.comb += self.granted[unit].eq(first & ~self.hold)
            # What it asks for has been the same in the cycle before, and comes from a queue.
            asked = Signal(self._tokens, name=f"asked_{unit}")
            m.d.sync += asked.eq(self.ask[unit])
            taken = taken | (asked & first.replicate(self._tokens))
        for token in range(self._tokens):
            count = self.counts[token]
            added = Signal(range(self._units + 1), name=f"added_{token}")
            # Whether one is taken is known late.
            more, fewer = (Signal(self._bits, name=f"{name}_{token}") for name in ("more", "fewer"))
            m.d.comb += [
                filled[token].eq((count != 0) | (added != 0)),
                added.eq(sum(self.post[unit][token] for unit in range(self._units))),
                more.eq(count + added),
                fewer.eq(count + added - 1),
                full[token].eq(self._overflows(count, added, taken[token])),
            ]
            m.d.sync += count.eq(Mux(self.hold, 0, Mux(taken[token], fewer, more)))
        return m

    def _overflows(self, count, added, taken):
        """Whether ``count + added - taken`` has more bits than ``count``, without a chain of
        carries behind ``taken``, which is known late.
        """
        bits = min(len(added), self._bits)
        bits = min(len(added), self._bits)
        lowest = count[:bits] + added
        carry = lowest[bits:].any() & ~(taken & (lowest == 1 << bits))
        return carry & count[bits:].all() if bits < self._bits else carry
