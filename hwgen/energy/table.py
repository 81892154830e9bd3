"""What single operations cost."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from math import isfinite, log2
from pathlib import Path

from ..errors import UserError

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """Energies in pJ, from a TOML file such as ``hwgen/energy/table.toml``.

    Attributes
    ----------
    name : str
        Of the process.
    values : dict
        For each section its numbers.
    sources : tuple of str
        Where they come from.
    """

    name: str
    values: dict[str, dict[str, float]]
    sources: tuple[str, ...]

    @classmethod
    def read(cls, path: Path | None = None) -> "Table":
        """The shipped table, or one of the user's.

        Raises
        ------
        UserError
            If the file cannot be read or lacks a number.
        """
        shipped = tomllib.loads(resources.files(__package__).joinpath("table.toml").read_text())
        if path is None:
            return cls._of(shipped)
        try:
            found = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"TABLE: {path} cannot be read ({error})") from None
        for section, fields in cls._of(shipped).values.items():
            told = found.get(section)
            for name in fields:
                value = told.get(name) if isinstance(told, dict) else None
                if type(value) not in (int, float) or not isfinite(value):
                    raise UserError(f"TABLE: {path} must have a number {section}.{name}")
        return cls._of(found)

    @classmethod
    def _of(cls, document: dict) -> "Table":
        values = {
            section: {name: value for name, value in fields.items() if name != "source"}
            for section, fields in document.items()
            if isinstance(fields, dict)
        }
        sources = tuple(source["title"] for source in document.get("source", ()))
        return cls(document.get("name", "custom"), values, sources)

    def multiplication(self, a: int, b: int) -> float:
        """Of a number of ``a`` bits by one of ``b`` bits."""
        fit, bits = self.values["multiplication"], (a * b) ** 0.5
        return fit["square"] * bits**2 + fit["linear"] * bits

    def addition(self, bits: int) -> float:
        """Of two numbers of so many bits."""
        return self.values["addition"]["linear"] * bits

    def activity(self, kind: str) -> float:
        """What a product costs whose operands are ``nonzero``, or one of them ``zero``, against one
        of random operands.
        """
        return self.values["activity"][kind]

    def memory(self, size: int) -> float:
        """A bit read from or written to a memory of ``size`` bits."""
        fit = self.values["memory"]
        whole = max(size, fit["smallest_bits"])
        x = log2(whole)
        energy = fit["cubic"] * x**3 + fit["square"] * x**2 + fit["linear"] * x
        return energy * (size / whole) ** 0.5

    def register(self, bits: float) -> float:
        """So many bits clocked once."""
        return self.values["register"]["write"] * bits

    def external(self, bits: float) -> float:
        """Bits from or to the memory outside."""
        return self.values["external"]["access"] * bits
