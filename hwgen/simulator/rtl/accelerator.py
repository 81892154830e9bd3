"""The simulator of a configuration: generated, compiled and kept."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import amaranth

import hwgen

from ...config import Config
from ...files import write_atomic
from .build import build, cache_folder

__all__ = ["library", "verilog"]


@cache
def _sources() -> str:
    """Digest of everything that decides what Verilog a configuration gives."""
    root = Path(hwgen.__file__).parent
    digest = hashlib.sha256(amaranth.__version__.encode())
    parts = [root / name for name in ("accelerator.py", "generate.py", "memory.py")]
    for folder in ("rtl", "isa", "verilog", "config"):
        parts += sorted((root / folder).rglob("*.py"))
    for path in parts:
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def verilog(config: Config, progress: Callable[[str], None] = lambda step: None) -> str:
    """The Verilog of ``config``, generated once."""
    from ...generate import generate

    key = hashlib.sha256((config.hash + _sources()).encode()).hexdigest()[:24]
    kept = cache_folder() / "verilog" / f"{config.name}-{key}.v"
    if not kept.exists():
        write_atomic(kept, generate(config, progress).verilog)
    return kept.read_text()


def library(
    config: Config, *, trace: bool = False, progress: Callable[[str], None] = lambda step: None
) -> Path:
    """The compiled simulator of ``config``, built once."""
    text = verilog(config, progress)
    progress("compiling the simulator")
    return build(text, top=config.name, beat_bytes=config.bus.data_width // 8, trace=trace)
