"""Signals of RTLIL: parts of them, and what is constant in them."""

from ..rtlil import Bits, Cell, Chunk, Spec

__all__ = ["constant_value", "join_chunks", "mask_value", "slice_spec", "write_lanes"]


def slice_spec(spec: Spec, low: int, width: int) -> Spec:
    """``width`` bits of a signal from bit ``low`` on."""
    found = []
    for chunk in spec:
        start, stop = max(low, 0), min(low + width, chunk.width)
        if start < stop:
            bits = chunk.bits[chunk.width - stop : chunk.width - start]
            base = 0 if chunk.wire is None else chunk.low + start
            found.append(Chunk(chunk.wire, base, stop - start, bits))
        low -= chunk.width
    return tuple(found)


def join_chunks(spec: Spec) -> Spec:
    """The same signal with neighbouring pieces joined."""
    joined: list[Chunk] = []
    for chunk in spec:
        last = joined[-1] if joined else None
        if last and last.wire is None and chunk.wire is None:
            bits = chunk.bits + last.bits
            joined[-1] = Chunk(None, 0, len(bits), bits)
        elif last and last.wire == chunk.wire and last.low + last.width == chunk.low:
            joined[-1] = Chunk(last.wire, last.low, last.width + chunk.width)
        else:
            joined.append(chunk)
    return tuple(joined)


def constant_value(spec: Spec) -> int | None:
    if any(chunk.wire is not None for chunk in spec):
        return None
    return int("".join(chunk.bits for chunk in reversed(spec)) or "0", 2)


def mask_value(value: object) -> int:
    return int(value, 2) if isinstance(value, Bits) and value else int(value or 0)


def write_lanes(cell: Cell) -> list[tuple[int, int, Spec]]:
    """Neighbouring data bits that share a write enable: (low bit, width, enable)."""
    lanes = []
    position = 0
    for chunk in cell.ports["EN"]:
        for offset in range(chunk.width):
            if chunk.wire is None:
                bit = Chunk(None, 0, 1, chunk.bits[chunk.width - 1 - offset])
            else:
                bit = Chunk(chunk.wire, chunk.low + offset, 1)
            if lanes and lanes[-1][2] == (bit,):
                low, width, enable = lanes[-1]
                lanes[-1] = (low, width + 1, enable)
            else:
                lanes.append((position, 1, (bit,)))
            position += 1
    return lanes
