"""The one wrapper that every memory of the accelerator goes through.

Storage is most of an accelerator's area, and each target has its own: block RAM and LUT RAM in an
FPGA, compiled SRAM macros in an ASIC. Everything that stores more than a handful of words
instantiates :class:`RAM`, so that one parameter binds it, and one inventory counts it.
"""

from collections import Counter
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass

from amaranth import Assert, ClockSignal, Elaboratable, Fragment, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

__all__ = [
    "RAM",
    "STYLES",
    "EmissionTarget",
    "MemoryUse",
    "collision_checks",
    "inventory",
    "macro_model",
]

STYLES = ("block", "distributed", "macro")

HUGE_BITS = 1 << 17
"""From here on a memory of one port may be one of the few large ones that some FPGAs have."""

_checking_collisions = ContextVar("checking_collisions", default=False)


class EmissionTarget:
    """The platform object given to ``elaborate`` when Verilog is emitted.

    Amaranth's simulator cannot run a black box, so a ``macro`` memory is an ordinary array
    everywhere except where this object says that the result leaves Python.
    """


@contextmanager
def collision_checks():
    """Within this context, every RAM that is elaborated asserts that no row is read while it is
    written.

    For simulation: the arrays of the simulator return the old row, real memories return anything.
    """
    token = _checking_collisions.set(True)
    try:
        yield
    finally:
        _checking_collisions.reset(token)


