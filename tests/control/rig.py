"""A simulator of the control, and one process that plays all that is around it."""

from amaranth import Cat, Module, Signal
from amaranth.hdl import Value
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from hwgen.memory import collision_checks
from hwgen.rtl.control.control import Control
from hwgen.rtl.control.sequential.control import SequentialControl

__all__ = ["Rig", "rig"]

# Building costs as much as simulating: what is built for a configuration is used by all its tests.
_rigs = {}


def rig(config) -> "Rig":
    """The rig of a configuration."""
    if config.hash not in _rigs:
        _rigs[config.hash] = Rig(config)
    return _rigs[config.hash]


def _ports(interface, prefix: str = ""):
    """(path, signal, whether the control drives it) of all ports but those of the registers."""
    for name, member in interface.signature.members.items():
        port = getattr(interface, name)
        if name == "s_axi":
            continue
        if member.is_signature:
            for path, signal, driven in _ports(port, f"{name}."):
                yield prefix + path, signal, driven
        else:
            yield prefix + name, port, member.flow == Out


class Rig:
    """Calls ``bench.step`` once a cycle with what all ports showed, and sets what it returns.

    All inputs are one signal and all ports another: the simulator is slow at many small ones.
    """

    def __init__(self, config):
        self.dut = (SequentialControl if config.control.sequential else Control)(config)
        self.bench = None
        ports = list(_ports(self.dut))
        self._sampled = [(name, Value.cast(port)) for name, port, _driven in ports]
        self._set = [(name, Value.cast(port)) for name, port, driven in ports if not driven]
        self._everything = Signal(sum(len(port) for _name, port in self._sampled))
        self._inputs = Signal(sum(len(port) for _name, port in self._set))
        m = Module()
        m.submodules.dut = self.dut
        m.d.comb += [
            self._everything.eq(Cat(port for _name, port in self._sampled)),
            Cat(port for _name, port in self._set).eq(self._inputs),
        ]
        with collision_checks():
            self._simulator = Simulator(m)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._main)
        self._simulator.add_testbench(self._environment, background=True)

    def run(self, bench) -> None:
        """Run ``bench.scenario`` from a hard reset to its end."""
        if self.bench is not None:
            self._simulator.reset()
        self.bench = bench
        self._simulator.run()

    async def _main(self, ctx):
        await ctx.tick()
        await self.bench.scenario(self.bench, ctx)

    async def _environment(self, ctx):
        sampled = [(name, len(port)) for name, port in self._sampled]
        driven = [(name, len(port)) for name, port in self._set]
        values = dict.fromkeys((name for name, _port in self._set), 0)
        while True:
            word, low = 0, 0
            for name, bits in driven:
                word |= int(values[name]) << low
                low += bits
            ctx.set(self._inputs, word)
            _clock, _reset, word = await ctx.tick().sample(self._everything)
            now = {}
            for name, bits in sampled:
                now[name] = word & (1 << bits) - 1
                word >>= bits
            values |= self.bench.step(now)
