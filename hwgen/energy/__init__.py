"""Energy of a run: what was done, times what each thing costs."""

from .model import CAUSES, Energy, Silicon, energy_of
from .table import Table

__all__ = ["CAUSES", "Energy", "Silicon", "Table", "energy_of"]
