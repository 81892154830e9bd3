"""Boards: which FPGA, where the clock and the serial port are, and how a bitstream is packed."""

import importlib
from dataclasses import dataclass

from hwgen.errors import UserError
from hwgen.flows.parts import PARTS, Part

__all__ = ["BOARDS", "Board", "board_named"]


BLOCK_RAM_BYTES = {"ecp5": 2048, "ice40": 512, "gowin": 2048}
"""Of each target, without parity."""


@dataclass(frozen=True)
class Board:
    """A board that amaranth-boards describes.

    Attributes
    ----------
    name, title : str
        What the user types, and what people call it.
    platform : str
        Module and class in ``amaranth_boards``.
    part : Part
        The FPGA, in its package.
    divide : int
        By what the clock of the board is divided, a power of two.
    memory_bytes : int
        Of the memory on chip, by default.
    pack : tuple of str
        The packer, as :mod:`hwgen.tools` calls it, and its arguments; ``{made}`` is what nextpnr
        leaves, ``{bits}`` the bitstream.
    suffix : str
        Of the bitstream.
    uart : tuple of str
        Pins of the connector that are rx and tx, where the board has no serial port.
    """

    name: str
    title: str
    platform: str
    part: Part
    divide: int
    memory_bytes: int
    pack: tuple[str, ...]
    suffix: str
    uart: tuple[str, str] | None = None

    def pins(self) -> dict[str, str]:
        """The pins of ``clk``, ``rx`` and ``tx``."""
        platform = self._platform()
        resources = {(r.name, r.number): r for r in platform.resources}
        clock = resources[platform.default_clk, 0].ios[0].names[0]
        if self.uart:
            (connector,) = (c for c in platform.connectors if c.name == "io")
            rx, tx = (connector.mapping[pin] for pin in self.uart)
        else:
            uart = {io.name: io.ios[0].names[0] for io in resources["uart", 0].ios}
            rx, tx = uart["rx"], uart["tx"]
        return {"clk": clock, "rx": rx, "tx": tx}

    @property
    def board_hz(self) -> int:
        """Of the oscillator."""
        platform = self._platform()
        (clock,) = (r for r in platform.resources if r.name == platform.default_clk)
        return round(clock.clock.frequency)

    @property
    def most_memory_bytes(self) -> int:
        """The largest power of two that all block RAMs of the FPGA hold, or its larger memories."""
        held = self.part.available["bram"] * BLOCK_RAM_BYTES[self.part.target]
        return 1 << max(held, self.part.single_port_bytes).bit_length() - 1

    def _platform(self):
        module, _, name = self.platform.partition(":")
        return getattr(importlib.import_module(f"amaranth_boards.{module}"), name)

    def constraints(self) -> tuple[str, str, list[str]]:
        """Name and text of the file with the pins, and how nextpnr is told of it."""
        pins = self.pins()
        if self.part.target == "ecp5":
            lines = [f'LOCATE COMP "{port}" SITE "{pin}";' for port, pin in pins.items()]
            lines += [f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33;' for port in pins]
            lines.append(f'FREQUENCY PORT "clk" {self.board_hz / 1e6} MHZ;')
            return "pins.lpf", "\n".join(lines) + "\n", ["--lpf", "pins.lpf"]
        if self.part.target == "ice40":
            lines = [f"set_io {port} {pin}" for port, pin in pins.items()]
            return "pins.pcf", "\n".join(lines) + "\n", ["--pcf", "pins.pcf"]
        lines = [f'IO_LOC "{port}" {pin};' for port, pin in pins.items()]
        lines += [f'IO_PORT "{port}" IO_TYPE=LVCMOS33;' for port in pins]
        return "pins.cst", "\n".join(lines) + "\n", ["--vopt", "cst=pins.cst"]

    @property
    def made(self) -> tuple[str, list[str]]:
        """What nextpnr leaves for the packer, and how it is told to."""
        name, option = {
            "ecp5": ("routed.config", "--textcfg"),
            "ice40": ("routed.asc", "--asc"),
            "gowin": ("routed.json", "--write"),
        }[self.part.target]
        return name, [option, name]


def _ecp5(size: int, package: str, speed: int, dsp: int, bram: int) -> Part:
    arguments = (f"--{size}k", "--package", package, "--speed", str(speed))
    return Part(f"lfe5u-{size}f", "ecp5", "synth_ecp5", arguments, {"dsp": dsp, "bram": bram})


def _gowin(
    name: str, device: str, family: str, synthesis: str, dsp: int, bram: int, slices: int
) -> Part:
    arguments = ("--device", device, "--vopt", f"family={family}")
    command = f"synth_gowin -family {synthesis}"
    return Part(name, "gowin", command, arguments, {"dsp": dsp, "bram": bram}, slices=slices)


ECPPACK = ("ecppack", "--compress", "{made}", "{bits}")

BOARDS = {
    board.name: board
    for board in (
        Board(
            "ulx3s",
            "Radiona ULX3S 85F",
            "ulx3s:ULX3S_85F_Platform",
            _ecp5(85, "CABGA381", 6, 156, 208),
            1,
            1 << 16,
            ECPPACK,
            "bit",
        ),
        Board(
            "orangecrab",
            "OrangeCrab r0.2 25F (serial port on IO 0 and 1)",
            "orangecrab_r0_2:OrangeCrabR0_2_25FPlatform",
            _ecp5(25, "CSFBGA285", 8, 28, 56),
            2,
            1 << 15,
            ECPPACK,
            "bit",
            ("0", "1"),
        ),
        Board(
            "icebreaker",
            "1BitSquared iCEBreaker",
            "icebreaker:ICEBreakerPlatform",
            PARTS["up5k"],
            1,
            1 << 17,
            ("icepack", "{made}", "{bits}"),
            "bin",
        ),
        Board(
            "tang_nano_9k",
            "Sipeed Tang Nano 9K",
            "tang_nano_9k:TangNano9kPlatform",
            _gowin("gw1nr-9", "GW1NR-LV9QN88PC6/I5", "GW1N-9C", "gw1n", 20, 26, 8640),
            1,
            1 << 13,
            ("gowin_pack", "-d", "GW1N-9C", "-o", "{bits}", "{made}"),
            "fs",
        ),
        Board(
            "tang_primer_20k",
            "Sipeed Tang Primer 20K",
            "tang_primer_20k:TangPrimer20kPlatform",
            _gowin("gw2a-18", "GW2A-LV18PG256C8/I7", "GW2A-18C", "gw2a", 48, 46, 20_736),
            1,
            1 << 15,
            ("gowin_pack", "-d", "GW2A-18C", "-o", "{bits}", "{made}"),
            "fs",
        ),
    )
}


def board_named(name: str) -> Board:
    """The board, or a UserError that lists them."""
    if name not in BOARDS:
        raise UserError(f"BOARD: must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]
