"""The memory of a bench: cocotbext-axi's, which can also refuse, stop and remember."""

import random
from collections.abc import Callable, Iterator

from cocotbext.axi import AxiBus, AxiRam, AxiResp

__all__ = ["CHANNELS", "Memory", "pauses"]

CHANNELS = ("ar", "r", "aw", "w", "b")


def pauses(seed: int, probability: float) -> Iterator[bool]:
    """A pause generator: each cycle a pause with ``probability``, in runs of one to five cycles."""
    rng = random.Random(seed)
    while True:
        pause = rng.random() < probability
        for _ in range(rng.randint(1, 5)):
            yield pause


class _Refused(Exception):
    """The AXI models turn an exception of an access into an error response."""


class Memory(AxiRam):
    """An AXI4 RAM whose faults a test sets.

    Members
    -------
    written : set of int
        Byte addresses that have been written over the bus.
    requests : int
        Bursts the accelerator has asked for.
    bad_reads, bad_writes : dict of range to AxiResp
        Addresses that are answered with an error.
    """

    def __init__(self, dut, size: int):
        super().__init__(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=size)
        self.written: set[int] = set()
        self.requests = 0
        self.bad_reads: dict[range, AxiResp] = {}
        self.bad_writes: dict[range, AxiResp] = {}
        self.write_if._write = self._bus_write
        self.read_if._read = self._bus_read
        self._answer(self.read_if.r_channel, "rresp")
        self._answer(self.write_if.b_channel, "bresp")
        for channel in (self.channel("ar"), self.channel("aw")):
            channel.recv = self._counted(channel.recv)

    def channel(self, name: str):
        """One of the five AXI channels, ``ar``, ``r``, ``aw``, ``w`` or ``b``."""
        owner = self.read_if if name in ("ar", "r") else self.write_if
        return getattr(owner, f"{name}_channel")

    def stall(self, seed: int, probability: float) -> None:
        """Let every channel pause at random from now on; 0: none does."""
        for number, name in enumerate(CHANNELS):
            generator = pauses(seed * len(CHANNELS) + number, probability) if probability else None
            self.channel(name).set_pause_generator(generator)
            self.channel(name).pause = False

    def heal(self) -> None:
        """No faults and no pauses any more."""
        self.bad_reads.clear()
        self.bad_writes.clear()
        self.stall(0, 0.0)

    # AxiRam answers SLVERR to whatever raises; the answer that is meant is left in `_refusal`.

    def _check(self, faults: dict[range, AxiResp], address: int, length: int) -> None:
        if address + length > self.size:
            self._refusal = AxiResp.DECERR
            raise _Refused
        for addresses, response in faults.items():
            if address < addresses.stop and addresses.start < address + length:
                self._refusal = response
                raise _Refused

    async def _bus_write(self, address: int, data: bytes) -> None:
        self.written.update(range(address, address + len(data)))
        self._check(self.bad_writes, address, len(data))
        self.write(address, data)

    async def _bus_read(self, address: int, length: int) -> bytes:
        self._check(self.bad_reads, address, length)
        return self.read(address, length)

    def _answer(self, channel, field: str) -> None:
        send = channel.send

        async def answer(transaction):
            if getattr(transaction, field) != AxiResp.OKAY:
                setattr(transaction, field, self._refusal)
            await send(transaction)

        channel.send = answer

    def _counted(self, receive: Callable) -> Callable:
        async def counted():
            transaction = await receive()
            self.requests += 1
            return transaction

        return counted
