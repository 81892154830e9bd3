"""Names that every Verilog tool takes without escaping."""

import re
from collections.abc import Iterable

__all__ = ["Namespace", "plain", "snake_case"]

# Verilog-2005 and SystemVerilog-2017: the file must be readable as either.
_KEYWORDS = frozenset(
    """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
    checker class clocking cmos config const constraint context continue cover covergroup
    coverpoint cross deassign default defparam design disable dist do edge else end endcase
    endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
    endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable
    endtask enum event eventually expect export extends extern final first_match for force foreach
    forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins
    illegal_bins implements implies import incdir include initial inout input inside instance int
    integer interconnect interface intersect join join_any join_none large let liblist library
    local localparam logic longint macromodule matches medium modport module nand negedge nettype
    new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter
    pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
    realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1
    s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal
    showcancelled signed small soft solve specify specparam static string strong strong0 strong1
    struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout
    time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef
    union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait
    wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor """.split()
)


def plain(name: str) -> str:
    """The nearest plain identifier: ``axi.ar[0]$3`` becomes ``axi_ar_0_3``."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", name)
    name = re.sub(r"_{2,}", "_", name).rstrip("_") or "unnamed"
    if not re.match(r"[A-Za-z_]", name):
        name = f"n{name}"
    return f"{name}_" if name in _KEYWORDS else name


def snake_case(name: str) -> str:
    """``AXIReadPort`` becomes ``axi_read_port``."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return plain(re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower())


class Namespace:
    """Hands out names that differ; the first to ask gets the name it wants."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def add(self, name: str) -> str:
        name = plain(name)
        if name in self._taken:
            count = self._next.get(name, 2)
            while f"{name}_{count}" in self._taken:
                count += 1
            self._next[name] = count + 1
            name = f"{name}_{count}"
        self._taken.add(name)
        return name
