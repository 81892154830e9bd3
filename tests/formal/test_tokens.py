"""Token counters: never below zero, none lost, none taken twice, nobody waits for nothing."""

from amaranth import *
from amaranth.hdl import Assert, Assume

from hwgen.rtl.control.tokens import TokenCounters

from .proof import prove

UNITS, TOKENS, BITS = 3, 2, 3


class TokensHarness(Elaboratable):
    """Keeps its own account of every counter, wide enough to see it leave its range.

    ``generous`` grants two units at once: the proof must find out.
    """

    def __init__(self, *, generous=False):
        self.dut = TokenCounters(units=UNITS, tokens=TOKENS, bits=BITS)
        self.generous = generous
        dut = self.dut
        self.inputs = [dut.asking, *dut.ask, *dut.post, dut.hold]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        before, waits = Signal(), Signal(UNITS)  # the cycle before; who asked in vain in it
        asked = Array(Signal(TOKENS, name=f"asked_{unit}") for unit in range(UNITS))
        m.d.sync += [before.eq(1), waits.eq(dut.asking & ~dut.granted)]
        m.d.sync += [asked[unit].eq(dut.ask[unit]) for unit in range(UNITS)]
        for unit in range(UNITS):
            # Who asks goes on asking for the same.
            kept = dut.asking[unit] & (dut.ask[unit] == asked[unit])
            m.d.comb += Assume(~waits[unit] | kept)
        over = Signal()  # a counter has overflowed: from here on only the machine's stop counts
        granted = Signal(UNITS)
        m.d.comb += granted.eq(dut.granted)
        if self.generous:
            m.d.comb += granted.eq(dut.asking & ~dut.hold.replicate(UNITS))
        posted = Const(0)
        # What is told of a cycle is told in the next.
        was_over, was_held = Signal(), Signal()
        m.d.sync += [was_over.eq(over), was_held.eq(dut.hold)]
        told = before & ~was_over & ~was_held
        for token in range(TOKENS):
            account = Signal(signed(BITS + 3), name=f"account_{token}")
            taken = sum(granted[unit] & dut.ask[unit][token] for unit in range(UNITS))
            given = sum(dut.post[unit][token] for unit in range(UNITS))
            following = Signal(signed(BITS + 4), name=f"following_{token}")
            overflowing = following > (1 << BITS) - 1
            m.d.comb += following.eq(account + given - taken)
            m.d.sync += account.eq(following)
            with m.If(dut.hold):
                m.d.sync += account.eq(0)
            with m.Elif(overflowing):
                m.d.sync += over.eq(1)
            # The counter is the account, which never was below zero: nothing lost, nothing doubled.
            m.d.comb += Assert(over | (account >= 0))
            m.d.comb += Assert(over | (account == dut.counts[token]))
            # A token is taken by one unit only, and only where there is one.
            m.d.comb += Assert(taken <= 1)
            m.d.comb += Assert(over | (taken == 0) | (account > 0))
            # Who overflows a counter hears of it; nobody else does.
            did, gave = Signal(name=f"did_{token}"), Signal.like(given, name=f"gave_{token}")
            posts = Signal(UNITS, name=f"posts_{token}")
            m.d.sync += [
                did.eq(overflowing),
                gave.eq(given),
                posts.eq(Cat(dut.post[unit][token] for unit in range(UNITS))),
            ]
            reported = sum(dut.overflow[unit] & posts[unit] for unit in range(UNITS))
            m.d.comb += Assert(~told | ~did | (reported == gave))
            posted = posted | did
        m.d.comb += Assert(~told | posted | ~dut.overflow.any())
        with m.If(dut.hold):
            m.d.sync += over.eq(0)

        enough, could = Signal(UNITS), Signal(UNITS)
        for unit in range(UNITS):
            lacking = Cat(
                dut.ask[unit][token] & (dut.counts[token] == 0) for token in range(TOKENS)
            )
            m.d.comb += enough[unit].eq(dut.asking[unit] & ~lacking.any())
            m.d.comb += Assert(over | ~granted[unit] | enough[unit])
            m.d.comb += Assert(over | ~dut.eligible[unit] | enough[unit])
        m.d.comb += Assert((granted & (granted - 1)) == 0)
        # Somebody is served whenever somebody could have been in the cycle before, but for the
        # cycle behind a grant.
        m.d.sync += could.eq(enough & (~granted.any() & ~dut.hold).replicate(UNITS))
        m.d.comb += Assert(over | dut.hold | ~before | ~could.any() | granted.any())
        m.d.comb += Assert(~dut.hold | ~granted.any())
        return m


def test_tokens(tmp_path):
    harness = TokensHarness()
    assert prove(harness, inputs=harness.inputs, depth=2, folder=tmp_path)


def test_that_two_grants_fail(tmp_path):
    harness = TokensHarness(generous=True)
    assert not prove(harness, inputs=harness.inputs, depth=2, folder=tmp_path)