class RAM(wiring.Component):
    """Memory with one write port and one read port, on one clock.

    Read data appear one cycle after a cycle with ``r_en``, and stay until the next. With
    ``asynchronous`` they follow the address in the same cycle, and there is no ``r_en``. A write
    is visible to reads from the next cycle on.

    Reading a row in the cycle that writes it returns the old row, the new row or a mixture: no
    target agrees with another, and asking for either costs a bypass around each memory. Users must
    not do it (:func:`collision_checks` proves in simulation that they do not), except
    asynchronously, where it is the old row. Contents and ``r_data`` are undefined until written
    and read; nothing is reset.

    Parameters
    ----------
    depth : int
        Number of rows, at least 2. Addresses beyond it must not be used.
    width : int
        Bits of a row.
    granularity : int, optional
        Bits of a row that one bit of ``w_mask`` enables; divides ``width``. None: whole rows, and
        no ``w_mask``.
    style : str
        ``"block"``: block RAM. ``"distributed"``: LUT RAM, for a few dozen rows (iCE40 has none:
        block RAM, or flip-flops where the read is asynchronous).
        ``"macro"``: in emitted Verilog a black box
        ``hwgen_ram_<depth>x<width>[_m<granularity>][_1p]``, which the user binds to an SRAM; see
        :func:`macro_model` for its ports and its behavioural model.
    asynchronous : bool
        Read in the same cycle. Needs style ``"distributed"``.
    single_port : bool
        It is never read and written in one cycle: a macro of one port can be it, which is half as
        large as one of two. Excludes ``asynchronous``.
    name : str, optional
        What the inventory calls this memory; ``<depth>x<width>`` by default.

    Members
    -------
    w_en : In(1)
        Write in this cycle.
    w_addr, w_data : In
        Row to write, and its new content.
    w_mask : In(width // granularity)
        Parts of the row to write; only with ``granularity``.
    r_en : In(1)
        Read in this cycle; absent when ``asynchronous``.
    r_addr : In
        Row to read.
    r_data : Out(width)
        Content of the row.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the combination has no hardware.
    """

    def __init__(
        self,
        *,
        depth: int,
        width: int,
        granularity: int | None = None,
        style: str = "block",
        asynchronous: bool = False,
        single_port: bool = False,
        name: str | None = None,
    ):
        if not isinstance(depth, int) or depth < 2:
            raise ValueError(f"RAM depth must be an integer of at least 2, not {depth!r}")
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"RAM width must be a positive integer, not {width!r}")
        if granularity is not None and (
            not isinstance(granularity, int) or granularity < 1 or width % granularity
        ):
            raise ValueError(
                f"RAM granularity must be None or divide the width {width}, not {granularity!r}"
            )
        if style not in STYLES:
            raise ValueError(f"RAM style must be one of {', '.join(STYLES)}, not {style!r}")
        if asynchronous and style != "distributed":
            raise ValueError(
                f'RAM style must be "distributed" to read asynchronously, not {style!r}'
            )
        if asynchronous and single_port:
            raise ValueError("RAM single_port must not be set to read asynchronously")
        self._depth = depth
        self._width = width
        self._granularity = granularity
        self._style = style
        self._asynchronous = bool(asynchronous)
        self._single_port = bool(single_port)
        self._name = name or f"{depth}x{width}"
        members = {
            "w_en": In(1),
            "w_addr": In(self.addr_width),
            "w_data": In(width),
        }
        if granularity is not None:
            members["w_mask"] = In(width // granularity)
        if not asynchronous:
            members["r_en"] = In(1)
        members |= {"r_addr": In(self.addr_width), "r_data": Out(width)}
        super().__init__(members)

    @property
    def depth(self) -> int:
        return self._depth

    @property
    def width(self) -> int:
        return self._width

    @property
    def granularity(self) -> int | None:
        return self._granularity

    @property
    def style(self) -> str:
        return self._style

    @property
    def asynchronous(self) -> bool:
        return self._asynchronous

    @property
    def single_port(self) -> bool:
        return self._single_port

    @property
    def name(self) -> str:
        return self._name

    @property
    def addr_width(self) -> int:
        return ceil_log2(self._depth)

    @property
    def latency(self) -> int:
        """Cycles from ``r_addr`` to ``r_data``."""
        return 0 if self._asynchronous else 1

    @property
    def use(self) -> "MemoryUse":
        """This memory as one line of the inventory."""
        return MemoryUse(
            self._name,
            self._depth,
            self._width,
            self._granularity,
            self._style,
            self._asynchronous,
            single_port=self._single_port,
        )

    @property
    def verilog_name(self) -> str:
        """Name of the emitted module."""
        return self.use.verilog_name

    def elaborate(self, platform):
        m = Module()

        if self._style == "macro" and isinstance(platform, EmissionTarget):
            m.submodules.macro = Instance(
                _macro_name(self._depth, self._width, self._granularity, self._single_port),
                i_clk=ClockSignal(),
                i_w_en=self.w_en,
                i_w_addr=self.w_addr,
                i_w_data=self.w_data,
                **({} if self._granularity is None else {"i_w_mask": self.w_mask}),
                i_r_en=self.r_en,
                i_r_addr=self.r_addr,
                o_r_data=self.r_data,
            )
            return m

        # LUT RAM is what every synthesizer chooses by itself for what is small or read
        # asynchronously. Asking for it by attribute would make a target that has none (iCE40) an
        # error. no_rw_check tells Yosys that the row read during its own write does not matter;
        # without it each memory grows a comparator and a bypass to imitate the simulator.
        huge = self._single_port and self._depth * self._width >= HUGE_BITS
        attrs = {} if self._style == "distributed" or huge else {"ram_style": "block"}
        if not self._asynchronous:
            attrs["no_rw_check"] = 1
        m.submodules.contents = contents = Memory(
            shape=self._width, depth=self._depth, init=[], attrs=attrs
        )
        write = contents.write_port(granularity=self._granularity)
        read = contents.read_port(domain="comb" if self._asynchronous else "sync")
        m.d.comb += [
            write.addr.eq(self.w_addr),
            write.data.eq(self.w_data),
            read.addr.eq(self.r_addr),
            self.r_data.eq(read.data),
        ]
        if self._granularity is None:
            m.d.comb += write.en.eq(self.w_en)
        else:
            m.d.comb += write.en.eq(self.w_mask & self.w_en.replicate(len(self.w_mask)))
        if not self._asynchronous:
            m.d.comb += read.en.eq(self.r_en)
            if _checking_collisions.get():
                collision = write.en.any() & self.r_en
                if not self._single_port:
                    collision &= self.w_addr == self.r_addr
                m.d.sync += Assert(~collision, f"RAM {self._name}: row read while it is written")
        return m


@dataclass(frozen=True, order=True)
class MemoryUse:
    """One kind of memory, and how many instances of it a design has."""

    name: str
    depth: int
    width: int
    granularity: int | None
    style: str
    asynchronous: bool
    count: int = 1
    single_port: bool = False

    @property
    def bits(self) -> int:
        """Bits of all instances."""
        return self.depth * self.width * self.count

    @property
    def verilog_name(self) -> str:
        """Name of the emitted module, whatever the purpose: memories of equal shape share it."""
        mask = "" if self.granularity is None else f"_m{self.granularity}"
        style = {"block": "", "distributed": "_lut", "macro": "_macro"}[self.style]
        asynchronous = "_async" if self.asynchronous else ""
        port = "_1p" if self.single_port else ""
        return f"ram_{self.depth}x{self.width}{mask}{style}{asynchronous}{port}"

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self) | {"bits": self.bits}


