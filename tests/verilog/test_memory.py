"""The one wrapper of memories."""

import gc
import random
import warnings
from collections import deque

import pytest
from amaranth import *
from amaranth.lib import wiring
from amaranth.sim import Simulator

from hwgen import tools
from hwgen.memory import RAM, MemoryUse, collision_checks, inventory, macro_model
from hwgen.verilog import emit

from .benches import run


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depth": 1, "width": 8}, "depth must be an integer of at least 2, not 1"),
        ({"depth": 8, "width": 0}, "width must be a positive integer, not 0"),
        ({"depth": 8, "width": 8, "granularity": 3}, "must be None or divide the width 8, not 3"),
        ({"depth": 8, "width": 8, "style": "sram"}, "must be one of block, distributed, macro"),
        ({"depth": 8, "width": 8, "asynchronous": True}, 'must be "distributed" to read async'),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message) as caught:
        RAM(**parameters)
    with warnings.catch_warnings():
        # Amaranth regrets that what could not be made was never used.
        warnings.simplefilter("ignore")
        del caught
        gc.collect()


SHAPES = [
    {"depth": 16, "width": 12},
    {"depth": 10, "width": 12, "granularity": 4},
    {"depth": 8, "width": 5, "style": "distributed"},
    {"depth": 8, "width": 6, "granularity": 1, "style": "distributed", "asynchronous": True},
    {"depth": 16, "width": 8, "granularity": 8, "style": "macro"},
]


def stimuli(ram: RAM, seed: int, cycles: int = 400) -> list[dict]:
    """Random accesses that never read the row that is being written."""
    generator = random.Random(seed)
    accesses = []
    for _cycle in range(cycles):
        access = {
            "w_en": generator.randrange(2),
            "w_addr": generator.randrange(ram.depth),
            "w_data": generator.getrandbits(ram.width),
            "w_mask": generator.getrandbits(ram.width // (ram.granularity or ram.width)),
            "r_en": generator.randrange(2),
            "r_addr": generator.randrange(ram.depth),
        }
        if access["w_en"] and access["w_addr"] == access["r_addr"]:
            access["r_en"] = 0
        accesses.append(access)
    return accesses


def model(ram: RAM, accesses: list[dict]) -> list[int | None]:
    """What ``r_data`` is in each cycle; None where it is undefined."""
    rows: list = [None] * ram.depth
    answers = deque([None] * ram.latency)
    seen = []
    for access in accesses:
        row = rows[access["r_addr"]]
        if ram.asynchronous:
            seen.append(row)
        else:
            seen.append(answers[0])
            if access["r_en"]:
                answers[0] = row
        if access["w_en"]:
            step = ram.granularity or ram.width
            mask = sum(
                (2**step - 1) << step * part
                for part in range(ram.width // step)
                if ram.granularity is None or access["w_mask"] >> part & 1
            )
            old = rows[access["w_addr"]]
            if old is not None or mask == 2**ram.width - 1:
                rows[access["w_addr"]] = ((old or 0) & ~mask) | (access["w_data"] & mask)
    return seen


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values())))
def test_simulation_equals_the_model(shape):
    with collision_checks():
        ram = RAM(**shape)
        accesses = stimuli(ram, 7)
        wanted = model(ram, accesses)
        compared = 0

        async def bench(ctx):
            nonlocal compared
            for access, word in zip(accesses, wanted, strict=True):
                for name, value in access.items():
                    if name in ram.signature.members:
                        ctx.set(getattr(ram, name), value)
                await ctx.delay(1e-9)
                if word is not None:
                    assert ctx.get(ram.r_data) == word
                    compared += 1
                await ctx.tick()

        simulator = Simulator(ram)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
    assert compared > 50


def test_reading_the_row_that_is_written_is_caught():
    with collision_checks():
        ram = RAM(depth=4, width=4, name="victim")

        async def bench(ctx):
            ctx.set(ram.w_en, 1)
            ctx.set(ram.r_en, 1)
            await ctx.tick()

        simulator = Simulator(ram)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        with pytest.raises(AssertionError, match="RAM victim: row read while it is written"):
            simulator.run()


class Several(wiring.Component):
    """Memories of different styles, at different depths of a hierarchy."""

    def __init__(self):
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        inner = Module()
        inner.submodules.a = RAM(depth=16, width=8, name="list")
        m.submodules.inner = inner
        m.submodules.b = RAM(depth=16, width=8, name="list")
        m.submodules.c = RAM(depth=64, width=32, granularity=8, style="macro", name="buffer")
        return m


def test_inventory_counts_equal_memories_together():
    assert inventory(Several()) == [
        MemoryUse("buffer", 64, 32, 8, "macro", False, 1),
        MemoryUse("list", 16, 8, None, "block", False, 2),
    ]
    assert inventory(Several())[1].as_dict()["bits"] == 256


@pytest.mark.icarus
@pytest.mark.parametrize("single_port", [False, True])
@pytest.mark.parametrize("granularity", [None, 4])
def test_macro_and_its_model_behave_as_the_memory_does(granularity, single_port, tmp_path):
    ram = RAM(depth=8, width=8, granularity=granularity, style="macro", single_port=single_port)
    accesses = stimuli(ram, 3)
    if single_port:
        for access in accesses:
            access["r_en"] &= not access["w_en"]
    names = [name for name in accesses[0] if name in ram.signature.members]
    widths = {name: len(Value.cast(getattr(ram, name))) for name in names}
    lines = [f"  reg [{width - 1}:0] {name} = 0;" for name, width in widths.items()]
    ports = ", ".join(f".{name}({name})" for name in ("clk", *names, "r_data"))
    lines.append(f"  ram dut ({ports});")
    lines.append("  initial begin")
    for access in accesses:
        lines += [f"    {name} = {access[name]};" for name in names]
        lines.append('    #1 $display("%b", r_data); clk = 1; #1 clk = 0;')
    bench = "\n".join(
        [
            "module bench;",
            "  reg clk = 0;",
            "  wire [7:0] r_data;",
            *lines,
            "  end",
            "endmodule",
            "",
        ]
    )
    text = emit(ram, name="ram") + macro_model(8, 8, granularity, single_port) + bench
    assert "hwgen_ram_8x8" in emit(ram, name="ram")
    (tmp_path / "bench.v").write_text(
        text.replace(".rst(rst), ", "").replace("  input  wire       rst,\n", "")
    )
    run([tools.locate("iverilog"), "-g2005", "-o", "bench", "bench.v"], tmp_path)
    printed = run([tools.locate("vvp"), "-n", "bench"], tmp_path).split()
    compared = 0
    for bits, word in zip(printed, model(ram, accesses), strict=True):
        if word is not None:
            assert int(bits, 2) == word
            compared += 1
    assert compared > 50
