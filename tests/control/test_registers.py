# amaranth: UnusedElaboratable=no
"""The register map and the file behind it."""

import pytest

from hwgen.config import load as load_config
from hwgen.isa.registers import Register, register_map, registers
from hwgen.rtl.axi import AXI4LiteSignature, AXI4ReadSignature, AXI4Signature
from hwgen.rtl.control.fifo import StreamFIFO
from hwgen.rtl.control.ports import REGISTER_ADDRESS_BITS
from hwgen.rtl.control.register_file import RegisterFile
from hwgen.rtl.control.unit_queue import UnitQueue

from .bench import Bench

CONFIG = load_config("tiny")


@pytest.mark.parametrize("name", ["tiny", "cgnet8", "baseline8", "serial8"])
def test_map_is_sound(name):
    config = load_config(name)
    found = registers(config)
    assert len({r.offset for r in found}) == len({r.name for r in found}) == len(found)
    for register in found:
        assert register.offset % 4 == 0 and register.offset < 1 << REGISTER_ADDRESS_BITS
        assert register.bits <= 32 and register.reset >> register.bits == 0
    entries = register_map(config)
    assert [entry["name"] for entry in entries] == [r.name for r in found]


def test_reset_values_and_writing():
    async def scenario(bench, ctx):
        for register in registers(CONFIG):
            assert await bench.read(ctx, register.name) == (
                register.reset if register.name != "STATUS" else 1 << 16
            ), register.name
        for register in registers(CONFIG):
            if register.access != "rw":
                continue
            mask = (1 << register.bits) - 1
            assert await bench.write(ctx, register.name, 0xA5C3F096) == 0
            assert await bench.read(ctx, register.name) == 0xA5C3F096 & mask
            assert await bench.write(ctx, register.name, 0xFFFFFFFF, strobes=0b0101) == 0
            assert await bench.read(ctx, register.name) == 0xA5FFF0FF & mask

    Bench(CONFIG).run(scenario)


def test_what_cannot_be_written_or_is_not_there():
    offsets = {register.offset for register in registers(CONFIG)}

    async def scenario(bench, ctx):
        for register in registers(CONFIG):
            if register.access in ("constant", "ro"):
                before = await bench.read(ctx, register.name)
                assert await bench.write(ctx, register.name, 0xFFFFFFFF) == 2
                assert await bench.read(ctx, register.name) == before
        for offset in (0x03C, 0x054, 0x3FC):
            assert offset not in offsets
            assert await bench.write(ctx, offset, 1) == 2
            assert await bench.read_response(ctx, offset) == (0, 2)

    Bench(CONFIG).run(scenario)


def test_counts_are_read_through_their_index():
    async def scenario(bench, ctx):
        for index in (5, 0x3FF, 1 << 10, 1 << 16):
            await bench.write(ctx, "COUNT_INDEX", index)
            assert await bench.read(ctx, "COUNT") == index * 3 + 1

    bench = Bench(CONFIG)
    step = bench.step

    def counting(now):
        # Answers three cycles after the index, at the latest moment allowed.
        late.append(now["count_index"] * 3 + 1)
        return step(now) | {"count": late[-3]}

    late = [0, 0]
    bench.step = counting
    bench.run(scenario)


def test_interrupts_are_enabled_and_cleared():
    async def scenario(bench, ctx):
        irq = bench.dut.irq
        await bench.prepare(ctx, [])
        await bench.write(ctx, "INTERRUPT_ENABLE", 1)
        await bench.write(ctx, "CONTROL", 1)
        await ctx.tick().repeat(30)
        assert await bench.read(ctx, "INTERRUPT_STATUS") == 2
        assert not ctx.get(irq)
        await bench.write(ctx, "INTERRUPT_ENABLE", 2)
        assert ctx.get(irq)
        await bench.write(ctx, "INTERRUPT_STATUS", 1)
        assert ctx.get(irq)
        await bench.write(ctx, "INTERRUPT_STATUS", 2)
        assert not ctx.get(irq)

    Bench(CONFIG).run(scenario)


def test_parameters_are_checked():
    with pytest.raises(ValueError, match="address_width must be 1 to 64"):
        AXI4Signature(address_width=65, data_width=32)
    with pytest.raises(ValueError, match="data_width must be a power of two"):
        AXI4ReadSignature(address_width=32, data_width=48)
    with pytest.raises(ValueError, match="address_width must be 2 to 64"):
        AXI4LiteSignature(address_width=1)
    with pytest.raises(ValueError, match="depth must be a power of two"):
        StreamFIFO(8, depth=3, name="odd")
    with pytest.raises(ValueError, match="in_flight must be at least 1"):
        UnitQueue(8, depth=2, in_flight=0, index_bits=0, name="none")
    for register in (
        Register("ODD", 2, "rw", "", ()),
        Register("FAR", 1 << REGISTER_ADDRESS_BITS, "rw", "", ()),
    ):
        with pytest.raises(ValueError, match="Register offset"):
            RegisterFile((register,), address_width=REGISTER_ADDRESS_BITS)
