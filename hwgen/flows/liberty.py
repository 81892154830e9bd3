"""Reading areas from Liberty files: cells, and the memories of an SRAM library."""

import gzip
import re
from dataclasses import dataclass
from pathlib import Path

from hwgen.errors import UserError

__all__ = ["Cells", "SramMacro", "read_cells", "read_macros"]

OBTAIN = (
    "a Liberty file comes with a process design kit, as sg13g2_stdcell_typ_1p20V_25C.lib with the "
    "open one of IHP"
)


@dataclass(frozen=True)
class Cells:
    """Standard cells.

    Attributes
    ----------
    files, texts : tuple of str
        Names and contents of the Liberty files.
    areas : dict
        µm² of each cell.
    flip_flops : frozenset of str
        The cells that are flip-flops.
    buffer : str
        A small buffer, but not the smallest; empty if there is none.
    """

    files: tuple[str, ...]
    texts: tuple[str, ...]
    areas: dict[str, float]
    flip_flops: frozenset[str]
    buffer: str = ""

    @property
    def smallest_flip_flop(self) -> float:
        """µm² that a bit takes at least."""
        return min(self.areas[name] for name in self.flip_flops)


@dataclass(frozen=True, order=True)
class SramMacro:
    """A compiled memory; with two ports it reads one row while it writes another.

    ``access`` and ``setup`` are the longest that its Liberty file has, in ns.
    """

    name: str
    words: int
    bits: int
    area: float
    two_ports: bool
    access: float = 0.0
    setup: float = 0.0


def read_cells(paths: tuple[Path, ...]) -> Cells:
    """The standard cells of one or several Liberty files, plain or gzipped.

    Raises
    ------
    UserError
        If a file is missing or is no Liberty file, or if there is no flip-flop in any.
    """
    if not paths:
        raise UserError(f"LIBERTY: must name a Liberty file for target asic; {OBTAIN}")
    texts = tuple(_read(path, "LIBERTY") for path in paths)
    cells = [cell for text in texts for cell in _cells(text)]
    flip_flops = frozenset(name for name, body, _area in cells if _is_flip_flop(body))
    if not flip_flops:
        found = ", ".join(str(path) for path in paths)
        raise UserError(f"LIBERTY: must have a flip-flop, which {found} has not")
    areas = {name: area for name, _body, area in cells}
    buffers = sorted((area, name) for name, body, area in cells if _is_buffer(body))
    buffer = buffers[min(1, len(buffers) - 1)][1] if buffers else ""
    return Cells(tuple(path.name for path in paths), texts, areas, flip_flops, buffer)


def read_macros(folder: Path) -> tuple[SramMacro, ...]:
    """The memories that the Liberty files of a folder describe, smallest first.

    Raises
    ------
    UserError
        If the folder cannot be read or holds none.
    """
    try:
        files = sorted(path for path in folder.iterdir() if re.search(r"\.lib(\.gz)?$", path.name))
    except OSError as error:
        raise UserError(
            f"SRAM: must be a folder of Liberty files, not {str(folder)!r} ({error.strerror})"
        ) from None
    macros = {macro for path in files for macro in _macros(_read(path, "SRAM"))}
    if not macros:
        raise UserError(f"SRAM: must hold Liberty files with memory groups; {folder} has none")
    return tuple(sorted(macros, key=lambda macro: (macro.area, macro.name)))


def _read(path: Path, field: str) -> str:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
    except FileNotFoundError:
        raise UserError(f"{field}: no file {str(path)!r}; {OBTAIN}") from None
    except (OSError, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise UserError(f"{field}: {path} cannot be read ({error})") from None
    if not re.search(r"^\s*library\s*\(", text, re.MULTILINE):
        raise UserError(f"{field}: must be a Liberty file, which {path} is not (no library group)")
    return text


def _cells(text: str):
    """(name, body, area) of each cell group; a body reaches to the next cell."""
    parts = re.split(r"^\s*cell\s*\(\s*\"?([\w.$]+)\"?\s*\)", text, flags=re.MULTILINE)
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        area = re.search(r"^\s*area\s*:\s*\"?([\d.eE+-]+)", body, re.MULTILINE)
        if area:
            yield name, body, float(area[1])


def _is_flip_flop(body: str) -> bool:
    return re.search(r"^\s*ff\s*\(", body, re.MULTILINE) is not None


def _is_buffer(body: str) -> bool:
    pins = re.findall(r"\bpin\s*\(\s*\"?(\w+)", body, re.MULTILINE)
    function = re.search(r"\bfunction\s*:\s*\"\s*\(?\s*(\w+)\s*\)?\s*\"", body, re.MULTILINE)
    return len(pins) == 2 and function is not None and function[1] in pins


def _macros(text: str):
    ns = 1e-3 if re.search(r'time_unit\s*:\s*"1ps"', text) else 1.0
    for name, body, area in _cells(text):
        words = re.search(r"\baddress_width\s*:\s*(\d+)", body)
        bits = re.search(r"\bword_width\s*:\s*(\d+)", body)
        if "memory" in body and words and bits:
            reads = _addresses(body, "read")
            # Dual-ported memories name an address for each port; those with a port of each kind,
            # one that is only read. A second write address alone is that of the self-test.
            two_ports = len(reads) > 1 or bool(reads - _addresses(body, "write"))
            access = ns * _longest(body, "cell_rise", "cell_fall")
            setup = ns * _longest(_setups(body), "rise_constraint", "fall_constraint")
            shape = 1 << int(words[1]), int(bits[1])
            yield SramMacro(name, *shape, area, two_ports, round(access, 4), round(setup, 4))


def _setups(body: str) -> str:
    """The timing groups that are setup times."""
    groups = re.split(r"\btiming\s*\(\s*\)\s*\{", body)
    return "".join(group for group in groups if re.search(r"timing_type\s*:\s*setup", group))


def _longest(body: str, *tables: str) -> float:
    """The largest value of tables of these names; 0 if there is none."""
    pattern = rf"\b(?:{'|'.join(tables)})\s*\([^)]*\)\s*\{{[^}}]*?values\s*\(([^)]*)\)"
    found = re.findall(pattern, body)
    numbers = [
        float(n) for values in found for n in re.findall(r"-?\d+\.?\d*(?:[eE]-?\d+)?", values)
    ]
    return max([0.0, *numbers])


def _addresses(body: str, kind: str) -> set[str]:
    groups = re.findall(rf"memory_{kind}\s*\(\s*\)\s*{{[^}}]*?address\s*:\s*([\w\"]+)", body)
    return {address.strip('"') for address in groups}
