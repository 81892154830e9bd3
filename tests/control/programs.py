"""Programs of copies, and what they must do to memory."""

import random

from hwgen.isa.instructions import by_name
from hwgen.isa.packing import pack
from hwgen.rtl.control.words import load_words

__all__ = ["copies", "end", "load", "order", "store"]


def end(wait=()) -> bytes:
    """The END of a program."""
    return pack("END", wait=wait)


ROW = {
    "base": 0,
    "address": 0,
    "words": 1,
    "rows": 1,
    "planes": 1,
    "row_stride": 0,
    "plane_stride": 0,
    "buffer": 0,
    "buffer_row_stride": 0,
    "buffer_plane_stride": 0,
}


def load(wait=(), post=(), target=0, **fields) -> bytes:
    """A LOAD of one word of activations, but for ``fields``."""
    return pack("LOAD", wait=wait, post=post, target=target, **ROW | fields)


def store(wait=(), post=(), **fields) -> bytes:
    """A STORE of one word, but for ``fields``."""
    return pack("STORE", wait=wait, post=post, **ROW | fields)


ORDERS = {
    "array": ("PASS", {"mask": 255, "step_rows": 1}),
    "drain": ("DRAIN", {"low": -256, "high": 255}),
    "vector": ("VECTOR", {"high": 255}),
}


def order(unit: str, wait=(), post=()) -> bytes:
    """A well-formed instruction for one cluster, of a unit that is played by the bench."""
    name, fields = ORDERS[unit]
    smallest = {field.name: field.least for field in by_name(name).fields}
    return pack(name, wait=wait, post=post, **smallest | fields)


def rows(fields: dict, base: int, word: int):
    """(byte address, first word in the buffer) of each row of a copy."""
    for plane in range(fields["planes"]):
        for row in range(fields["rows"]):
            words = plane * fields["plane_stride"] + row * fields["row_stride"]
            at = fields["buffer"] + plane * fields["buffer_plane_stride"]
            yield base + fields["address"] + words * word, at + row * fields["buffer_row_stride"]


class copies:
    """Random loads and stores, one after the other by tokens, and a model of what they do."""

    def __init__(self, config, seed: int, bases: list[int], size: int):
        self.config = config
        self.random = random.Random(seed)
        self.bases = bases
        self.size = size

    def fields(self, word: int, buffer: int) -> dict:
        """A copy that stays within ``size`` bytes."""
        draw = self.random.randrange
        while True:
            fields = {
                "base": draw(8),
                "address": draw(0, self.size, word),
                "words": draw(1, self.random.choice((3, 9, 40))),
                "rows": draw(1, 4),
                "planes": draw(1, 3),
                "row_stride": draw(0, 60),
                "plane_stride": draw(0, 100),
                "buffer": draw(buffer),
                "buffer_row_stride": draw(0, 50),
                "buffer_plane_stride": draw(0, 120),
            }
            base = self.bases[fields["base"]]
            last = max(address for address, _ in rows(fields, base, word)) + fields["words"] * word
            if base % word == 0 and last <= self.size:
                return fields

    def program(self, count: int, memory: bytearray, buffers: list[list[int]]) -> list[bytes]:
        """``count`` copies and END; ``memory`` and ``buffers`` become what they are afterwards."""
        program = []
        previous = None
        sizes = load_words(self.config)
        for number in range(count):
            wait = () if previous is None else (previous,)
            previous = number % 16
            target = self.random.choice((0, 0, 1, 2, None, None))
            word = sizes[target or 0]
            buffer = buffers[target or 0]
            fields = self.fields(word, len(buffer))
            for address, at in rows(fields, self.bases[fields["base"]], word):
                for n in range(fields["words"]):
                    where = slice(address + n * word, address + (n + 1) * word)
                    if target is None:
                        memory[where] = buffer[(at + n) % len(buffer)].to_bytes(word, "little")
                    else:
                        value = int.from_bytes(memory[where], "little")
                        buffer[(at + n) % len(buffer)] = value
            if target is None:
                program.append(store(wait, (previous,), **fields))
            else:
                program.append(load(wait, (previous,), target=target, **fields))
        return [*program, end((previous,))]
