"""The generated design that the flows work on, kept: generating it takes longer than looking up."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import amaranth

import hwgen
from hwgen.config import Config
from hwgen.files import write_atomic
from hwgen.flows.modules import Module, split
from hwgen.memory import MemoryUse
from hwgen.simulator.rtl.build import cache_folder

__all__ = ["Design", "design_of"]


@dataclass(frozen=True)
class Design:
    """The modules of an accelerator by name, and its memories."""

    modules: dict[str, Module]
    memories: tuple[MemoryUse, ...]


def design_of(config: Config, progress: Callable[[str], None] = lambda stage: None) -> Design:
    """Generate ``config``, or read what an earlier run of the same generator made of it.

    Memories are inferred, whatever ``memory.style`` says.
    """
    from hwgen.generate import generate

    inferred = config.override({"memory.style": "auto"})
    path = cache_folder() / "designs" / f"{inferred.name}-{_key(inferred)}.json"
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        artifacts = generate(inferred, progress)
        memories = [
            {key: value for key, value in memory.items() if key != "bits"}
            for memory in artifacts.document["memories"]
        ]
        kept = {"verilog": artifacts.verilog, "memories": memories}
        write_atomic(path, json.dumps(kept))
    return Design(split(kept["verilog"]), tuple(MemoryUse(**memory) for memory in kept["memories"]))


def _key(config: Config) -> str:
    recipe = f"{_sources()} {amaranth.__version__} {config.model_dump_json()}"
    return hashlib.sha256(recipe.encode()).hexdigest()[:24]


@cache
def _sources() -> str:
    """Of every source file of the generator: any change of any makes a new design."""
    folder = Path(hwgen.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\n".encode() + path.read_bytes())
    return digest.hexdigest()
