"""Tensors of narrow numbers take the bits that they need, and come back as they were."""

import numpy as np
import pytest

from hwgen.bitpacking import BITS_MAX, pack, packed_size, unpack


def limits(bits, signed):
    return (-(1 << bits - 1), (1 << bits - 1)) if signed else (0, 1 << bits)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", range(1, BITS_MAX + 1))
def test_there_and_back(bits, signed):
    generator = np.random.default_rng(bits)
    for shape in [(0,), (1,), (7,), (3, 5, 2), (64, 3, 3)]:
        values = generator.integers(*limits(bits, signed), shape)
        data = pack(values, bits, signed=signed)
        assert data.nbytes == packed_size(values.size, bits) == -(-values.size * bits // 8)
        assert (unpack(data, shape, bits, signed=signed) == values).all()


@pytest.mark.parametrize("bits", [1, 3, 5, 8, 11])
def test_every_number_lies_where_the_text_says(bits):
    values = np.random.default_rng(bits).integers(*limits(bits, True), 40)
    data = int.from_bytes(pack(values, bits, signed=True).tobytes(), "little")
    for n, value in enumerate(values):
        assert data >> n * bits & (1 << bits) - 1 == value & (1 << bits) - 1
    assert data >> 40 * bits == 0


def test_bytes_of_eight_bits_are_themselves():
    values = np.arange(-128, 128, dtype=np.int8)
    assert (pack(values, 8, signed=True) == values.view(np.uint8)).all()


@pytest.mark.parametrize(
    "values, bits, signed, match",
    [
        ([[0, 1], [8, 0]], 4, True, r"value \[1, 0\] must be from -8 to 7, not 8"),
        ([-9], 4, True, r"value \[0\] must be from -8 to 7, not -9"),
        ([3, -1], 4, False, r"value \[1\] must be from 0 to 15, not -1"),
        ([0.5], 4, False, "integers, not float64"),
        ([1], 0, False, "bits must be from 1 to 16, not 0"),
        ([1], 17, False, "bits must be from 1 to 16, not 17"),
    ],
)
def test_what_does_not_fit_is_refused(values, bits, signed, match):
    with pytest.raises(ValueError, match=match):
        pack(np.array(values), bits, signed=signed)


def test_wrong_bytes_are_refused():
    data = pack(np.arange(5), 3, signed=False)
    with pytest.raises(ValueError, match="2 bytes for 5 numbers of 3 bits, not 3"):
        unpack(np.append(data, np.uint8(0)), (5,), 3, signed=False)
    with pytest.raises(ValueError, match="2 bytes for 5 numbers of 3 bits, not 1"):
        unpack(data[:1], (5,), 3, signed=False)
    with pytest.raises(ValueError, match="end with zeros"):
        unpack(data | np.uint8(0x80), (5,), 3, signed=False)
    with pytest.raises(ValueError, match="bytes in one dimension, not int64"):
        unpack(np.zeros(2, np.int64), (5,), 3, signed=False)
