"""Instructions and records as bytes."""

import random

import numpy as np
import pytest

from hwgen.config import load
from hwgen.errors import UserError
from hwgen.isa.instructions import HEADER, INSTRUCTIONS, TOKENS
from hwgen.isa.packing import disassemble, mask_of, pack, pack_records, unpack, unpack_records
from hwgen.isa.parameters import RECORD

LOAD = {
    "target": 1,
    "base": 7,
    "address": 0x89ABCDE0,
    "words": 0xFFFF,
    "rows": 1,
    "planes": 2,
    "row_stride": 3,
    "plane_stride": 4,
    "buffer": 5,
    "buffer_row_stride": 6,
    "buffer_plane_stride": 0x2AAAA,
}


def test_an_instruction_by_hand():
    word = int.from_bytes(pack("LOAD", wait=[0, 2], post=1 << 3, **LOAD), "little")
    low = sum(field.bits for field in HEADER)
    assert word & 0xFF == 2
    assert word >> 8 & (1 << TOKENS) - 1 == 0b101
    assert word >> 8 + TOKENS & (1 << TOKENS) - 1 == 0b1000
    assert word >> low & 3 == 1
    assert word >> low + 2 & 7 == 7
    assert word >> low + 5 & 0xFFFFFFFF == 0x89ABCDE0
    assert word >> low + 37 & 0xFFFF == 0xFFFF


@pytest.mark.parametrize("instruction", INSTRUCTIONS, ids=lambda i: i.name)
def test_unpacking_is_the_inverse(instruction):
    draw = random.Random(1)
    for _ in range(50):
        fields = {
            f.name: draw.choice((*f.range, draw.randint(*f.range))) for f in instruction.fields
        }
        wait, post = draw.getrandbits(TOKENS), draw.getrandbits(TOKENS)
        data = pack(instruction.name, wait=wait, post=post, **fields)
        decoded = unpack(data)
        assert (decoded.name, decoded.wait, decoded.post) == (instruction.name, wait, post)
        assert decoded.fields == fields
        assert len(data) == 32


def test_disassembly():
    fields = dict.fromkeys(LOAD, 0) | {"words": 3, "rows": 1, "planes": 1, "address": 64}
    text = disassemble(pack("LOAD", wait=[1, 4], **fields))
    assert text == "LOAD   wait={1,4} address=64 words=3 rows=1 planes=1"
    assert disassemble(pack("END")) == "END"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"rows": 0}, "LOAD.rows: must be 1 to 65535, not 0"),
        ({"rows": 65536}, "LOAD.rows: must be 1 to 65535, not 65536"),
        ({"address": -1}, "LOAD.address: must be 0 to 4294967295, not -1"),
        ({"words": 1.5}, "LOAD.words: must be 1 to 65535, not 1.5"),
        ({"words": "two"}, "LOAD.words: must be 1 to 65535, not 'two'"),
        ({"colour": 1}, "LOAD.colour: no such field"),
        ({"wait": [TOKENS]}, f"token counter {TOKENS}: must be 0 to {TOKENS - 1}"),
        ({"post": 1 << TOKENS}, "LOAD.post: must be 0 to"),
        ({"target": 3, "config": load("tiny")}, "LOAD: a field is out of its range"),
    ],
)
def test_mistakes_are_told_in_a_line(change, message):
    with pytest.raises(UserError) as caught:
        pack("LOAD", **LOAD | change)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_other_mistakes():
    with pytest.raises(UserError, match="instruction 'JUMP': must be one of END, LOAD"):
        pack("JUMP")
    with pytest.raises(UserError, match="LOAD.target: missing"):
        pack("LOAD")
    with pytest.raises(UserError, match="an instruction has 32 bytes, not 31"):
        unpack(bytes(31))
    with pytest.raises(UserError, match="opcode 0: no such instruction"):
        unpack(bytes(32))


def test_masks():
    assert mask_of([]) == 0 and mask_of({0, 5}) == 33 and mask_of(7) == 7


def columns(seed: int, count: int) -> dict[str, np.ndarray]:
    draw = random.Random(seed)
    return {
        field.name: np.array(
            [draw.choice((*field.range, draw.randint(*field.range))) for _ in range(count)]
        )
        for field, _byte in RECORD
    }


def test_records():
    values = columns(2, 60)
    data = pack_records(**values)
    assert len(data) == 60 * 32
    for name, column in unpack_records(data).items():
        assert (column == values[name]).all(), name
    # Against a way of packing that has nothing in common with it.
    for index in range(60):
        record = data[32 * index : 32 * index + 32]
        for field, byte in RECORD:
            value = int.from_bytes(record, "little") >> 8 * byte & (1 << field.bits) - 1
            assert value == int(values[field.name][index]) & (1 << field.bits) - 1


def test_mistakes_in_records():
    values = columns(3, 2)
    name, most = RECORD[0][0].name, RECORD[0][0].range[1]
    with pytest.raises(UserError, match=rf"record.{name}\[1\]: must be .* not {most + 1}"):
        pack_records(**values | {name: np.array([0, most + 1])})
    with pytest.raises(UserError, match=f"record.{name}: must be integers, not float64"):
        pack_records(**values | {name: np.array([0.0, 1.0])})
    with pytest.raises(UserError, match="of shape"):
        pack_records(**values | {RECORD[1][0].name: np.array([1])})
    with pytest.raises(UserError, match="a parameter record has the fields"):
        pack_records(colour=[1])
