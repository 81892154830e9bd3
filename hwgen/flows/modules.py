"""Synthesizing a design module by module, each only once ever."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hwgen.files import write_atomic
from hwgen.flows.yosys import run_statistics, version
from hwgen.simulator.rtl.build import cache_folder

__all__ = ["Module", "cells_of_modules", "digest_of", "split", "text_below"]

PORTION = 20
"""Modules that are synthesized at once: for each one that it maps, Yosys goes through all of them,
and for each portion it starts and reads its libraries again.
"""

CACHE_FORMAT = 1
"""Part of every key: raised when what is kept changes its meaning."""


@dataclass(frozen=True)
class Module:
    """A module of emitted Verilog: its text, and what it instantiates, by the instance's name."""

    name: str
    text: str
    instances: dict[str, str]

    @property
    def children(self) -> frozenset[str]:
        """The names of the modules that it instantiates."""
        return frozenset(self.instances.values())

    @property
    def header(self) -> str:
        """The text up to the end of the ports: all that its parents know of it."""
        return self.text[: self.text.index(");")]

    @property
    def black_box(self) -> str:
        """The Verilog of a module with these ports and nothing within."""
        return f"(* blackbox *)\n{self.header});\nendmodule"


def split(verilog: str) -> dict[str, Module]:
    """The modules of emitted Verilog by name."""
    texts = {
        match[1]: match[0]
        for match in re.finditer(r"^module (\w+) .*?^endmodule$", verilog, re.MULTILINE | re.DOTALL)
    }
    return {
        name: Module(
            name,
            text,
            {
                instance: child
                for child, instance in re.findall(r"^ +(\w+) (\w+) \(", text, re.MULTILINE)
                if child in texts
            },
        )
        for name, text in texts.items()
    }


def cells_of_modules(
    top: str,
    modules: dict[str, Module],
    *,
    script: str,
    files: dict[str, str],
    black_boxes: Iterable[str] = (),
    progress: Callable[[str], None] = lambda stage: None,
) -> dict[str, Counter]:
    """How many of which cells each module below ``top`` becomes, its children among them.

    No module is flattened into another, so what a module becomes depends on its own text and on the
    ports of its children alone. It is kept under a hash of these, of the script and of the Yosys:
    a change of a block costs the synthesis of that block and those around it, and configurations
    share what is equal.

    Parameters
    ----------
    top
        The module to begin with.
    modules
        All modules of the design.
    script
        Yosys commands that keep the hierarchy; ``{top}`` is the top module.
    files
        What the script reads.
    black_boxes
        Modules that are left as they are, and are not in the result.
    progress
        Called with each command that Yosys begins.
    """
    boxes = frozenset(black_boxes)
    reached = _below(top, modules, boxes)
    common = digest_of([CACHE_FORMAT, version(), script, sorted(files.items())])
    paths = {name: _path(common, name, modules) for name in reached}
    found = {name: cells for name in reached if (cells := _kept(paths[name])) is not None}
    # A black box hides what it contains, so a module that is known is synthesized again if it
    # contains one that is not.
    ready = {name for name in found if _below(name, modules, boxes) <= found.keys()}
    portions = list(_portions(top, modules, ready | boxes))
    for number, (root, portion) in enumerate(portions, 1):
        told = f", part {number} of {len(portions)}" if len(portions) > 1 else ""
        around = {child for name in portion for child in modules[name].children} - portion
        texts = [modules[name].text for name in sorted(portion)]
        texts += [modules[name].black_box for name in sorted(around)]
        # Primitives of the target are not there yet: its own script checks that nothing is missing.
        lines = ["read_verilog design.v", f"hierarchy -top {root}", script.format(top=root)]
        statistics = run_statistics(
            "\n".join(lines),
            {"design.v": "\n\n".join(texts), **files},
            lambda stage, told=told: progress(f"{stage}{told}"),
        )
        for name in portion:
            cells = statistics["modules"][f"\\{name}"]["num_cells_by_type"]
            write_atomic(paths[name], json.dumps(cells))
            found[name] = Counter(cells)
    return found


def _portions(
    top: str, modules: dict[str, Module], known: frozenset[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """What to synthesize together so that everything below ``top`` is known: a module, and those
    within it that are in no portion before. What these contain besides is known by then.
    """
    done = set(known)
    seen = set(known)

    def visit(name: str) -> Iterator[tuple[str, frozenset[str]]]:
        seen.add(name)
        for child in sorted(modules[name].children - seen):
            if child not in seen:  # nor within one of its siblings
                yield from visit(child)
        portion = frozenset(_below(name, modules, frozenset(done)))
        if len(portion) >= PORTION or name == top:
            done.update(portion)
            yield name, portion

    if top not in known:
        yield from visit(top)


def text_below(top: str, modules: dict[str, Module]) -> str:
    """The Verilog of ``top`` and all modules within it."""
    return "\n\n".join(modules[name].text for name in sorted(_below(top, modules)))


def digest_of(recipe: list) -> str:
    """A name for what a recipe makes."""
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:32]


def _below(top: str, modules: dict[str, Module], boxes: frozenset[str] = frozenset()) -> set[str]:
    """``top`` and all modules within it, without black boxes."""
    seen, waiting = set(), [top]
    while waiting:
        name = waiting.pop()
        if name not in seen and name not in boxes:
            seen.add(name)
            waiting.extend(modules[name].children)
    return seen


def _path(common: str, name: str, modules: dict[str, Module]) -> Path:
    module = modules[name]
    ports = [modules[child].header for child in sorted(module.children)]
    return cache_folder() / "synth" / f"{digest_of([common, module.text, ports])}.json"


def _kept(path: Path) -> Counter | None:
    """What an earlier run found, if it is there and whole."""
    try:
        return Counter(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None
