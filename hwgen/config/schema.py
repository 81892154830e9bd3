"""A whole configuration: which fields go together, what is derived from them.

With the tables in ``sections`` this is the only definition. ``hwgen configs``, the JSON beside the
Verilog and the checks on load are made from it. The defaults are those of the reference
configuration ``cgnet8``, so a file names only what differs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import model_validator
from pydantic_core import PydanticCustomError

import hwgen
from hwgen.config.sections import (
    ArrayConfig,
    BusConfig,
    ControlConfig,
    DrainConfig,
    MemoryConfig,
    Section,
)
from hwgen.config.values import Only, Pattern, Range, parameter

__all__ = ["Config"]

ACCUMULATOR_BITS = 32
"""Width of every accumulator: fixed by the contract, not a knob."""

ADDRESSABLE_WORDS = 1 << 18
"""Words of the activation buffer, over all clusters, that an instruction can address."""

AXI_BURST_BYTES = 4096
"""No AXI4 burst crosses an address that is a multiple of this."""

SEQUENTIAL = {
    "array.clusters": Range(1, 1),
    "array.engines": Range(1, 1),
    "array.group": Range(1, 1),
    "array.lanes": Range(4, 4),
    "array.gated": Only(False),
    "array.mac": Only("parallel"),
    "array.modes": Only(()),
    "array.deep_pipeline": Only(False),
    "drain.lanes": Range(1, 1),
    "drain.multiplier_bits": Range(8, 16),
    "drain.residual": Only(False),
    "drain.pool": Only(False),
    "memory.banks": Range(1, 1),
    "memory.weight_slots": Range(1, 1),
    "bus.data_width": Range(32, 32),
    "bus.address_width": Range(16, 31),  # the end of a window is one register
    "bus.outstanding": Range(1, 1),
    "bus.burst": Range(8, 256),
    "control.queue_depth": Range(0, 0),
    "control.prefetch": Range(1, 1),
    "control.counters": Only(False),
}
"""What `control.sequential` needs: words, weight words and beats of 32 bits, one of everything, and
bursts that an instruction fits into."""


def cannot(field: str, accepted: str, value: Any) -> PydanticCustomError:
    """The error of a combination: the field to change, what the others allow, what it is."""
    return PydanticCustomError(
        "combination",
        "{field}: must be {accepted}, not {value}",
        {"field": field, "accepted": accepted, "value": value},
    )


class Config(Section):
    """One accelerator."""

    name: Annotated[
        str,
        Pattern(
            "[a-z][a-z0-9_]{0,62}",
            "a lower-case letter, then up to 62 lower-case letters, digits and underscores",
        ),
    ] = parameter(
        "custom",
        "Name of the generated files and of the top module.",
        area="None.",
        speed="None.",
    )
    description: Annotated[
        str,
        Pattern(r"[^\x00-\x1f\x7f\\]{0,200}", "one line of up to 200 characters without backslash"),
    ] = parameter("", "One line about it, for people.", area="None.", speed="None.")
    array: ArrayConfig = ArrayConfig()
    drain: DrainConfig = DrainConfig()
    memory: MemoryConfig = MemoryConfig()
    bus: BusConfig = BusConfig()
    control: ControlConfig = ControlConfig()

    @model_validator(mode="after")
    def _combinations(self) -> "Config":
        """Refuse fields that are each in range but cannot work together."""
        array, memory, bus = self.array, self.memory, self.bus
        self._check_modes()
        if array.engines % array.group:
            raise cannot(
                "array.group", f"a divisor of array.engines ({array.engines})", array.group
            )
        slots_of_threshold = -(-ACCUMULATOR_BITS // (array.lanes * array.weight_bits))
        threshold = (
            f"at least {slots_of_threshold} with array.lanes = {array.lanes}: a weight word holds "
            "a threshold of 32 bits for each group"
        )
        if array.group < slots_of_threshold:
            raise cannot("array.group", threshold, array.group)
        if memory.weight_slots > array.group:
            raise cannot(
                "memory.weight_slots", f"at most array.group ({array.group})", memory.weight_slots
            )
        if self.drain.lanes > self.groups:
            raise cannot(
                "drain.lanes",
                f"at most {self.groups}, the groups of a cluster (array.engines / array.group)",
                self.drain.lanes,
            )
        if self.weight_part_bits < ACCUMULATOR_BITS:
            raise cannot("memory.weight_slots", threshold, memory.weight_slots)
        if array.rows < array.slots:
            raise cannot(
                "array.rows",
                f"at least array.slots ({array.slots}): one position of all channels of an engine",
                array.rows,
            )
        if memory.activation_words < 2 * self.positions_per_cluster:
            raise cannot(
                "memory.activation_words",
                f"at least {2 * self.positions_per_cluster}: one tile in and one tile out, "
                f"of array.rows / array.slots = {self.positions_per_cluster} positions each",
                memory.activation_words,
            )
        if array.clusters * memory.activation_words > ADDRESSABLE_WORDS:
            raise cannot(
                "memory.activation_words",
                f"at most {ADDRESSABLE_WORDS // array.clusters} for each of array.clusters = "
                f"{array.clusters} (instructions address {ADDRESSABLE_WORDS} words)",
                memory.activation_words,
            )
        if memory.weight_words < 2 * self.chunk_words:
            raise cannot(
                "memory.weight_words",
                f"at least {2 * self.chunk_words}: two chunks, each a kernel tap of array.lanes "
                f"channels for the {self.channels_per_pass} output channels of a pass",
                memory.weight_words,
            )
        if memory.parameter_words < self.channels_per_pass:
            raise cannot(
                "memory.parameter_words",
                f"at least the {self.channels_per_pass} output channels of a pass "
                "(array.engines * array.slots)",
                memory.parameter_words,
            )
        if bus.burst * bus.data_width // 8 > AXI_BURST_BYTES:
            raise cannot(
                "bus.burst",
                f"at most {AXI_BURST_BYTES * 8 // bus.data_width} beats of bus.data_width = "
                f"{bus.data_width} bits (an AXI4 burst stays within 4096 bytes)",
                bus.burst,
            )
        if self.control.sequential:
            self._check_sequential()
        return self

    def _check_sequential(self) -> None:
        """Refuse what machines that do one thing at a time have no hardware for."""
        for name, fit in SEQUENTIAL.items():
            section, field = name.split(".")
            value = getattr(getattr(self, section), field)
            if not fit.accepts(value):
                raise cannot(name, f"{fit} with control.sequential", str(Only(value)))

    def _check_modes(self) -> None:
        """Refuse modes that the MAC unit lacks, or whose operands nothing could pack."""
        from hwgen.rtl.mac import KINDS, Mode, facts, trim_needs

        kind = KINDS[self.array.mac]
        for text in self.array.modes:
            if not kind.can(Mode.parse(text)):
                raise cannot("array.modes", f"{kind.CAN} with array.mac = {self.array.mac}", text)
        if self.array.trim_planes and (needs := trim_needs(self)):
            raise cannot("array.trim_planes", needs, "true")
        if not self.drain.pool and facts(self).packs:
            raise cannot(
                "drain.pool",
                "true with several activations in a byte (array.modes): the vector unit packs them",
                "false",
            )

    # Derived numbers: what others would otherwise work out again, each in its own way.

    @property
    def macs(self) -> int:
        """Multiplications a cycle of the whole array with parallel MAC units."""
        return self.array.clusters * self.array.engines * self.array.lanes

    @property
    def channels_per_pass(self) -> int:
        """Output channels that one pass computes: engines of a chain times slots."""
        return self.array.engines * self.array.slots

    @property
    def groups(self) -> int:
        """Groups of a chain."""
        return self.array.engines // self.array.group

    @property
    def distant_drain(self) -> bool:
        """Whether the sums of a group wait for the drain in a buffer: where groups are alone, and
        dense, they are near enough.
        """
        return self.groups > 1 or self.array.gated

    @property
    def channels_per_group(self) -> int:
        """Output channels whose weights each engine of a group holds."""
        return self.array.group * self.array.slots

    @property
    def positions_per_cluster(self) -> int:
        """Positions of a tile that one cluster holds when all slots are used."""
        return self.array.rows // self.array.slots

    @property
    def positions_per_tile(self) -> int:
        """Positions of a tile, over all clusters, when all slots are used."""
        return self.array.clusters * self.positions_per_cluster

    @property
    def chunk_words(self) -> int:
        """Weight words of a chunk when all slots are used; the last one is padded."""
        return -(-self.channels_per_group // self.memory.weight_slots)

    @property
    def vector_bits(self) -> int:
        """Bits of an activation vector: a word of an activation bank."""
        return self.array.lanes * self.array.activation_bits

    @property
    def weight_part_bits(self) -> int:
        """Bits of a weight word that are for one group."""
        return self.memory.weight_slots * self.array.lanes * self.array.weight_bits

    @property
    def weight_word_bits(self) -> int:
        """Bits of a weight word: a part for each group, padded to a power of two."""
        return self.weight_part_bits << (self.groups - 1).bit_length()

    @property
    def accumulator_bits(self) -> int:
        """Bits of an accumulator."""
        return ACCUMULATOR_BITS

    @property
    def activation_banks(self) -> int:
        """Banks of the activation buffer: the word of an address is in bank address mod banks."""
        return self.array.clusters * self.memory.banks

    @property
    def activation_rows(self) -> int:
        """Words of a bank of the activation buffer."""
        return self.memory.activation_words // self.memory.banks

    @property
    def activation_bytes(self) -> int:
        """Bytes of all activation banks together."""
        return self.array.clusters * self.memory.activation_words * self.vector_bits // 8

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weight buffer."""
        return self.memory.weight_words * self.weight_word_bits // 8

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over the version of hwgen and every field, whatever way they were given.

        It is in the header of the Verilog, in the JSON and in a register, so that a program can be
        checked against the hardware it was compiled for.
        """
        fields = json.dumps(self.model_dump(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(f"hwgen {hwgen.__version__}\n{fields}".encode()).hexdigest()

    def override(self, settings: Iterable[str] | Mapping[str, Any] = ()) -> "Config":
        """A copy with fields replaced: ``{"array.lanes": 4}`` or ``["array.lanes=4"]``."""
        from hwgen.config.loading import build

        return build(self.model_dump(), settings, source=self.name)