def inventory(design: Elaboratable | Fragment) -> list[MemoryUse]:
    """All memories of a design, equal ones counted together, sorted by name.

    Giving a :class:`Fragment` that was made for emission saves a second elaboration.
    """
    counts = Counter()

    def visit(fragment: Fragment):
        # A Fragment remembers the objects that it was elaborated from, outermost first.
        counts.update(origin.use for origin in fragment.origins or () if isinstance(origin, RAM))
        for subfragment, _name, _src_loc in fragment.subfragments:
            visit(subfragment)

    visit(Fragment.get(design, EmissionTarget()))
    found = [MemoryUse(**(asdict(use) | {"count": count})) for use, count in counts.items()]
    return sorted(found, key=lambda use: (use.name, use.depth, use.width, use.style, str(use)))


def _macro_name(depth: int, width: int, granularity: int | None, single_port: bool) -> str:
    mask = "" if granularity is None else f"_m{granularity}"
    return f"hwgen_ram_{depth}x{width}{mask}{'_1p' if single_port else ''}"


def macro_model(
    depth: int, width: int, granularity: int | None = None, single_port: bool = False
) -> str:
    """Verilog of the behavioural model of the black box that a ``macro`` RAM instantiates.

    The ports are those of :class:`RAM`, and ``clk``. An ASIC user replaces the body by an SRAM
    macro; with ``single_port`` its address is ``w_addr`` when ``w_en``, else ``r_addr``. A row read
    in the cycle that writes it, and any row then with ``single_port``, is returned as unknown, on
    purpose.
    """
    top = ceil_log2(depth) - 1
    masked = granularity is not None
    mask_port = f"  input  wire [{width // granularity - 1}:0] w_mask,\n" if masked else ""
    if masked:
        write = (
            f"    for (part = 0; part < {width // granularity}; part = part + 1)\n"
            f"      if (w_en && w_mask[part])\n"
            f"        rows[w_addr][part * {granularity} +: {granularity}]"
            f" <= w_data[part * {granularity} +: {granularity}];\n"
        )
    else:
        write = "    if (w_en) rows[w_addr] <= w_data;\n"
    writing = "w_en && |w_mask" if masked else "w_en"
    if single_port:
        ports, same = "it is never read and written in one cycle", ""
        undefined = "Reading while writing is undefined."
    else:
        ports, same = "a write and a synchronous read port", " && w_addr == r_addr"
        undefined = "Reading the row being written is undefined."
    return (
        f"// Behavioural model of a {depth} x {width} SRAM: {ports}.\n"
        f"// Bind a macro of the target technology here. {undefined}\n"
        f"module {_macro_name(depth, width, granularity, single_port)} (\n"
        f"  input  wire clk,\n"
        f"  input  wire w_en,\n"
        f"  input  wire [{top}:0] w_addr,\n"
        f"  input  wire [{width - 1}:0] w_data,\n"
        f"{mask_port}"
        f"  input  wire r_en,\n"
        f"  input  wire [{top}:0] r_addr,\n"
        f"  output reg  [{width - 1}:0] r_data\n"
        f");\n"
        f"  reg [{width - 1}:0] rows [0:{depth - 1}];\n"
        f"{'  integer part;' + chr(10) if masked else ''}"
        f"  always @(posedge clk) begin\n"
        f"{write}"
        f"    if (r_en)\n"
        f"      r_data <= ({writing}{same}) ? {{{width}{{1'bx}}}} : rows[r_addr];\n"
        f"  end\n"
        f"endmodule\n"
    )
