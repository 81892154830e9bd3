"""The weight stream of a pass: what the feeder reads, word after word."""

from dataclasses import dataclass

import numpy as np

from ..bitpacking import pack, packed_size, unpack
from ..config import Config
from ..rtl.mac import Placement, facts
from .layer import Convolution
from .operands import packed, unpacked

__all__ = [
    "Spread",
    "dense",
    "pack_chunks",
    "pack_thresholds",
    "threshold_words",
    "spread",
    "spread_of",
    "unpack_chunks",
    "unpack_thresholds",
]

# A threshold no sum exceeds: slots without an output channel never fire.
NEVER = (1 << 31) - 1


def _thresholds_per_word(config: Config) -> int:
    """Thresholds that a word has for each group."""
    return min(config.array.group, config.weight_part_bits // 32)


def _words(config: Config, values: np.ndarray, per_word: int) -> np.ndarray:
    """Bytes (…, group, slot of the group, byte) as words (…, word, byte): in each word a part for
    every group with ``per_word`` of its slots, padded with zeros.
    """
    *rest, groups, slots, size = values.shape
    part = config.weight_part_bits // 8
    count = -(-slots // per_word)
    parts = np.zeros((*rest, config.weight_word_bits // 8 // part, count, part), np.uint8)
    padded = np.zeros((*rest, groups, count * per_word, size), np.uint8)
    padded[..., :slots, :] = values
    parts[..., :groups, :, : per_word * size] = padded.reshape(*rest, groups, count, -1)
    return np.swapaxes(parts, -3, -2).reshape(*rest, count, -1)


def _values(config: Config, words: np.ndarray, per_word: int, size: int) -> np.ndarray:
    """The inverse of :func:`_words`, padding slots included."""
    part = config.weight_part_bits // 8
    parts = words.reshape(*words.shape[:-1], -1, part)[..., : config.groups, : per_word * size]
    parts = np.swapaxes(parts, -3, -2)  # (…, group, word, byte)
    return np.ascontiguousarray(parts).reshape(*parts.shape[:-2], -1, size)


def pack_chunks(config: Config, weights: np.ndarray, slots: int, mode: int = 0) -> bytes:
    """Weights (chunk, slot of the block, lane of the mode), int8; slots are padded to groups x D x
    slots.
    """
    unit = facts(config)
    per_group = config.array.group * slots
    total = config.groups * per_group
    full = np.zeros((weights.shape[0], total, config.array.lanes), np.uint8)
    full[:, : weights.shape[1]] = packed(weights, unit.weights_in(unit.modes[mode]))
    full = full.reshape(len(full), config.groups, per_group, config.array.lanes)
    return _words(config, full, config.memory.weight_slots).tobytes()


def unpack_chunks(
    config: Config, words: np.ndarray, chunks: int, slots: int, mode: int = 0
) -> np.ndarray:
    """The weights (chunk, slot of the block, lane of the mode) of packed words (word, byte)."""
    unit = facts(config)
    lanes = config.array.lanes
    words = words.reshape(chunks, -1, words.shape[-1])
    values = _values(config, words, config.memory.weight_slots, lanes)
    values = values[:, :, : config.array.group * slots]
    return unpacked(
        values.reshape(chunks, -1, lanes), unit.weights_in(unit.modes[mode]), signed=True
    )


@dataclass(frozen=True)
class Spread:
    """Weights that lie dense in memory: ``bits`` each, for a room of a word's ``room`` bits, of
    which the lowest ``offset`` are zeros.
    """

    bits: int
    room: int
    offset: int

    @property
    def fields(self) -> dict[str, int]:
        """Of a LOAD."""
        return {"bits": self.bits, "room": self.room.bit_length() - 1, "offset": self.offset}


def spread_of(config: Config, layer: Convolution, mode: int) -> Spread | None:
    """How weights of a mode can lie dense; None if there is nothing to gain."""
    unit = facts(config)
    places = unit.weights_in(unit.modes[mode])
    if places.bipolar or not unit.spreads:
        return None
    weights = [part.weights for part in layer.products if part.how.mode == mode]
    most = max(max(int(w.max(initial=0)), -1 - int(w.min(initial=0))) for w in weights)
    bits = max(2, most.bit_length() + 1)
    return Spread(bits, places.stride, places.offset) if bits < places.stride else None


def dense(config: Config, data: bytes, how: Spread) -> bytes:
    """Words of :func:`pack_chunks` as they lie dense in memory."""
    vectors = np.frombuffer(data, np.uint8).reshape(-1, config.array.lanes)
    places = Placement(vectors.shape[1] * 8 // how.room, how.room, how.bits, how.offset)
    return pack(unpacked(vectors, places, signed=True), how.bits, signed=True).tobytes()


def spread(config: Config, data: bytes, count: int, how: Spread) -> np.ndarray:
    """The inverse: ``count`` words (word, byte) of what lies dense in memory."""
    lanes = config.array.lanes
    shape = count * config.weight_word_bits // (8 * lanes), lanes * 8 // how.room
    size = packed_size(shape[0] * shape[1], how.bits)
    # What follows in memory may begin within the last byte's zeros, never before.
    values = unpack(np.frombuffer(data[:size], np.uint8), shape, how.bits, signed=True)
    places = Placement(shape[1], how.room, how.room - how.offset, how.offset)
    return packed(values, places).reshape(count, -1)


def pack_thresholds(config: Config, thresholds: np.ndarray, slots: int) -> bytes:
    """Thresholds of the block's slots, int32, ``min(D, bytes of a part / 4)`` in each part."""
    full = np.full(config.array.engines * slots, NEVER, np.int64)
    full[: len(thresholds)] = thresholds
    values = full.astype("<i4").view(np.uint8).reshape(config.groups, -1, 4)
    return _words(config, values, _thresholds_per_word(config)).tobytes()


def threshold_words(config: Config, slots: int) -> int:
    """Words of the thresholds of a block."""
    return -(-config.array.group * slots // _thresholds_per_word(config))


def unpack_thresholds(config: Config, words: np.ndarray) -> np.ndarray:
    """The thresholds (slot of the block) of packed words (word, byte)."""
    values = _values(config, words, _thresholds_per_word(config), 4)
    return values.reshape(-1).view("<i4").astype(np.int64)
