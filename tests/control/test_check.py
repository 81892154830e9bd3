"""What makes an instruction malformed: hardware against the model, the model against examples."""

import random

import pytest
from amaranth.sim import Simulator

from hwgen.config import load as load_config
from hwgen.isa.checks import Reason, available, field_ranges, header_bits, reason
from hwgen.isa.instructions import INSTRUCTIONS
from hwgen.isa.packing import pack
from hwgen.rtl.control.check import InstructionCheck
from hwgen.rtl.control.product import SerialProduct

TILE = {"positions": 37, "diagonal": 0, "width": 5, "step_rows": 0, "step_columns": 4, "slots": 4}
DIAGONAL = {"diagonal": 2, "positions": 32, "width": 8}
SIZES = {
    "array.clusters": 4,
    "array.slots": 16,
    "array.rows": 512,
    "memory.activation_words": 4096,
    "memory.weight_words": 4096,
}
CONFIGS = {
    "cgnet8": load_config("cgnet8", SIZES),
    "baseline8": load_config("baseline8", {"drain.pool": False}),
    "tiny": load_config("tiny"),
    "bricks": load_config("tiny", {"array.mac": "bricks", "array.modes": ["8x8", "4x3", "2x2"]}),
    "serial": load_config("tiny", {"array.mac": "serial", "array.modes": ["8x8", "3x8"]}),
}


