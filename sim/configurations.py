"""Random configurations that build in seconds."""

import numpy as np

from hwgen.config import Config, load
from hwgen.errors import UserError

__all__ = ["random_configuration", "random_sequential"]

DRAWS = 1000
"""At most, for one configuration; a few dozen are the most that was needed."""


def _power(rng: np.random.Generator, least: int, most: int) -> int:
    """A power of two from ``least`` to ``most``."""
    return 1 << int(rng.integers(least.bit_length() - 1, most.bit_length()))


def random_configuration(
    rng: np.random.Generator, name: str, *, gated: bool | None = None, mac: str | None = None
) -> Config:
    """A valid configuration with at most 32 MACs a cycle, drawn until the schema accepts one.

    Raises
    ------
    RuntimeError
        If it accepts none of many; the message has the last refusal.
    """
    refusal: UserError | None = None
    for _ in range(DRAWS):
        group = _power(rng, 1, 4)
        bus = _power(rng, 32, 256)
        settings = {
            "array.clusters": _power(rng, 1, 4),
            "array.engines": group * int(rng.integers(1, 4)),
            "array.lanes": _power(rng, 2, 16),
            "array.slots": int(rng.integers(1, 7)),
            "array.group": group,
            "array.queue": int(rng.integers(2, 6)),
            "array.rows": _power(rng, 16, 128),
            "array.mac": mac or str(rng.choice(["parallel", "serial"], p=[0.7, 0.3])),
            "array.gated": bool(rng.random() < 0.75) if gated is None else gated,
            "drain.lanes": _power(rng, 1, 4),
            "drain.multiplier_bits": int(rng.integers(16, 25)),
            "drain.shift_max": int(rng.integers(31, 48)),
            "drain.pool": bool(rng.random() < 0.3),
            "memory.activation_words": _power(rng, 512, 2048),
            "memory.weight_words": _power(rng, 128, 1024),
            "memory.weight_slots": _power(rng, 1, group),
            "memory.parameter_words": _power(rng, 16, 256),
            "bus.data_width": bus,
            "bus.address_width": int(rng.integers(32, 65)),
            "bus.outstanding": int(rng.integers(1, 9)),
            "bus.burst": int(rng.integers(1, 40)),
            "control.watchdog_bits": int(rng.integers(14, 25)),
            "control.queue_depth": _power(rng, 2, 8),
            "memory.banks": _power(rng, 1, 4),
        }
        macs = settings["array.clusters"] * settings["array.engines"] * settings["array.lanes"]
        if macs > 32:
            continue
        try:
            return load("tiny", settings | {"name": name, "description": ""})
        except UserError as error:
            refusal = error
    wanted = f"gated = {gated}, mac = {mac}"
    raise RuntimeError(f"none of {DRAWS} random configurations ({wanted}) is valid: {refusal}")


def random_sequential(rng: np.random.Generator, name: str) -> Config:
    """A valid configuration with `control.sequential`."""
    rows = _power(rng, 16, 512)
    settings = {
        "array.slots": int(rng.integers(1, 9)),
        "array.rows": rows,
        "drain.multiplier_bits": 16,
        "drain.shift_max": int(rng.integers(31, 48)),
        "memory.activation_words": max(2 * rows, _power(rng, 256, 2048)),
        "memory.weight_words": _power(rng, 128, 1024),
        "memory.parameter_words": _power(rng, 16, 256),
        "bus.address_width": int(rng.integers(20, 32)),
        "bus.burst": int(rng.integers(8, 257)),
        "control.watchdog_bits": int(rng.integers(14, 25)),
        "control.bases": _power(rng, 4, 8),
    }
    return load("micro", settings | {"name": name, "description": ""})
