"""AXI4 and AXI4-Lite, as far as the accelerator uses them.

Port names in emitted Verilog are those that users, simulators and vendor tools expect:
`m_axi_awaddr`, `s_axi_rvalid` and so on.
"""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = [
    "BURST_INCR",
    "OKAY",
    "SLVERR",
    "AXI4LiteSignature",
    "AXI4ReadSignature",
    "AXI4Signature",
    "AXI4WriteSignature",
]

BURST_INCR = 0b01
OKAY = 0b00
SLVERR = 0b10


def _address(prefix: str, address_width: int) -> dict:
    return {
        f"{prefix}id": Out(1),
        f"{prefix}addr": Out(address_width),
        f"{prefix}len": Out(8),
        f"{prefix}size": Out(3),
        f"{prefix}burst": Out(2),
        f"{prefix}lock": Out(1),
        f"{prefix}cache": Out(4),
        f"{prefix}prot": Out(3),
        f"{prefix}valid": Out(1),
        f"{prefix}ready": In(1),
    }


def _check(address_width: int, data_width: int) -> None:
    if not 1 <= address_width <= 64:
        raise ValueError(f"AXI4 address_width must be 1 to 64, not {address_width!r}")
    if data_width not in (8 << n for n in range(8)):
        raise ValueError(f"AXI4 data_width must be a power of two, 8 to 1024: {data_width!r}")


def _write(address_width: int, data_width: int) -> dict:
    return _address("aw", address_width) | {
        "wdata": Out(data_width),
        "wstrb": Out(data_width // 8),
        "wlast": Out(1),
        "wvalid": Out(1),
        "wready": In(1),
        "bid": In(1),
        "bresp": In(2),
        "bvalid": In(1),
        "bready": Out(1),
    }


def _read(address_width: int, data_width: int) -> dict:
    return _address("ar", address_width) | {
        "rid": In(1),
        "rdata": In(data_width),
        "rresp": In(2),
        "rlast": In(1),
        "rvalid": In(1),
        "rready": Out(1),
    }


class AXI4ReadSignature(wiring.Signature):
    """The two reading channels of :class:`AXI4Signature`."""

    def __init__(self, *, address_width: int, data_width: int):
        _check(address_width, data_width)
        super().__init__(_read(address_width, data_width))


class AXI4WriteSignature(wiring.Signature):
    """The three writing channels of :class:`AXI4Signature`."""

    def __init__(self, *, address_width: int, data_width: int):
        _check(address_width, data_width)
        super().__init__(_write(address_width, data_width))


class AXI4Signature(wiring.Signature):
    """AXI4 from the master's side, with one ID.

    Parameters
    ----------
    address_width : int
        Bits of an address, 1 to 64.
    data_width : int
        Bits of a beat: a power of two from 8 to 1024.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, *, address_width: int, data_width: int):
        _check(address_width, data_width)
        self._address_width = address_width
        self._data_width = data_width
        super().__init__(_write(address_width, data_width) | _read(address_width, data_width))

    @property
    def address_width(self) -> int:
        return self._address_width

    @property
    def data_width(self) -> int:
        return self._data_width


class AXI4LiteSignature(wiring.Signature):
    """AXI4-Lite from the master's side, 32 bits of data.

    Parameters
    ----------
    address_width : int
        Bits of an address, 2 to 64.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    def __init__(self, *, address_width: int):
        if not 2 <= address_width <= 64:
            raise ValueError(f"AXI4-Lite address_width must be 2 to 64, not {address_width!r}")
        self._address_width = address_width
        super().__init__(
            {
                "awaddr": Out(address_width),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(address_width),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )

    @property
    def address_width(self) -> int:
        return self._address_width
