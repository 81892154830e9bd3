"""The ports of the control, and the payloads of its streams: what the other blocks are built
against."""

from amaranth.hdl import unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from ...config import Config
from ..axi import AXI4LiteSignature, AXI4Signature
from ..commands import instruction_layout
from ..drain.records import record_write

__all__ = [
    "REGISTER_ADDRESS_BITS",
    "activation_address",
    "activation_write",
    "control_ports",
    "count_index",
    "weight_store",
]

REGISTER_ADDRESS_BITS = 10


def activation_address(config: Config):
    """Number of a word of the activation buffer, across its banks."""
    return unsigned(ceil_log2(config.array.clusters * config.memory.activation_words))


def activation_write(config: Config) -> data.StructLayout:
    """A word on its way into the activation buffer; bit i of ``mask`` enables byte i."""
    return data.StructLayout(
        {
            "address": activation_address(config),
            "data": config.vector_bits,
            "mask": config.vector_bits // 8,
        }
    )


def weight_store(config: Config) -> data.StructLayout:
    """A word on its way into the weight buffer."""
    return data.StructLayout(
        {"address": ceil_log2(config.memory.weight_words), "data": config.weight_word_bits}
    )


def count_index(config: Config) -> data.StructLayout:
    """Which counter of fired outputs is read: slot 0 to D*V-1 of a group of a cluster."""
    return data.StructLayout({"slot": 10, "group": 6, "cluster": 4})


def control_ports(config: Config) -> dict:
    """Members of :class:`~hwgen.rtl.control.control.Control`.

    s_axi : In(AXI4LiteSignature)
        Registers; see docs/registers.md.
    m_axi : Out(AXI4Signature)
        Memory: instructions, loads and stores.
    irq : Out(1)
        High while an enabled interrupt is pending.
    unit_reset : Out(1)
        Resets everything outside, for at least two cycles, when software asks for it. Writes that
        the activation buffer has accepted may get lost then.
    passes, drains, vectors : Out(stream)
        Commands in program order, their tokens taken. ``vectors`` is there with ``drain.pool``.
        Of passes, up to four may have been offered and not be done; of the others one.
    pass_done, drain_done, vector_done : In(1)
        Strobe, once a command, in order: all that it does is visible to the other units. Not before
        the cycle after the command has been accepted.
    activation_writes : Out(stream)
        Loaded words. A word counts as visible when it has been accepted.
    activation_requests, activation_data : Out(stream), In(stream)
        Words to store: one word of data for each address, in order. The buffer may take any number
        of requests ahead, but must have room for the words it has not delivered.
    weight_writes, record_writes : Out(stream)
        Loaded weight words and parameter records (for all drains).
    count_index, count : Out, In(32)
        Number of fired outputs at the index, within three cycles after the index has changed.
    busy, starved, unloaded, interlocked : In(clusters * groups)
        What each group of each cluster does in this cycle; the bits are counted.
    fired : In
        Outputs whose gate fired in this cycle.
    progress : In(1)
        Strobe that quiets the watchdog: something has advanced that is no instruction's end.
    """
    groups = config.array.clusters * config.groups
    vector = {
        "vectors": Out(stream.Signature(instruction_layout("VECTOR", config))),
        "vector_done": In(1),
    }
    return {
        "s_axi": In(AXI4LiteSignature(address_width=REGISTER_ADDRESS_BITS)),
        "m_axi": Out(
            AXI4Signature(address_width=config.bus.address_width, data_width=config.bus.data_width)
        ),
        "irq": Out(1),
        "unit_reset": Out(1),
        "passes": Out(stream.Signature(instruction_layout("PASS", config))),
        "pass_done": In(1),
        "drains": Out(stream.Signature(instruction_layout("DRAIN", config))),
        "drain_done": In(1),
        **(vector if config.drain.pool else {}),
        "activation_writes": Out(stream.Signature(activation_write(config))),
        "activation_requests": Out(stream.Signature(activation_address(config))),
        "activation_data": In(stream.Signature(unsigned(config.vector_bits))),
        "weight_writes": Out(stream.Signature(weight_store(config))),
        "record_writes": Out(stream.Signature(record_write(config))),
        "count_index": Out(count_index(config)),
        "count": In(32),
        "busy": In(groups),
        "starved": In(groups),
        "unloaded": In(groups),
        "interlocked": In(groups),
        "fired": In(bits_for(groups * config.array.group)),
        "progress": In(1),
    }