def well_formed(config, name: str, draw: random.Random) -> dict[str, int]:
    """Fields of an instruction that ``config`` accepts."""
    instruction = next(i for i in INSTRUCTIONS if i.name == name)
    fields = {}
    for field, (least, most) in field_ranges(config, instruction).items():
        fields[field] = draw.choice((least, most, draw.randint(least, most)))
    array = config.array
    if name in ("PASS", "DRAIN"):
        fields["slots"] = draw.randint(1, array.slots)
        most = config.positions_per_cluster * array.clusters
        fields["positions"] = draw.randint(1, most)
        if fields["diagonal"]:
            # Whole rows of whole blocks of positions.
            fields["positions"] += -fields["positions"] % array.clusters
            if name == "PASS":
                fields["width"] = draw.randrange(array.clusters, 1024, array.clusters)
    if name == "PASS":
        fields["conditional"] &= ~fields["gate"]
    if name == "LOAD" and fields["bits"]:
        fields |= {"target": 1, "rows": 1, "planes": 1, "room": 3}
        fields["bits"] = min(fields["bits"], 7)
    if name == "PASS":
        taps = fields["kernel_rows"] * fields["kernel_columns"]
        fields["planes"] = draw.randint(1, min(4095, config.memory.weight_words // taps))
        fields["chunks"] = fields["planes"] * taps
        fields["step_rows"], fields["step_columns"] = divmod(array.clusters, fields["width"])
    return fields


def words(config, seed: int) -> list[int]:
    """Well-formed instructions, the same with a field or a bit changed, and rubbish."""
    draw = random.Random(seed)
    result = []
    for _ in range(40):
        for instruction in INSTRUCTIONS:
            known = instruction if instruction in available(config) else INSTRUCTIONS[1]
            fields = well_formed(config, known.name, draw)
            good = int.from_bytes(pack(known.name, **fields), "little")
            result += [good, good ^ 1 << draw.randrange(256)]
            if known.fields:
                low = header_bits
                field = draw.choice(known.fields)
                for other in known.fields:
                    if other is field:
                        break
                    low += other.bits
                mask = (1 << field.bits) - 1
                value = draw.choice((0, mask, draw.randint(0, mask)))
                result.append(good & ~(mask << low) | value << low)
        result.append(draw.getrandbits(256))
        fields = well_formed(config, "PASS", draw)
        most = config.array.rows * config.array.clusters
        for change in (
            {"gate": 1, "conditional": 1},
            {"positions": most // fields["slots"] + 1},
            {"diagonal": draw.randrange(1, 12), "positions": draw.randrange(1, 9)},
            {"step_columns": fields["step_columns"] ^ 1},
        ):
            result.append(int.from_bytes(pack("PASS", **fields | change), "little"))
        spread = {"bits": 3, "room": 2, "target": 1, "rows": 1, "planes": 1}
        change = {draw.choice(("rows", "planes", "target")): 2}
        change = draw.choice((change, {"bits": 4}, {"room": draw.randrange(4)}))
        fields = well_formed(config, "LOAD", draw) | spread | change
        result.append(int.from_bytes(pack("LOAD", **fields), "little"))
    return result


@pytest.mark.parametrize("name", CONFIGS)
def test_hardware_is_the_model(name):
    config = CONFIGS[name]
    dut = InstructionCheck(config)
    found = set()

    async def bench(ctx):
        for word in words(config, 1):
            ctx.set(dut.word, word)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            (verdict,) = await ctx.tick().sample(dut.reason).until(dut.done)
            assert verdict == dut.model(word), hex(word)
            found.add(verdict)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    expected = {0, *Reason} - ({Reason.GATE} if not config.array.gated else set())
    if config.array.clusters == 1:
        expected.remove(Reason.DIAGONAL)
    if name != "bricks":
        expected.remove(Reason.SPREAD)
    assert found == expected


def test_serial_product():
    dut = SerialProduct(a=7, b=5, c=4)
    draw = random.Random(2)

    async def bench(ctx):
        for _ in range(200):
            a, b, c = draw.randrange(128), draw.randrange(32), draw.randrange(16)
            if a * b + c >= 1 << 12:
                continue
            for port, value in ((dut.a, a), (dut.b, b), (dut.c, c), (dut.start, 1)):
                ctx.set(port, value)
            await ctx.tick()
            ctx.set(dut.start, 0)
            waited = 0
            while not ctx.get(dut.done):
                waited += 1
                await ctx.tick()
            assert waited == b.bit_length()
            assert ctx.get(dut.product) == a * b + c

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def changed(name: str, **fields) -> int:
    """An instruction of cgnet8, some fields of which are set to something."""
    draw = random.Random(3)
    values = well_formed(CONFIGS["cgnet8"], name, draw)
    if name == "DRAIN":
        values["diagonal"] = 0
    if name == "PASS":
        values |= TILE | {"gate": 0, "conditional": 0}
    return int.from_bytes(pack(name, **values | fields), "little")


@pytest.mark.parametrize(
    "word, expected",
    [
        (0, Reason.OPCODE),
        (changed("END"), None),
        (changed("END") | 1 << header_bits, Reason.PADDING),
        (changed("LOAD"), None),
        (changed("LOAD", target=3), Reason.FIELD),
        (changed("LOAD", buffer=16384), Reason.FIELD),
        (changed("LOAD", words=16385), Reason.FIELD),
        (changed("STORE", rows=16385), Reason.FIELD),
        (changed("STORE", buffer=16383), None),
        (changed("PASS"), None),
        (changed("PASS", slots=17), Reason.FIELD),
        (changed("PASS", chunks=4097), Reason.FIELD),
        (changed("PASS", step_rows=5), Reason.FIELD),
        (changed("PASS", gate=1, conditional=1), Reason.GATE),
        (changed("PASS", slots=4, positions=512), None),
        (changed("PASS", slots=4, positions=513), Reason.TILE),
        (changed("PASS", slots=4, positions=128, gate=1), None),
        (changed("PASS", slots=4, positions=129, gate=1), Reason.TILE),
        (changed("PASS", chunks=1, planes=2), Reason.CHUNKS),
        (changed("PASS", step_columns=3), Reason.STEP),
        (changed("PASS", **DIAGONAL), None),
        (changed("PASS", **DIAGONAL | {"diagonal": 11}), None),
        (changed("PASS", **DIAGONAL | {"diagonal": 12}), Reason.FIELD),
        (changed("PASS", **DIAGONAL | {"positions": 33}), Reason.DIAGONAL),
        (changed("PASS", **DIAGONAL | {"positions": 33, "diagonal": 0}), None),
        (changed("PASS", **DIAGONAL | {"width": 6}), Reason.DIAGONAL),
        (changed("DRAIN", slots=4, positions=36, diagonal=2), None),
        (changed("DRAIN", slots=4, positions=38, diagonal=2), Reason.DIAGONAL),
        (changed("DRAIN", slots=4, positions=38, diagonal=0), None),
        (changed("DRAIN", source=0, slots=16, positions=128), None),
        (changed("DRAIN", source=0, slots=16, positions=129), Reason.TILE),
        (changed("DRAIN", source=2, slots=1, positions=129), Reason.TILE),
        (changed("DRAIN", source=3), Reason.FIELD),
        (changed("DRAIN", channels=129), Reason.FIELD),
        (changed("DRAIN", channels=128), None),
        (changed("VECTOR", operation=3), Reason.FIELD),
    ],
)
def test_examples(word, expected):
    assert reason(CONFIGS["cgnet8"], word) == expected


def test_units_that_are_not_there():
    assert reason(CONFIGS["baseline8"], changed("VECTOR")) == Reason.OPCODE
    assert reason(CONFIGS["baseline8"], changed("PASS", gate=1)) == Reason.FIELD
    assert reason(CONFIGS["baseline8"], changed("DRAIN", source=1)) == Reason.FIELD
