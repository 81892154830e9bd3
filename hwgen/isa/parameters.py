"""The record of an output channel in the parameter memory, defined once: 32 bytes,
little-endian."""

from .instructions import Field

__all__ = ["BIAS_BITS", "RECORD_BYTES", "RECORD", "RESIDUAL_BITS"]

RECORD_BYTES = 32
BIAS_BITS = 48
RESIDUAL_BITS = 32

# (field, first byte). M and S as wide as any configuration takes; one may take fewer bits. Mb
# shares S with M, whose accumulator has steps some thousand times finer than an activation's, so Mb
# is wide.
RECORD = (
    (
        Field("multiplier", 24, "M of the full path (drain.multiplier_bits are used)", signed=True),
        0,
    ),
    (Field("shift", 8, "S of the full path, 1 to drain.shift_max"), 3),
    (Field("residual_multiplier", RESIDUAL_BITS, "Mb of the full path", signed=True), 4),
    (Field("bias", BIAS_BITS, "B of the full path", signed=True), 8),
    (Field("channel", 12, "channel of the output tile that this slot computes"), 14),
    (Field("base_multiplier", 24, "M of the base path", signed=True), 16),
    (Field("base_shift", 8, "S of the base path"), 19),
    (Field("base_residual_multiplier", RESIDUAL_BITS, "Mb of the base path", signed=True), 20),
    (Field("base_bias", BIAS_BITS, "B of the base path", signed=True), 24),
)
