"""The ports of the sequential array: what a sequential control is built against."""

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from ...config import Config
from ...isa.checks import field_bits
from ...isa.instructions import by_name
from ..commands import instruction_layout
from ..control.ports import activation_address

__all__ = ["WORD_BITS", "buffer_write", "sequential_ports"]

WORD_BITS = 32
"""Of all buffers, and of a beat of the bus."""


def buffer_write(config: Config) -> data.StructLayout:
    """A word on its way into a buffer: ``target`` is that of a LOAD. Of a record, whose number is
    ``address``, it is word ``part``.
    """
    address = field_bits(config, by_name("LOAD"))["buffer"]
    return data.StructLayout({"target": 2, "address": address, "part": 3, "data": WORD_BITS})


def sequential_ports(config: Config) -> dict:
    """Members of :class:`~hwgen.rtl.sequential.array.SequentialArray`.

    Only one of them is in use at a time: who gives an instruction waits until it has ended.

    passes, drains : In(stream)
        Instructions. Valid and payload stay until the transfer, which is the end of the work: what
        comes in the next cycle finds all that it has done.
    write_valid : In(1), write : In(buffer_write)
        A loaded word, taken at once.
    read_en : In(1), read_address : In, read_data : Out(32)
        A word to be stored: it is there in the cycle after ``read_en``, until the next read.
    """
    return {
        "passes": In(stream.Signature(instruction_layout("PASS", config))),
        "drains": In(stream.Signature(instruction_layout("DRAIN", config))),
        "write_valid": In(1),
        "write": In(buffer_write(config)),
        "read_en": In(1),
        "read_address": In(activation_address(config)),
        "read_data": Out(WORD_BITS),
    }
