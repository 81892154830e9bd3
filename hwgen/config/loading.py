"""From a name or a file, and overrides, to a checked configuration; every mistake in one line."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from hwgen.config.schema import Config
from hwgen.config.values import Values
from hwgen.errors import UserError

__all__ = ["accepted", "build", "field", "fields", "load", "shipped_names"]

Settings = Iterable[str] | Mapping[str, Any]

TYPE_WORDS = {int: "an integer", bool: "true or false", str: "a text"}


def shipped_names() -> list[str]:
    """Names of the configurations that come with hwgen."""
    folder = resources.files("hwgen") / "configs"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load(name_or_path: str | Path, overrides: Settings = ()) -> Config:
    """Read a configuration.

    Parameters
    ----------
    name_or_path
        Name of a shipped configuration, or the path of a TOML file (anything with a ``/`` or ending
        in ``.toml``). A file without ``name`` is named after itself.
    overrides
        Fields to replace: texts ``"array.lanes=16"``, or a mapping from ``"array.lanes"`` to its
        value.

    Raises
    ------
    UserError
        One line that names file, field, value and what is accepted.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith(".toml"):
        path = Path(text)
        data = _parse(_read(path), source=text)
        data.setdefault("name", path.stem)
        return build(data, overrides, source=text)
    names = shipped_names()
    if text not in names:
        raise UserError(
            f"CONFIG: must be one of {', '.join(names)}, or the path of a .toml file, not {text!r}"
            + _nearest(text, names)
        )
    shipped = resources.files("hwgen") / "configs" / f"{text}.toml"
    return build(_parse(shipped.read_bytes(), source=text), overrides, source=text)


def build(data: dict[str, Any], overrides: Settings, *, source: str) -> Config:
    """Check ``data`` with ``overrides`` applied; ``source`` is the name used in errors."""
    overrides = _typed(overrides)
    for name, value in overrides.items():
        *tables, last = name.split(".")
        table = data
        for key in tables:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise UserError(f"{source}: {key}: must be a table, not {_show(table)}")
        table[last] = value
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise UserError(_one_line(error, overrides, source)) from None


def fields(model: type[BaseModel] = Config, prefix: str = "") -> list[tuple[str, FieldInfo]]:
    """Every leaf of the schema as (dotted name, field), in declared order."""
    leaves = []
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            leaves += fields(info.annotation, f"{prefix}{name}.")
        else:
            leaves.append((prefix + name, info))
    return leaves


def field(name: str) -> FieldInfo | None:
    """The leaf called ``name``, or None."""
    return dict(fields()).get(name)


def accepted(info: FieldInfo) -> str:
    """What a field accepts, in words."""
    for item in info.metadata:
        if isinstance(item, Values):
            return str(item)
    return TYPE_WORDS[info.annotation]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"CONFIG: must be a readable file, not {str(path)!r} ({error.strerror})"
        ) from None


def _parse(content: bytes, *, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{source}: must be UTF-8 text, not byte {error.start} of it") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{source}: must be TOML: {error}") from None


def _typed(overrides: Settings) -> dict[str, Any]:
    """Overrides as a mapping, texts converted to the type of their field."""
    if isinstance(overrides, Mapping):
        for name in overrides:
            _known(name)
        return dict(overrides)
    typed = {}
    for setting in overrides:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise UserError(f"SET: must be field=value, as in array.lanes=16, not {setting!r}")
        name, text = name.strip(), text.strip()
        typed[name] = _convert(name, text, _known(name))
    return typed


def _known(name: str) -> FieldInfo:
    info = field(name)
    if info is None:
        names = [known for known, _ in fields()]
        raise UserError(
            f"SET {name}: must be a field of the configuration (hwgen configs lists them)"
            + _nearest(name, names)
        )
    return info


def _convert(name: str, text: str, info: FieldInfo) -> Any:
    try:
        if info.annotation is int:
            return int(text, 0)
        if info.annotation is bool:
            return {"true": True, "false": False}[text]
        if get_origin(info.annotation) is tuple:
            bare = text.strip("[] ").replace('"', "")  # or as a file has it
            return [part.strip() for part in bare.split(",") if part.strip()]
    except (ValueError, KeyError):
        raise UserError(f"SET {name}: must be {accepted(info)}, not {text!r}") from None
    return text


def _one_line(error: ValidationError, overrides: Mapping[str, Any], source: str) -> str:
    """The first mistake; the rest shows up when it is mended."""
    problems = error.errors(include_url=False)
    first = problems[0]
    name = ".".join(str(part) for part in first["loc"])
    where = f"SET {name}" if name in overrides else f"{source}: {name}"
    if first["type"] == "combination":
        message = f"{source}: {first['msg']}"
    elif first["type"] == "extra_forbidden":
        siblings = [known for known, _ in fields()] + list(Config.model_fields)
        message = f"{where}: unknown field" + _nearest(name, siblings)
    elif (info := field(name)) is not None:
        message = f"{where}: must be {accepted(info)}, not {_show(first['input'])}"
    else:
        message = f"{where}: must be a table, not {_show(first['input'])}"
    more = len(problems) - 1
    return message + (f" (and {more} more)" if more else "")


def _show(value: Any) -> str:
    """A value as the user wrote it, never longer than fits on the line."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest(name: str, names: Iterable[str]) -> str:
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]}?" if matches else ""
