"""The record of an output channel in the parameter memory, defined once: 32 bytes, little-endian."""

from .instructions import Field

__all__ = ["BIAS_BITS", "RECORD_BYTES", "RECORD"]

RECORD_BYTES = 32
BIAS_BITS = 40

# (field, first byte). M, Mb and S as wide as the hardware takes at most; a configuration may take fewer bits.
RECORD = (
    (Field("multiplier", 24, "M of the full path (drain.multiplier_bits are used)", signed=True), 0),
    (Field("shift", 8, "S of the full path, 1 to drain.shift_max"), 3),
    (Field("residual_multiplier", 24, "Mb (drain.multiplier_bits are used)", signed=True), 4),
    (Field("bias", BIAS_BITS, "B of the full path", signed=True), 8),
    (Field("channel", 12, "where the output goes: channel of the output tile, counted from its first plane"), 14),
    (Field("base_multiplier", 24, "M of the base path", signed=True), 16),
    (Field("base_shift", 8, "S of the base path"), 19),
    (Field("base_bias", BIAS_BITS, "B of the base path", signed=True), 24),
)
