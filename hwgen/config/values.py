"""What a field accepts: the check, the words for people and the JSON schema in one object."""

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from pydantic_core import PydanticCustomError, core_schema

__all__ = ["Choice", "Modes", "Only", "Pattern", "PowerOfTwo", "Range", "Values", "parameter"]


class Values:
    """Base of the kinds of accepted values, used as ``Annotated[int, Range(1, 8)]``."""

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` (already of the right type) is accepted."""
        raise TypeError(f"{type(self).__name__} must say what it accepts")

    def schema(self) -> dict[str, Any]:
        """The same as JSON schema keywords."""
        return {}

    def check(self, value: Any) -> Any:
        """Return ``value``, or raise the error that pydantic reports for the field."""
        if not self.accepts(value):
            raise PydanticCustomError("not_accepted", "must be {accepted}", {"accepted": str(self)})
        return value

    def __get_pydantic_core_schema__(self, source, handler):
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, core, handler):
        return handler(core) | self.schema()


@dataclass(frozen=True)
class Range(Values):
    """Any integer from ``low`` to ``high``, both included."""

    low: int
    high: int

    def accepts(self, value: int) -> bool:
        return self.low <= value <= self.high

    def schema(self) -> dict[str, Any]:
        return {"minimum": self.low, "maximum": self.high}

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low}"
        return f"an integer from {self.low} to {self.high}"


@dataclass(frozen=True)
class Only(Values):
    """One value: what others have left of a field that accepts more."""

    value: Any

    def accepts(self, value: Any) -> bool:
        return value == self.value

    def __str__(self) -> str:
        return self.value if isinstance(self.value, str) else json.dumps(self.value)


@dataclass(frozen=True)
class PowerOfTwo(Values):
    """A power of two from ``low`` to ``high``, both included, and perhaps 0."""

    low: int
    high: int
    zero: bool = False

    def accepts(self, value: int) -> bool:
        if value == 0:
            return self.zero
        return self.low <= value <= self.high and value & (value - 1) == 0

    def schema(self) -> dict[str, Any]:
        first, last = self.low.bit_length() - 1, self.high.bit_length() - 1
        return {"enum": [0] * self.zero + [1 << n for n in range(first, last + 1)]}

    def __str__(self) -> str:
        return f"{'0, or ' * self.zero}a power of two from {self.low} to {self.high}"


class Choice(Values):
    """One of a few words."""

    def __init__(self, *options: str):
        self.options = options

    def accepts(self, value: str) -> bool:
        return value in self.options

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}

    def __str__(self) -> str:
        *others, last = (f'"{option}"' for option in self.options)
        return f"{', '.join(others)} or {last}"


class Modes(Values):
    """A list of pairs of widths, like ``8x4``; may be empty."""

    MOST = 16
    WIDTHS = range(1, 17)

    def accepts(self, value: tuple[str, ...]) -> bool:
        pairs = [re.fullmatch(r"([1-9][0-9]?)x([1-9][0-9]?)", text) for text in value]
        return (
            len(value) <= self.MOST
            and len(set(value)) == len(value)
            and all(p and int(p[1]) in self.WIDTHS and int(p[2]) in self.WIDTHS for p in pairs)
        )

    def schema(self) -> dict[str, Any]:
        return {"maxItems": self.MOST, "uniqueItems": True}

    def __str__(self) -> str:
        return (
            f"a list of up to {self.MOST} different pairs of widths from 1 to 16 (activations x "
            'weights), like ["8x8", "4x4"]'
        )


@dataclass(frozen=True)
class Pattern(Values):
    """A text that matches ``regex`` as a whole; ``words`` says so for people."""

    regex: str
    words: str
    reserved: frozenset[str] = frozenset()

    def accepts(self, value: str) -> bool:
        return re.fullmatch(self.regex, value) is not None and value not in self.reserved

    def schema(self) -> dict[str, Any]:
        return {"pattern": f"^{self.regex}$"}

    def __str__(self) -> str:
        return self.words


def parameter(default: Any, meaning: str, *, area: str, speed: str) -> Any:
    """A documented field: its default, what it means and what it costs and buys in hardware."""
    return Field(
        default=default, description=meaning, json_schema_extra={"area": area, "speed": speed}
    )
