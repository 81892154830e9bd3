"""Integer networks to programs: every edge gets a place in memory, every layer its instructions."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from models.netfile import Network, Parameters

from ..config import Config
from ..errors import UserError
from ..isa.parameters import BIAS_BITS
from .blocks import blocks_of
from .choice import Choice, choose
from .compiled import INPUT_BASE, WORK_BASE, Compiled, View
from .convolution import Lowering
from .image import InputArea, Packing, foldings
from .item import Item
from .layer import EVERY_BIT, Convolution, Gate, Requantization, VectorLayer
from .memory import Buffers, NoRoom
from .operands import Operands
from .output_packing import pack_outputs
from .packing import lower_packing
from .pipeline import schedule
from .places import Places
from .program import Builder
from .tensors import Tensor
from .tiles import plan_tiles
from .vector import lower_vector
from .widths import plan_widths

__all__ = ["INPUT_BASE", "WORK_BASE", "Compiled", "View", "compile_network"]

KERNEL_MAX = 15
POOL_KERNEL_MAX, POOL_PAD_MAX = 127, 7


class _Compiler:
    """One network on one configuration."""

    def __init__(
        self,
        network: Network,
        config: Config,
        densities: Mapping[str, np.ndarray],
        batch: int,
        order: str | None,
        plans: str,
        keep: bool,
    ):
        self.network, self.config, self.densities = network, config, densities
        self.batch, self.order, self.by, self.keep = batch, order, plans, keep
        self.before: Lowering | None = None
        self.lowerings: dict[tuple[int, int], Lowering] = {}  # by where they write
        self.builder, self.buffers = Builder(), Buffers(config)
        self.input = InputArea(config.bus.data_width // 8)
        self.items: list[Item] = []
        self.views: dict[str, View] = {}
        self.choices: dict[str, Choice] = {}
        self.places = Places(network, config, batch, self.views)
        self.targets = self.places.targets

    def run(self) -> Compiled:
        """Lower all layers."""
        for layer in self.network.layers:
            edge = layer.output
            if edge.bits > 8:
                self._refuse(layer, f"its output has {edge.bits} bits, activations have at most 8")
            LOWER[layer.kind](self, layer)
        schedule(self.config, self.buffers, self.items)
        return Compiled(
            self.network,
            self.config,
            self.builder.finish(),
            self.input,
            {name: view for name, view in self.views.items() if view.tensor.offset >= 0},
            self.places.bytes,
            self.batch,
            self.choices,
        )

    def _refuse(self, layer, why: str):
        raise UserError(
            f"layer {layer.name} ({layer.kind}): {why}; configuration {self.config.name}"
        )

    def _packed_copy(self, layer, source: Tensor, plan) -> Tensor:
        """``source`` as the plan of a layer wants it."""
        if not plan.slices:
            return source
        to, fresh = self.places.packed(source, plan)
        makes = self.lowerings.get((source.base, source.offset)) if self.keep else None
        if fresh and not (makes and makes.layer.output == source and pack_outputs(makes, to)):
            self.before = None
            self.items += lower_packing(
                self.config, self.builder, self.buffers, layer.name, source, to
            )
        return to

    # Parameters

    def _requantization(self, layer, parameters: Parameters) -> Requantization:
        get = self.network.tensor
        multiplier, bias, shift = (
            get(n).astype(np.int64) for n in (parameters.M, parameters.B, parameters.S)
        )
        residual = get(parameters.Mb).astype(np.int64) if parameters.Mb else None
        return self._checked(layer, Requantization(multiplier, bias, shift, residual))

    def _checked(self, layer, own: Requantization) -> Requantization:
        bits = self.config.drain.multiplier_bits
        for what, values, low, high in (
            ("M", own.multiplier, -(1 << (bits - 1)), (1 << (bits - 1)) - 1),
            ("S", own.shift, 1, self.config.drain.shift_max),
            ("B", own.bias, -(1 << (BIAS_BITS - 1)), (1 << (BIAS_BITS - 1)) - 1),
        ):
            if values.min() < low or values.max() > high:
                wrong = values[(values < low) | (values > high)][0]
                self._refuse(layer, f"{what} = {wrong} is outside of {low}..{high}")
        return own

    def _uniform(self, requantization: Requantization) -> bool:
        arrays = [requantization.multiplier, requantization.bias, requantization.shift]
        if requantization.residual_multiplier is not None:
            arrays.append(requantization.residual_multiplier)
        return all((a == a[0]).all() for a in arrays)

    def _for_array(self, requantization: Requantization) -> bool:
        """Whether sums and additions are for the array, as convolutions by one: if their channels
        differ, or there is no vector unit.
        """
        return not (self.config.drain.pool and self._uniform(requantization))

    # Layers

    def _input(self, layer) -> None:
        channels, rows, columns = layer.output.shape
        lanes, bipolar = self.config.array.lanes, layer.output.bipolar
        signed = layer.output.signed and not bipolar
        # Below zero as long as nobody reads the image as it is.
        tensor = Tensor(
            INPUT_BASE, -1, channels, rows, columns, lanes, signed, self.batch, bipolar=bipolar
        )
        readers = self.network.consumers(layer.name)
        if any(r.kind != "conv" or layer.name in r.inputs[1:] for r in readers):
            tensor = self.input.place(Packing(tensor, *layer.output.shape)).tensor
        self.views[layer.name] = View(tensor, np.arange(channels))

    def _fold(self, layer: Convolution, name: str, plan) -> Convolution:
        """``layer``, which reads the network's input, on the packing with which it is fastest."""
        channels = self.network.layer(name).output.shape[0]
        options = [
            (packing, plan.apply(folded, packing.tensor.channels))
            for packing, folded in foldings(layer, channels)
        ]

        def cycles(option: tuple[Packing, Convolution]) -> float:
            blocks = blocks_of(self.config, option[1])
            return plan_tiles(self.config, self.buffers, option[1], blocks, self.order).cycles

        packing, folded = min(options, key=cycles)
        tensor = self.input.place(packing).tensor
        if packing.plain and not tensor.slices:
            self.views[name] = replace(self.views[name], tensor=tensor)
        return replace(folded, input=tensor)

    def _reserve(self, layer) -> int:
        """Words of the activation buffer that the vector unit needs beside a convolution."""
        beside = [*self.network.consumers(layer.name), *map(self.network.layer, layer.inputs)]
        computes = {"add", "maxpool", "avgpool", "global_avgpool"}
        return 2 * self.buffers.vector_words if any(b.kind in computes for b in beside) else 0

    def _conv(self, layer) -> None:
        if layer.stride[0] != layer.stride[1]:
            self._refuse(layer, f"stride {layer.stride} differs between rows and columns")
        source = self.views[layer.inputs[0]]
        weights = self.network.weight(layer)
        groups, per_in = layer.groups, weights.shape[1]
        per_out = layer.out_channels // groups
        lanes = source.tensor.places
        full = np.zeros((layer.out_channels, lanes, *layer.kernel), np.int8)
        sees = np.zeros((layer.out_channels, lanes), bool)
        base = np.zeros_like(sees)
        in_base = self.network.base_weight_mask(layer)
        for group in range(groups):
            rows = np.arange(group * per_out, (group + 1) * per_out)[:, None]
            places = source.channels[group * per_in : (group + 1) * per_in]
            full[rows, places] = weights[rows[:, 0]]
            sees[rows, places] = True
            base[rows, places] = in_base[rows[:, 0]]
        gate = None
        if layer.gate is not None:
            high = layer.gate.high_bits
            low_bits = 0 if high is None else self.network.edge(layer).bits - high
            gate = Gate(
                self.network.theta(layer),
                self._requantization(layer, layer.gate.base),
                base if layer.gate.kind == "channel" else None,
                EVERY_BIT & ~((1 << low_bits) - 1),
            )
        self._convolve(layer, source, full, sees, layer.stride[0], layer.padding, gate=gate)

    def _linear(self, layer) -> None:
        source = self.views[layer.inputs[0]]
        rows, columns = source.tensor.rows, source.tensor.columns
        weights = self.network.weight(layer).reshape(layer.out_features, -1, rows, columns)
        lanes = source.tensor.places
        full = np.zeros((layer.out_features, lanes, rows, columns), np.int8)
        full[:, source.channels] = weights
        sees = np.zeros((layer.out_features, lanes), bool)
        sees[:, source.channels] = True
        self._convolve(layer, source, full, sees, 1, (0, 0, 0, 0))

    def _convolve(self, layer, source: View, full, sees, stride, padding, gate=None) -> None:
        if max(full.shape[2:]) > KERNEL_MAX:
            self._refuse(layer, f"kernel {full.shape[2:]} is larger than {KERNEL_MAX}")
        residual = None
        if len(layer.inputs) == 2:
            residual = self.views[layer.inputs[1]]
            if layer.name in self.targets and not residual.plain:
                residual = self._copy(layer, "residual", residual, layer.inputs[1])
        output = self.places.output(layer, residual)
        folds = layer.inputs[0] == self.network.input.name and layer.kind == "conv"
        plan = self._plan_widths(layer)
        if folds:
            tensor = replace(source.tensor, lanes=plan.lanes, slices=plan.slices)
        else:
            tensor = self._packed_copy(layer, source.tensor, plan)

        def wide(values: np.ndarray | None) -> np.ndarray | None:
            """For all lanes of the input: words of narrow operands have more of them."""
            if values is None:
                return None
            more = tensor.places - values.shape[1]
            return np.pad(values, [(0, 0), (0, more)] + [(0, 0)] * (values.ndim - 2))

        if gate is not None:
            gate = replace(gate, base=wide(gate.base))
        convolution = Convolution(
            name=layer.name,
            input=tensor,
            output=output.tensor,
            channels=output.channels,
            weights=wide(full),
            sees=wide(sees),
            requantization=self._requantization(layer, layer.full),
            low=0 if layer.output.bipolar else layer.lo,
            high=layer.hi,
            stride=stride,
            padding=padding,
            gate=gate,
            residual=residual.tensor if residual is not None else None,
            density=self.densities.get(layer.name),
        )
        try:
            if folds:
                convolution = self._fold(convolution, layer.inputs[0], plan)
            else:
                convolution = plan.apply(convolution, source.tensor.places)
        except ValueError as error:
            self._refuse(layer, str(error))
        self._checked(layer, convolution.requantization)
        if convolution.gate is not None:
            self._checked(layer, convolution.gate.requantization)
        self._lower(convolution, self._reserve(layer))
        self.views[layer.name] = output

    def _plan_widths(self, layer):
        """How the products of a layer are made."""
        edge, gate = self.network.edge(layer), getattr(layer, "gate", None)
        # Sums, additions and copies are products with one.
        bits = getattr(layer, "weight_bits", 2)
        if edge.bipolar and len(layer.inputs) > 1 and self.config.array.mac != "xnor":
            bits = max(bits, 2) + 1  # see `of_codes`
        high = gate.high_bits if gate is not None else None
        try:
            operands = Operands(edge.bits, edge.signed, edge.bipolar, bits, high)
            return plan_widths(self.config, operands)
        except ValueError as error:
            self._refuse(layer, str(error))

    def _lower(self, layer: Convolution, reserve: int = 0) -> None:
        before = self.before if self.keep else None
        places = self.config, self.builder, self.buffers
        choice = choose(self.config, layer, self.order, reserve)
        begins = not self.items
        lowering = Lowering(*places, layer, before=before, plan=choice.plan, begins=begins)
        # What stays on chip between layers the model, which sees each alone, would not see.
        wanted = any(r.kind in ("conv", "linear") for r in self.network.consumers(layer.name))
        if self.by == "model" and not (wanted and lowering.kept or lowering.resident):
            choice = choose(self.config, layer, self.order, reserve, by="model")
            lowering = Lowering(*places, layer, plan=choice.plan, begins=begins)
        self.choices[layer.name] = choice
        self.items += lowering.items()
        self.before = lowering
        self.lowerings[layer.output.base, layer.output.offset] = lowering

    def _copy(
        self, layer, what: str, source: View, name: str, target: Tensor | None = None
    ) -> View:
        """Channels in plain order in a tensor of their own: a convolution by one, exact."""
        edge = self.network.layer(name).output
        count = len(source.channels)
        # Codes of -1 and 1 are copied as they are.
        tensor = replace(source.tensor, bipolar=False)
        if target is None:
            target = self.places.tensor(count, tensor.rows, tensor.columns, edge)
        signed = edge.signed and not edge.bipolar
        try:
            plan = plan_widths(self.config, Operands(edge.bits, signed, False, 2))
        except ValueError as error:
            self._refuse(layer, f"copied to plain order: {error}")
        packed = self._packed_copy(layer, tensor, plan)
        weights = np.zeros((count, packed.places, 1, 1), np.int8)
        weights[np.arange(count), source.channels] = 1
        # (2x + 1) >> 1 is x.
        two, none, one = np.full(count, 2), np.zeros(count, int), np.ones(count, int)
        plain = np.arange(count)
        copy = Convolution(
            name=f"{layer.name}.{what}",
            input=packed,
            output=target,
            channels=plain,
            weights=weights,
            sees=weights[:, :, 0, 0] != 0,
            requantization=Requantization(two, none, one),
            low=0 if edge.bipolar else edge.lo,
            high=edge.hi,
        )
        self._lower(plan.apply(copy, tensor.places))
        return View(target, plain)

    def _diagonal(self, source: View, kernel: tuple[int, int]):
        """Weights of one on each channel's own input."""
        count = len(source.channels)
        lanes = source.tensor.places
        weights = np.zeros((count, lanes, *kernel), np.int8)
        weights[np.arange(count), source.channels] = 1
        return weights, weights[:, :, 0, 0] != 0

    def _add(self, layer) -> None:
        a, b = (self.views[name] for name in layer.inputs)
        requantization = self._requantization(layer, layer.full)
        same = np.array_equal(a.channels, b.channels) and a.tensor.planes == b.tensor.planes
        alike = same and a.tensor.signed == b.tensor.signed
        if not alike or self._for_array(requantization):
            weights, sees = self._diagonal(a, (1, 1))
            self._convolve(layer, a, weights, sees, 1, (0, 0, 0, 0))
            return
        self._vector(layer, a, 2, second=b, requantization=requantization)

    def _maxpool(self, layer) -> None:
        self._pool(layer, 0, layer.kernel, layer.stride, layer.padding, None)

    def _avgpool(self, layer) -> None:
        requantization = self._requantization(layer, layer.full)
        self._pool(layer, 1, layer.kernel, layer.stride, layer.padding, requantization)

    def _global_avgpool(self, layer) -> None:
        requantization = self._requantization(layer, layer.full)
        shape = self.network.edge(layer).shape
        self._pool(layer, 1, shape[1:], (1, 1), (0, 0, 0, 0), requantization)

    def _pool(self, layer, operation, kernel, stride, padding, requantization) -> None:
        source = self.views[layer.inputs[0]]
        if stride[0] != stride[1]:
            self._refuse(layer, f"stride {stride} differs between rows and columns")
        if operation and self._for_array(requantization):
            weights, sees = self._diagonal(source, tuple(kernel))
            self._convolve(layer, source, weights, sees, stride[0], padding)
            return
        if max(kernel) > POOL_KERNEL_MAX or max(padding) > POOL_PAD_MAX or stride[0] > 7:
            self._refuse(
                layer,
                f"kernel {tuple(kernel)}, stride {stride[0]}, padding {tuple(padding)}: at most "
                f"{POOL_KERNEL_MAX}, 7 and {POOL_PAD_MAX} are possible",
            )
        self._vector(
            layer,
            source,
            operation,
            requantization,
            kernel=kernel,
            stride=stride[0],
            padding=padding,
        )

    def _vector(self, layer, source: View, operation: int, requantization=None, **extra) -> None:
        if "second" in extra:
            extra["second"] = extra["second"].tensor
        wants_plain = layer.name in self.targets
        if wants_plain and not source.plain:
            self._refuse(layer, "its input's channels are permuted and its output is concatenated")
        output = self.places.output(layer, source)
        tensor = replace(output.tensor, channels=source.tensor.channels)
        self.before = None
        self.items += lower_vector(
            self.config,
            self.builder,
            self.buffers,
            VectorLayer(
                layer.name,
                operation,
                source.tensor,
                tensor,
                requantization=requantization,
                low=getattr(layer, "lo", 0),
                high=getattr(layer, "hi", 0),
                **extra,
            ),
        )
        self.views[layer.name] = output

    # Addressing

    def _shuffle(self, layer) -> None:
        source = self.views[layer.inputs[0]]
        order = np.arange(len(source.channels)).reshape(layer.groups, -1).T.reshape(-1)
        self.views[layer.name] = View(source.tensor, source.channels[order])

    def _split(self, layer) -> None:
        source = self.views[layer.inputs[0]]
        part = source.channels[layer.start : layer.start + layer.output.shape[0]]
        self.views[layer.name] = View(source.tensor, part)

    def _concat(self, layer) -> None:
        for name, part in zip(layer.inputs, self.places.concat_parts(layer), strict=True):
            if self.targets.get(name) != layer.name:
                self._copy(layer, name, self.views[name], name, part)

    def _flatten(self, layer) -> None:
        after = self.network.consumers(layer.name)
        source = self.views[layer.inputs[0]]
        if source.tensor.rows * source.tensor.columns > 1 and any(
            c.kind not in ("linear", "flatten") for c in after
        ):
            self._refuse(layer, "only a linear layer can read a flattened map")
        self.views[layer.name] = source

    def _output_layer(self, layer) -> None:
        self.views[layer.name] = self.views[layer.inputs[0]]


