"""What came out of a run, as a table and as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from hwgen.files import write_atomic
from models.layers import PrecisionGatedConv2d, gated_layers
from models.training.evaluate import evaluate, products

__all__ = ["LayerSummary", "Summary"]


@dataclass(frozen=True)
class LayerSummary:
    """A gated layer: products of one image, the part done, how base and full results correlate.

    ``average_bits`` is B_avg of a precision gate.
    """

    name: str
    macs: float
    base: float
    density: float
    reduction: float
    correlation: float
    average_bits: float | None = None


@dataclass(frozen=True)
class Summary:
    """``macs`` are products of one image; they and ``reduction_all`` count all layers.

    Accuracies are of the test images; ``validation_accuracy`` of the images held out, if any.
    """

    network: str
    data: str
    seed: int
    epochs: int
    accuracy: float
    twin_accuracy: float | None
    validation_accuracy: float | None
    macs: int
    reduction_gated: float
    reduction_all: float
    layers: tuple[LayerSummary, ...]

    @classmethod
    def of(cls, trainer, twin=None) -> "Summary":
        """The summary of a finished :class:`Trainer`, and of that of its twin."""
        config, found = trainer.config, trainer.evaluation
        counts = products(trainer.model, trainer.data.shape, trainer.place.device)
        gated = gated_layers(trainer.model)
        layers = []
        for name, work in found.works.items():
            layer, bits = gated[name], None
            if isinstance(layer, PrecisionGatedConv2d):
                bits = work.average_bits(layer.high_bits + layer.low_bits)
            layers.append(
                LayerSummary(
                    name,
                    work.macs,
                    work.fraction,
                    work.density,
                    work.reduction,
                    work.correlation,
                    bits,
                )
            )
        whole = sum(counts.values())
        saved = sum(work.macs - work.macs_done for work in found.works.values())
        return cls(
            network=config.network.name,
            data=config.data.name,
            seed=config.seed,
            epochs=config.schedule.epochs,
            accuracy=found.accuracy,
            twin_accuracy=twin.evaluation.accuracy if twin else None,
            validation_accuracy=_validated(trainer),
            macs=whole,
            reduction_gated=found.reduction,
            reduction_all=whole / (whole - saved),
            layers=tuple(layers),
        )

    def as_json(self) -> str:
        """The summary as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Write :meth:`as_json` to ``path``."""
        write_atomic(path, self.as_json())

    def print(self, console) -> None:
        """Print tables on a ``rich`` console."""
        from rich.table import Table

        if self.layers:
            table = Table(title=f"{self.network}: gated layers")
            table.add_column("layer")
            columns = ["MMAC", "base", "density", "reduction", "base/full corr."]
            bits = any(layer.average_bits is not None for layer in self.layers)
            for column in [*columns, *(["average bits"] if bits else [])]:
                table.add_column(column, justify="right")
            for layer in self.layers:
                row = [
                    f"{layer.macs / 1e6:.3f}",
                    f"{layer.base:.3f}",
                    f"{layer.density:.3f}",
                    f"{layer.reduction:.2f}×",
                    f"{layer.correlation:.2f}",
                ]
                row += [f"{layer.average_bits:.2f}"] if layer.average_bits is not None else []
                table.add_row(layer.name, *row)
            console.print(table)
        table = Table(title=f"{self.network} on {self.data}, seed {self.seed}")
        table.add_column("")
        table.add_column("", justify="right")
        table.add_row("accuracy", f"{100 * self.accuracy:.2f} %")
        if self.validation_accuracy is not None:
            table.add_row("accuracy in validation", f"{100 * self.validation_accuracy:.2f} %")
        if self.twin_accuracy is not None:
            table.add_row("ungated twin", f"{100 * self.twin_accuracy:.2f} %")
        table.add_row("products of an image", f"{self.macs / 1e6:.2f} M")
        if self.layers:
            table.add_row("fewer in gated layers", f"{self.reduction_gated:.2f}×")
            table.add_row("fewer in all layers", f"{self.reduction_all:.2f}×")
        console.print(table)


def _validated(trainer) -> float | None:
    held_out = trainer.data.validation
    if held_out is None:
        return None
    return evaluate(trainer.model, held_out, trainer.place.device).accuracy
