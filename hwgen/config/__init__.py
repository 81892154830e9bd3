"""The configuration of an accelerator: what may be said in a TOML file, and how it is read."""

from hwgen.config.loading import load, shipped_names
from hwgen.config.schema import Config
from hwgen.config.sections import (
    ArrayConfig,
    BusConfig,
    ControlConfig,
    DrainConfig,
    MemoryConfig,
)

__all__ = [
    "ArrayConfig",
    "BusConfig",
    "Config",
    "ControlConfig",
    "DrainConfig",
    "MemoryConfig",
    "load",
    "shipped_names",
]
