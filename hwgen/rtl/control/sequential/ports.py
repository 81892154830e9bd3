"""The ports of the sequential control."""

from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from ....config import Config
from ...axi import AXI4LiteSignature, AXI4Signature
from ...commands import instruction_layout
from ...sequential.ports import buffer_write
from ..ports import REGISTER_ADDRESS_BITS, activation_address

__all__ = ["sequential_control_ports"]


def sequential_control_ports(config: Config) -> dict:
    """Members of :class:`~hwgen.rtl.control.sequential.control.SequentialControl`.

    s_axi : In(AXI4LiteSignature)
        Registers; see docs/registers.md.
    m_axi : Out(AXI4Signature)
        Memory: instructions, loads and stores.
    irq : Out(1)
        High while an enabled interrupt is pending.
    unit_reset : Out(1)
        Resets everything outside, for two cycles, when software asks for it; the bus is at rest.
    passes, drains : Out(stream)
        The instruction that runs. It is accepted when all that it does has been done: valid and
        payload stay until then, and so need not be stored. Valid falls without that only before a
        reset.
    write_valid, write : Out(1), Out(buffer_write)
        A loaded word; never refused.
    read_en, read_address, read_data : Out(1), Out, In
        A word of the activation buffer: it must be there in the cycle after ``read_en``, and stay
        until the next. Nothing else runs meanwhile.
    """
    return {
        "s_axi": In(AXI4LiteSignature(address_width=REGISTER_ADDRESS_BITS)),
        "m_axi": Out(
            AXI4Signature(address_width=config.bus.address_width, data_width=config.bus.data_width)
        ),
        "irq": Out(1),
        "unit_reset": Out(1),
        "passes": Out(stream.Signature(instruction_layout("PASS", config))),
        "drains": Out(stream.Signature(instruction_layout("DRAIN", config))),
        "write_valid": Out(1),
        "write": Out(buffer_write(config)),
        "read_en": Out(1),
        "read_address": Out(activation_address(config)),
        "read_data": In(config.vector_bits),
    }
