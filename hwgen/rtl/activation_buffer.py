"""The memory of activations that all blocks share."""

from amaranth import *
from amaranth.hdl import unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..config import Config
from .activation_bank import ActivationBank, row_write
from .control.ports import activation_address, activation_write
from .read_port import ReadPort

__all__ = ["ActivationBuffer"]


class ActivationBuffer(wiring.Component):
    """A linear array of words over banks, bank = address mod banks, with any number of readers and
    writers.

    Each bank reads one word and writes one in each cycle. Whoever wants the same bank takes turns
    (reads and writes apart): a reader that no other reader disturbs gets a word a cycle, a writer
    likewise. Answers come in the order of the requests, ``latency`` cycles after the request at the
    earliest. A port that is not emptied holds up nobody but itself.

    **Visibility.** A write is seen by every read whose request is accepted in the same cycle as the
    write or later, through whichever port. A read that was accepted before returns, for each byte,
    what was there before or after. The memory never reads a row while it writes it: such a read
    waits for a cycle, and all others with it, so that answers stay in order.

    ``writes[i].ready`` depends on ``valid`` and the address of all writers in the same cycle;
    ``request.ready`` and ``data.valid`` depend on registers only. Contents are undefined until
    written.

    Parameters
    ----------
    config : Config
        Array and memory.
    readers, writers : int
        Number of ports, at least 1 each.

    Members
    -------
    reads : Array of {request: In(stream(activation_address)), data: Out(stream(vector_bits))}
        A read port: addresses in, words out.
    writes : Array of In(stream(activation_write))
        A write port: ``address``, ``data``, and in ``mask`` a bit for each byte that is written.

    Raises
    ------
    ValueError
        If there is no reader or no writer.
    """

    latency = 7

    def __init__(self, config: Config, *, readers: int, writers: int):
        for name, ports in (("readers", readers), ("writers", writers)):
            if not isinstance(ports, int) or ports < 1:
                raise ValueError(f"{name} must be a positive integer, not {ports!r}")
        self._config = config
        self._readers = readers
        self._writers = writers
        port = wiring.Signature(
            {
                "request": Out(stream.Signature(activation_address(config))),
                "data": In(stream.Signature(unsigned(config.vector_bits))),
            }
        )
        super().__init__(
            {
                "reads": In(port).array(readers),
                "writes": In(stream.Signature(activation_write(config))).array(writers),
            }
        )

    @property
    def readers(self) -> int:
        return self._readers

    @property
    def writers(self) -> int:
        return self._writers

    def elaborate(self, platform):
        m = Module()
        banks = []
        for b in range(self._config.activation_banks):
            bank = ActivationBank(self._config, readers=self._readers, writers=self._writers)
            m.submodules[f"bank{b}"] = bank
            banks.append(bank)
        hold = Signal()
        m.d.comb += hold.eq(Cat(bank.conflict for bank in banks).any())
        m.d.comb += [bank.hold.eq(hold) for bank in banks]

        for n, outside in enumerate(self.reads):
            m.submodules[f"reader{n}"] = port = ReadPort(self._config)
            wiring.connect(m, wiring.flipped(outside.request), port.request)
            wiring.connect(m, port.data, wiring.flipped(outside.data))
            answer = Const(0)
            for b, bank in enumerate(banks):
                m.d.comb += [bank.read_requests[n].eq(port.wants[b]), bank.rows[n].eq(port.row)]
                mine = bank.answer_valid[n].replicate(len(bank.answer))
                answer = answer | (bank.answer & mine)
            m.d.comb += [
                port.granted.eq(Cat(bank.read_grants[n] for bank in banks).any()),
                port.hold.eq(hold),
                port.answer_valid.eq(Cat(bank.answer_valid[n] for bank in banks).any()),
                port.answer.eq(answer),
            ]
        self._connect_writers(m, banks)
        return m

    def _connect_writers(self, m, banks):
        """A write is accepted with the grant of its bank, and travels on from a register."""
        bank_bits = ceil_log2(len(banks))
        for n, port in enumerate(self.writes):
            address = port.payload.address
            write = Signal(row_write(self._config), name=f"write{n}", reset_less=True)
            m.d.sync += [
                write.row.eq(address[bank_bits:]),
                write.data.eq(port.payload.data),
                write.mask.eq(port.payload.mask),
            ]
            for b, bank in enumerate(banks):
                m.d.comb += [
                    bank.write_requests[n].eq(port.valid & (address[:bank_bits] == b)),
                    bank.writes[n].eq(write),
                ]
            m.d.comb += port.ready.eq(Cat(bank.write_grants[n] for bank in banks).any())
