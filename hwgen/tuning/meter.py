"""What a choice of widths is worth: accuracy on images, cycles and energy of the accelerator."""

from dataclasses import asdict, dataclass

import numpy as np

from hwgen.bench.whole import Case
from hwgen.config import Config
from hwgen.cycles import predict
from hwgen.energy import Table, energy_of
from models.reference import run

from .log import Log
from .narrowing import Narrower
from .space import Space, Widths

__all__ = ["Measured", "Meter"]


@dataclass(frozen=True)
class Measured:
    """Share of right classes, mean cross-entropy, and cycles and µJ of an image."""

    widths: Widths
    accuracy: float
    loss: float
    cycles: float
    microjoules: float


class Meter:
    """Measures choices from ``space`` and remembers them in ``log``.

    The integer reference runs all ``images`` (integers) with the narrowed network; ``labels`` say
    what is right. The program of a batch is compiled for ``config`` and its cycles counted by the
    cycle model, with the decisions of the gates on the first images.
    """

    def __init__(
        self, space: Space, config: Config, images: np.ndarray, labels, log: Log, batch: int = 1
    ):
        self.space, self._config, self._log = space, config, log
        self._images, self._labels, self._batch = images, np.asarray(labels), batch
        self._narrower = Narrower(space.network, images)
        self._table = Table.read(None)
        self.count = 0

    def network(self, widths: Widths):
        """The network with these widths."""
        return self._narrower.network(*self.space.bits(widths))

    def __call__(self, widths: Widths) -> Measured:
        self.count += 1
        key = " ".join(map(str, widths))
        entry = self._log.get(key)
        if entry is None:
            entry = asdict(self._measure(widths))
            del entry["widths"]
            self._log.add(key, entry)
        return Measured(widths, **entry)

    def _measure(self, widths: Widths) -> Measured:
        network = self.network(widths)
        gated = bool(network.gated) and self._config.array.gated
        result = run(network, self._images, masks=gated)
        right = float(np.mean(result.classes == self._labels))
        scale = network.outputs[0].output.scale or 1.0
        loss = _cross_entropy(result.logits * scale, self._labels)
        some = self._batch
        masks = {name: mask[:some] for name, mask in result.masks.items()} if gated else None
        case = Case.of(network, self._config, masks, some)
        fired = case.decided()
        prediction = predict(self._config, case.compiled.program, fired)
        energy = energy_of(prediction, self._config, self._table, images=some)
        return Measured(widths, right, loss, prediction.cycles / some, energy.total / some / 1e6)


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    top = logits.max(1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
    return float(np.mean(total - logits[np.arange(len(labels)), labels]))
