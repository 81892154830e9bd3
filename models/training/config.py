"""What a training run is, as one TOML file."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hwgen.errors import UserError
from models.data import DATASETS
from models.layers import GATES
from models.quantizers import ACTIVATIONS, WEIGHTS

__all__ = [
    "Augment",
    "Data",
    "Distillation",
    "Gating",
    "LayerWidths",
    "NetworkChoice",
    "Quantization",
    "Schedule",
    "Training",
    "config_of",
    "load_config",
]

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Bits = Annotated[int, Field(ge=1, le=16)]
WideBits = Annotated[int, Field(ge=2, le=16)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkChoice(_Part):
    """``name`` of a network of :mod:`models.networks`, and what it is built with."""

    name: str
    options: dict[str, Any] = {}


class Augment(_Part):
    """``flip`` mirrors half of the images; ``crop`` shifts by up to so many pixels."""

    flip: bool = False
    crop: Annotated[int, Field(ge=0, le=64)] = 0


class Data(_Part):
    """A data set; ``limit_train`` and ``limit_test`` keep the first so many images.

    ``validation`` holds so many of the images to train with back, to choose settings by.
    """

    name: Literal[DATASETS]
    augment: Augment = Augment()
    limit_train: Count | None = None
    limit_test: Count | None = None
    validation: Count | None = None
    options: dict[str, Any] = {}


class Gating(_Part):
    """``kind`` and ``options`` of the gates (:func:`models.layers.gate`), ``penalty`` the weight of
    their thresholds' distance from the target in the loss. Convolutions in ``dense`` stay plain.
    """

    kind: Literal[tuple(GATES)] = "channel"
    target: float = 1.0
    penalty: NotNegative = 1e-4
    dense: tuple[str, ...] = ()
    options: dict[str, Any] = {}


class LayerWidths(_Part):
    """Widths of the operands of a layer, or of the result of a ReLU; None: as the others."""

    weight_bits: Bits | None = None
    activation_bits: Bits | None = None


class Quantization(_Part):
    """Arguments of :func:`models.layers.quantize_aware`.

    One bit of weights or activations is binary. ``layers`` gives those whose names fit a pattern
    their own widths.
    """

    weights: Literal[WEIGHTS] = "uniform"
    activations: Literal[ACTIVATIONS] = "lsq"
    weight_bits: Bits = 8
    activation_bits: Bits = 8
    edge_bits: WideBits = 8
    per_channel: bool = True
    layers: dict[str, LayerWidths] = {}


class Schedule(_Part):
    """SGD with momentum. ``onecycle`` rises to ``rate`` over ``warmup`` of the steps and falls to
    zero along a cosine; ``steps`` multiplies by ``factor`` at each epoch in ``at``. Weight decay is
    for weights only, never for thresholds, batch norms or steps.
    """

    epochs: Count
    batch: Count = 128
    rate: Positive = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: NotNegative = 1e-4
    policy: Literal["onecycle", "steps"] = "onecycle"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.2
    at: tuple[int, ...] = ()
    factor: Positive = 0.1


class Distillation(_Part):
    """``weight`` of the loss is how far the answers are from those of ``teacher`` at
    ``temperature``.

    ``teacher`` is the folder of another run, or ``twin``.
    """

    teacher: str = "twin"
    temperature: Positive = 2.0
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5


class Training(_Part):
    """One run. ``twin`` gives the schedule of an ungated twin that is trained first, to compare
    with; with ``from_twin`` the gated network begins with the twin's weights, with ``start`` with
    those of another run (its folder).
    """

    network: NetworkChoice
    data: Data
    schedule: Schedule
    gating: Gating | None = None
    quantization: Quantization | None = None
    distillation: Distillation | None = None
    twin: Schedule | None = None
    from_twin: bool = False
    start: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    mixed_precision: bool = False
    checkpoint_seconds: Positive = 60.0

    @model_validator(mode="after")
    def _consistent(self):
        asks = self.from_twin or (self.distillation and self.distillation.teacher == "twin")
        if asks and self.twin is None:
            raise ValueError("a [twin] schedule is needed for from_twin and for teacher = 'twin'")
        if self.twin and self.gating is None:
            raise ValueError("[twin] is for a gated network: [gating] is missing")
        if self.from_twin and self.start:
            raise ValueError("from_twin and start: one of them")
        return self

    def ungated(self) -> "Training":
        """The same run without gates, with the twin's schedule."""
        changed = {"gating": None, "twin": None, "distillation": None, "from_twin": False}
        return self.model_copy(update=changed | {"schedule": self.twin or self.schedule})


def load_config(source: Path | str, settings: tuple[str, ...] = ()) -> Training:
    """The run in the TOML file ``source``, with ``field.field=value`` settings put in its place."""
    path = Path(source)
    if not path.is_file():
        shipped = Path(__file__).parents[1] / "configs"
        path = shipped / f"{source}.toml"
        if not path.is_file():
            names = ", ".join(sorted(p.stem for p in shipped.glob("*.toml")))
            raise UserError(f"{source}: no such file, nor one of {names}")
    try:
        tree = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML ({error})") from None
    for setting in settings:
        _replace(tree, setting)
    try:
        return Training.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the run"
        raise UserError(f"{path}: {field}: {first['msg']}, not {first['input']!r}") from None


def config_of(content: dict, path: Path) -> Training:
    """The run that a checkpoint is of; a user's error if this version knows no such run."""
    try:
        return Training.model_validate(content["config"])
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"])) or "the run"
        raise UserError(
            f"{path}: checkpoint of another version, or edited: {field}: {error.errors()[0]['msg']}"
        ) from None


def _replace(tree: dict, setting: str) -> None:
    name, equals, text = setting.partition("=")
    if not equals or not name:
        raise UserError(f"set: must be field=value, not {setting!r}")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = name.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise UserError(f"set: {name}: {parent} has no fields")
    tree[last] = value