LOWER = {
    "input": _Compiler._input,
    "conv": _Compiler._conv,
    "linear": _Compiler._linear,
    "add": _Compiler._add,
    "maxpool": _Compiler._maxpool,
    "avgpool": _Compiler._avgpool,
    "global_avgpool": _Compiler._global_avgpool,
    "shuffle": _Compiler._shuffle,
    "concat": _Compiler._concat,
    "split": _Compiler._split,
    "flatten": _Compiler._flatten,
    "output": _Compiler._output_layer,
}


def compile_network(
    network: Network,
    config: Config,
    densities: Mapping[str, np.ndarray] | None = None,
    *,
    batch: int = 1,
    order: str | None = None,
    plans: str = "estimate",
) -> Compiled:
    """Lower ``network`` to a program for ``config``.

    ``densities`` gives, for gated layers by name, the share of fired outputs per channel (profiled
    on images): the compiler deals channels to groups by it. A run of the program takes ``batch``
    images. ``order`` forces the order of work in every layer, see :data:`hwgen.compiler.tiles
    .ORDERS`; otherwise each layer has the one that is best by ``plans``, see
    :data:`hwgen.compiler.choice.DECIDERS`.
    """
    arguments = network, config, densities or {}, batch, order, plans
    try:
        return _Compiler(*arguments, keep=True).run()
    except NoRoom:  # what stays on chip between layers may stand in the way of others
        return _Compiler(*arguments, keep=False).run()
