"""Token counters: never below zero, none lost, none taken twice, nobody waits for nothing."""

from amaranth import *
from amaranth.hdl import Assert

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
        self.inputs = [dut.asking, *dut.ask, *dut.post, dut.hold, dut.clear]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        granted = Signal(UNITS)
        m.d.comb += granted.eq(dut.granted)
        if self.generous:
            m.d.comb += granted.eq(dut.asking & ~dut.hold.replicate(UNITS))
        posted = Const(0)
        for token in range(TOKENS):
            account = Signal(signed(BITS + 3), name=f"account_{token}")
            taken = sum(granted[unit] & dut.ask[unit][token] for unit in range(UNITS))
            given = sum(dut.post[unit][token] for unit in range(UNITS))
            following = Signal(signed(BITS + 4), name=f"following_{token}")
            overflowing = following > (1 << BITS) - 1
            m.d.comb += following.eq(account + given - taken)
            m.d.sync += account.eq(following)
            with m.If(dut.clear):
                m.d.sync += account.eq(0)
            with m.Elif(overflowing):
                m.d.sync += account.eq(following - (1 << BITS))
            # The counter is the account, which never was below zero: nothing lost, nothing doubled.
            m.d.comb += Assert(account >= 0)
            m.d.comb += Assert(account == dut.counts[token])
            # A token is taken by one unit only, and only where there is one.
            m.d.comb += Assert(taken <= 1)
            m.d.comb += Assert((taken == 0) | (account > 0))
            # Who overflows a counter hears of it; nobody else does.
            reported = sum(dut.overflow[unit] & dut.post[unit][token] for unit in range(UNITS))
            m.d.comb += Assert(~overflowing | (reported == given))
            posted = posted | overflowing
        m.d.comb += Assert(posted | ~dut.overflow.any())

        enough = Signal(UNITS)
        for unit in range(UNITS):
            lacking = Cat(
                dut.ask[unit][token] & (dut.counts[token] == 0) for token in range(TOKENS)
            )
            m.d.comb += enough[unit].eq(dut.asking[unit] & ~lacking.any())
            m.d.comb += Assert(~granted[unit] | enough[unit])
        m.d.comb += Assert((granted & (granted - 1)) == 0)
        # Somebody is served whenever somebody can be.
        m.d.comb += Assert(dut.hold | (granted.any() == enough.any()))
        m.d.comb += Assert(~dut.hold | ~granted.any())
        return m


def test_tokens(tmp_path):
    harness = TokensHarness()
    assert prove(harness, inputs=harness.inputs, depth=2, folder=tmp_path)


def test_that_two_grants_fail(tmp_path):
    harness = TokensHarness(generous=True)
    assert not prove(harness, inputs=harness.inputs, depth=2, folder=tmp_path)
