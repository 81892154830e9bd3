"""A whole training run: twin, teacher, gated network, summary."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from hwgen.errors import UserError
from models.data import Dataset, Source, Subset, load_dataset
from models.training.build import build
from models.training.checkpoint import load_checkpoint, load_weights
from models.training.config import Training, config_of
from models.training.distributed import Place
from models.training.summary import Summary
from models.training.trainer import Progress, Trainer

__all__ = ["load_data", "load_run", "train"]


def load_data(config: Training, folder: Path | None) -> Dataset:
    """The data of a run, cut to its limits, with its validation images held out."""
    choice = config.data
    data = load_dataset(choice.name, folder, **choice.options)
    if choice.limit_train is not None:
        data = replace(data, train=_first(data.train, choice.limit_train))
    if choice.limit_test is not None:
        data = replace(data, test=_first(data.test, choice.limit_test))
    return data.holding_out(choice.validation) if choice.validation else data


def _first(source: Source, count: int) -> Source:
    return Subset(source, torch.arange(min(count, len(source))))


def load_run(folder: Path, data: Dataset | None = None):
    """(config, network with its weights in evaluation mode, step) of the run in ``folder``.

    ``folder`` may also be the path of a checkpoint. Without ``data`` the network is built for the
    shape and classes that the checkpoint was trained on.
    """
    path = folder if folder.is_file() else folder / "checkpoint.pt"
    content = load_checkpoint(path)
    config = config_of(content, path)
    model = build(config, data or _Shape.of(content))
    load_weights(model, content["model"], path)
    return config, model.eval(), content["step"]


class _Shape:
    """What :func:`build` asks of a data set."""

    def __init__(self, classes, shape):
        self.classes, self.shape = classes, shape

    @classmethod
    def of(cls, content: dict) -> "_Shape":
        return cls(tuple(content["classes"]), tuple(content["shape"]))


def train(
    config: Training,
    data: Dataset,
    folder: Path,
    place: Place,
    *,
    fresh: bool = False,
    progress: Callable[[str], Progress] = lambda title: None,
) -> Summary:
    """Train what ``config`` says, from where the last call stopped; the twin, if any, first.

    ``folder`` gets checkpoint.pt, metrics.jsonl, tensorboard/, summary.json, and twin/ with the
    same. ``fresh`` discards what an earlier run left there.
    """
    if fresh and place.first:
        for name in ("checkpoint.pt", "metrics.jsonl", "summary.json"):
            (folder / name).unlink(missing_ok=True)
        for name in ("tensorboard", "twin"):
            shutil.rmtree(folder / name, ignore_errors=True)
    place.wait()
    folder.mkdir(parents=True, exist_ok=True)
    model = build(config, data)
    if config.start is not None:
        _begin_with(model, config, data)
    twin = None
    if config.twin is not None:
        ungated = config.ungated()
        twin = _trained(ungated, build(ungated, data), data, folder / "twin", place, progress)
        if config.from_twin:
            missing, _ = model.load_state_dict(twin.model.state_dict(), strict=False)
            _copy_norms(model, twin.model, missing)
    teacher = None
    if config.distillation is not None:
        teacher = twin.model if twin else None
        if config.distillation.teacher != "twin":
            teacher = load_run(Path(config.distillation.teacher), data)[1]
    trainer = _trained(config, model, data, folder, place, progress, teacher)
    summary = Summary.of(trainer, twin)
    if place.first:
        summary.write(folder / "summary.json")
    return summary


def _begin_with(model, config: Training, data: Dataset) -> None:
    """Give ``model`` the weights of the run that it starts from; also its steps and ranges, if both
    runs have the same widths.
    """
    other, started, _ = load_run(Path(config.start), data)
    state = started.state_dict()
    if other.quantization != config.quantization:
        state = {name: tensor for name, tensor in state.items() if "quantizer" not in name}
    try:
        extra = model.load_state_dict(state, strict=False).unexpected_keys
    except RuntimeError:
        extra = ["weights of another shape"]
    if extra:
        raise UserError(f"start: {config.start}: another network: it has {extra[0]}")


def _copy_norms(model, twin, missing: list[str]) -> None:
    """Give both inner batch norms of a gated layer what the batch norm behind the plain one has."""
    from models.layers import gated_layers
    from models.layers.tracing import Wiring

    if not any(".bn_full." in name for name in missing):
        return
    wiring = Wiring(twin)
    for name, layer in gated_layers(model).items():
        norm = twin.get_submodule(wiring.consumer(name))
        layer.bn_full.load_state_dict(norm.state_dict())
        layer.bn_base.load_state_dict(norm.state_dict())


def _trained(config, model, data, folder, place, progress, teacher=None) -> Trainer:
    folder.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, model, data, folder, place, teacher)
    title = "twin" if config.gating is None and folder.name == "twin" else config.network.name
    trainer.evaluation = trainer.run(progress(title) if place.first else None)
    trainer.model.eval()
    torch.manual_seed(config.seed)
    return trainer
