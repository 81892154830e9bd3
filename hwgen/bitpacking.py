"""Numbers of 1 to 16 bits in bytes without a wasted bit.

Number n takes bits ``n * bits`` to ``n * bits + bits - 1`` of the bytes, bit 0 being the lowest one
of the first byte. What is left of the last byte is zero.
"""

import numpy as np

__all__ = ["BITS_MAX", "pack", "packed_size", "unpack"]

BITS_MAX = 16


def packed_size(count: int, bits: int) -> int:
    """Bytes of so many numbers."""
    _check_bits(bits)
    return -(-count * bits // 8)


def pack(values: np.ndarray, bits: int, *, signed: bool) -> np.ndarray:
    """The numbers of an array, in its order, as bytes.

    Raises
    ------
    ValueError
        If a number does not fit, or the array does not hold integers.
    """
    _check_bits(bits)
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"values must be integers, not {values.dtype}")
    flat = values.reshape(-1)
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    wrong = np.flatnonzero((flat < low) | (flat > high))
    if wrong.size:
        place = ", ".join(str(n) for n in np.unravel_index(wrong[0], values.shape))
        raise ValueError(f"value [{place}] must be from {low} to {high}, not {flat[wrong[0]]}")
    words = (flat.astype(np.int64) & (1 << bits) - 1).astype("<u2").view(np.uint8)
    ones = np.unpackbits(words.reshape(-1, 2), axis=1, bitorder="little")[:, :bits]
    return np.packbits(ones.reshape(-1), bitorder="little")


def unpack(data: np.ndarray, shape: tuple[int, ...], bits: int, *, signed: bool) -> np.ndarray:
    """The array of such a shape that was packed, as int32.

    Raises
    ------
    ValueError
        If the bytes are not as many as the numbers need, or bits beyond the last number are set.
    """
    data = np.asarray(data)
    if data.dtype != np.uint8 or data.ndim != 1:
        raise ValueError(f"data must be bytes in one dimension, not {data.dtype} {data.shape}")
    count = int(np.prod(shape, dtype=np.int64))
    if data.size != packed_size(count, bits):
        raise ValueError(
            f"data must be {packed_size(count, bits)} bytes for {count} numbers of {bits} bits, "
            f"not {data.size}"
        )
    ones = np.unpackbits(data, bitorder="little")
    if ones[count * bits :].any():
        raise ValueError(f"data must end with zeros after {count} numbers of {bits} bits")
    places = 1 << np.arange(bits, dtype=np.int32)
    if signed:
        places[-1] = -places[-1]
    return (ones[: count * bits].reshape(count, bits) @ places).astype(np.int32).reshape(shape)


def _check_bits(bits: int) -> None:
    if not isinstance(bits, int) or not 1 <= bits <= BITS_MAX:
        raise ValueError(f"bits must be from 1 to {BITS_MAX}, not {bits!r}")
