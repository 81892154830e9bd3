"""Widths of single layers: which quantizer of a network gets how many bits."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from torch import nn

from models.layers.quantized import Stored
from models.layers.tracing import Wiring

__all__ = ["Widths"]

WEIGHTED = (nn.Conv2d, nn.Linear)
STORING = (nn.ReLU, Stored)


class Widths:
    """What ``rules`` say about the modules of ``model``.

    Parameters
    ----------
    rules : by name or pattern (``features.*``) of modules, ``weight_bits`` and
    ``activation_bits``, each or both. Of a convolution or linear layer they are the widths of its
    two operands: ``activation_bits`` goes to the ReLU or :class:`Stored` that makes its input. Of a
    ReLU or :class:`Stored`, ``activation_bits`` is the width of its result. Later rules win.

    Members
    -------
    weights, activations : bits by name of the module that gets the quantizer

    Raises
    ------
    ValueError
        If a rule fits no module, or two layers want the same tensor in two widths.
    """

    def __init__(self, model: nn.Module, rules: Mapping[str, Mapping[str, int]]):
        self.weights: dict[str, int] = {}
        self.activations: dict[str, int] = {}
        self._modules = dict(model.named_modules())
        if not rules:
            return
        wiring = Wiring(model)
        wanted: dict[str, int] = {}
        for pattern, widths in rules.items():
            fitting = self._fitting(pattern)
            weighted = {n for n in fitting if isinstance(self._modules[n], WEIGHTED)}
            if (bits := widths.get("weight_bits")) is not None:
                if not weighted:
                    raise ValueError(f"layers: {pattern!r} has no weights, so no weight_bits")
                self.weights |= dict.fromkeys(weighted, bits)
            if (bits := widths.get("activation_bits")) is not None:
                wanted |= dict.fromkeys(weighted, bits)
                self.activations |= {self._free(n, n): bits for n in fitting if n not in weighted}
        readers: dict[str, str] = {}
        for name, bits in wanted.items():
            source = self._source(wiring, name)
            known = self.activations.setdefault(source, bits)
            if known != bits:
                other = f"{readers[source]} in {known}" if source in readers else f"has {known}"
                raise ValueError(f"layers: {name} reads {source} in {bits} bits, {other}")
            readers[source] = name

    def _fitting(self, pattern: str) -> list[str]:
        known = [n for n, m in self._modules.items() if isinstance(m, WEIGHTED + STORING)]
        fitting = [name for name in known if fnmatchcase(name, pattern)]
        if not fitting:
            raise ValueError(f"layers: none is called {pattern!r}; there are {', '.join(known)}")
        return fitting

    def _source(self, wiring: Wiring, name: str) -> str:
        source = wiring.producer(name)
        if not isinstance(self._modules.get(source), STORING):
            raise ValueError(f"layers: {name}: activation_bits: no ReLU alone makes its input")
        return self._free(source, name)

    def _free(self, source: str, name: str) -> str:
        """``source``, whose width can be chosen; ``name`` is who asks."""
        if getattr(self._modules[source], "fixed_step", None):
            raise ValueError(f"layers: {name}: activation_bits: pixels have a step of their own")
        return source
