"""The weight stream of a pass: what the feeder reads, word after word."""

import numpy as np

from ..config import Config

__all__ = ["pack_chunks", "pack_thresholds"]

# A threshold no sum exceeds: slots without an output channel never fire.
NEVER = (1 << 31) - 1


def _words(config: Config, slots: np.ndarray) -> np.ndarray:
    """Slot vectors (…, groups, slots of a group, R) as words, the last word of a group padded."""
    per_word = config.memory.weight_slots
    padding = -slots.shape[-2] % per_word
    widths = [(0, 0)] * (slots.ndim - 2) + [(0, padding), (0, 0)]
    return np.pad(slots, widths)


def pack_chunks(config: Config, weights: np.ndarray, slots: int) -> bytes:
    """Weights (chunk, slot of the block, R), int8; slots are padded to groups x D x slots."""
    per_group = config.array.group * slots
    total = config.groups * per_group
    full = np.zeros((weights.shape[0], total, config.array.lanes), np.int8)
    full[:, : weights.shape[1]] = weights
    full = full.reshape(weights.shape[0], config.groups, per_group, config.array.lanes)
    return _words(config, full).tobytes()


def pack_thresholds(config: Config, thresholds: np.ndarray, slots: int) -> bytes:
    """Thresholds of the block's slots, int32, in words of ``min(D, word bytes / 4)``."""
    word_bytes = config.weight_word_bits // 8
    per_word = min(config.array.group, word_bytes // 4)
    full = np.full(config.array.engines * slots, NEVER, np.int64)
    full[: len(thresholds)] = thresholds
    words = np.zeros((len(full) // per_word, word_bytes), np.uint8)
    words[:, : 4 * per_word] = full.astype("<i4").view(np.uint8).reshape(-1, 4 * per_word)
    return words.tobytes()
