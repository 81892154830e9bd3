"""From a fused graph with a scale on every edge to a network file."""

from dataclasses import dataclass

import numpy as np

from hwgen.errors import UserError
from models.netfile import Builder, Edge, Limits, Network, prove_bounds, round_half_up

from .bipolar import bipolar_edges, over_signs
from .combined import with_high_channels
from .fixed_point import fixed_point
from .ir import EdgePlan, FloatGraph, Op
from .weights import quantize_weights

__all__ = ["Pixels", "emit"]


@dataclass(frozen=True)
class Pixels:
    """How the network was fed: ``(byte / 255 - mean) / std``, one number a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def emit(
    graph: FloatGraph,
    plans: dict[str, EdgePlan],
    *,
    name: str,
    weight_bits: int = 8,
    limits: Limits | None = None,
    pixels: Pixels | None = None,
    info: dict | None = None,
) -> Network:
    """The integer network of ``graph``; UserError names the layer that has no integers within
    ``limits``.
    """
    emitter = _Emitter(graph, plans, Builder(name, limits=limits, info=info), weight_bits, pixels)
    for op in graph.ops.values():
        try:
            getattr(emitter, f"_{op.kind}")(op)
        except ValueError as error:
            raise UserError(f"layer {op.label!r}: {error}") from None
    try:
        network = emitter.net.build()
        prove_bounds(network)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from None
    return network


class _Emitter:
    """Adds one layer to a builder for each operation."""

    def __init__(self, graph, plans, builder: Builder, weight_bits: int, pixels: Pixels | None):
        self.graph, self.plans, self.net = graph, plans, builder
        self.weight_bits, self.pixels = weight_bits, pixels
        self.bipolar = bipolar_edges(graph, plans)

    def _edge(self, name: str) -> Edge:
        return self.net.edge(name)

    def _output(self, op: Op) -> None:
        self.net.output(op.inputs[0], op.name)

    def _input(self, op: Op) -> None:
        readers = self.graph.consumers(op.name)
        if any(reader.kind == "thermometer" for reader in readers):
            if len(readers) > 1 or self.pixels is None:
                raise ValueError("a thermometer must be all that reads the pixels")
            return
        plan = self.plans[op.name]
        full = None
        if self.pixels:
            mean = np.broadcast_to(np.asarray(self.pixels.mean, np.float64), op.shape[:1])
            std = np.broadcast_to(np.asarray(self.pixels.std, np.float64), op.shape[:1])
            gain, shift = 1 / (255 * std * plan.scale), -mean / (std * plan.scale)
            same = np.allclose(gain, 1, atol=1e-9) and np.allclose(shift, 0, atol=1e-9)
            if plan.signed or plan.bits != 8 or not same:
                full = fixed_point(gain, shift, (0, 255), self.net.limits)
        self.net.input(
            op.shape, bits=plan.bits, signed=plan.signed, scale=plan.scale, full=full, name=op.name
        )

    def _thermometer(self, op: Op) -> None:
        if op.inputs[0] != self.graph.input.name:
            raise ValueError("a thermometer must read the pixels")
        # (p + B + 1) >> 1 is at least 1 where p is at least 1 - B.
        full = {"M": 1, "B": 1 - op.thresholds.astype(np.int64), "S": 1}
        signed = op.name in self.bipolar
        self.net.input(op.shape, bits=1, signed=signed, full=full, name=op.name)

    def _out(self, op: Op) -> dict:
        """Edge and clamps of a requantized output."""
        plan = self.plans[op.name]
        if op.name in self.bipolar:
            return {"bits": 1, "signed": True}
        edge = Edge(shape=(1, 1, 1), bits=plan.bits, signed=plan.signed)
        lo, hi = edge.lo, edge.hi
        if op.lo > -np.inf:
            lo = int(np.clip(round_half_up(op.lo / plan.scale), lo, hi - 1))
        if op.hi < np.inf:
            hi = int(np.clip(round_half_up(op.hi / plan.scale), lo + 1, hi))
        return {"bits": plan.bits, "signed": plan.signed, "scale": plan.scale, "lo": lo, "hi": hi}

    def _parameters(self, op: Op, gain, shift, acc, unit) -> dict:
        """M, B, S, Mb of ``op``: ``unit`` is the real value of one step of its accumulator."""
        out = self.plans[op.name].scale
        fields = {}
        if len(op.inputs) == 2 and op.kind in ("conv", "add"):
            edge = self._edge(op.inputs[1])
            fields = {
                "gain_b": op.gain_b * self.plans[op.inputs[1]].scale / out,
                "b": (edge.lo, edge.hi),
            }
        return fixed_point(gain * unit / out, shift / out, acc, self.net.limits, **fields)

    def _conv(self, op: Op) -> None:
        source = self.plans[op.inputs[0]]
        bits = op.attrs.get("weight_bits", self.weight_bits)
        weight, steps = quantize_weights(op, bits)
        unit, operand = steps * source.scale, op.inputs[0]
        if op.attrs.get("gate") and op.gate.kind == "both":
            operand, weight = with_high_channels(self.net, op, weight)
        acc = self._products(op, weight)
        gate = None
        if op.attrs.get("gate"):
            gate = self._gate(op, acc, unit)
        self.net.conv(
            op.name,
            operand,
            weight,
            full=self._full(op, weight, acc, unit),
            residual=op.inputs[1] if len(op.inputs) == 2 else None,
            stride=op.stride,
            padding=op.padding,
            groups=op.groups,
            weight_bits=bits,
            gate=gate,
            **self._out(op),
        )

    def _gate(self, op: Op, acc, unit) -> dict:
        gate = op.gate
        # base > theta is base > floor(theta) for integers; beyond 32 bits all or none fire.
        theta = np.floor(np.nan_to_num(gate.theta / unit, posinf=2.0**31, neginf=-(2.0**31)))
        fields = {
            "kind": "precision" if gate.kind == "precision" else "channel",
            "theta": theta.clip(-(2.0**31), 2.0**31 - 1).astype(np.int64),
            "base": self._parameters(op, gate.gain, gate.shift, acc, unit),
        }
        if gate.kind != "precision":
            return fields | {"count": gate.count, "starts": gate.starts}
        return fields | {"high_bits": gate.high_bits}

    def _linear(self, op: Op) -> None:
        source = self.plans[op.inputs[0]]
        bits = op.attrs.get("weight_bits", self.weight_bits)
        weight, steps = quantize_weights(op, bits)
        acc, unit = self._products(op, weight), steps * source.scale
        full = self._full(op, weight, acc, unit)
        self.net.linear(op.name, op.inputs[0], weight, full=full, weight_bits=bits, **self._out(op))

    def _full(self, op: Op, weight, acc, unit) -> dict:
        """:meth:`_parameters` of a whole dot product."""
        gain, shift = op.gain, op.shift
        if op.inputs[0] in self.bipolar:
            gain, shift, unit = over_signs(gain, shift, unit, weight)
        return self._parameters(op, gain, shift, acc, unit)

    def _products(self, op: Op, weight):
        """(lowest, highest) accumulator of each channel."""
        edge = self._edge(op.inputs[0])
        rows = weight.reshape(len(weight), -1)
        positive, negative = rows.clip(min=0).sum(1), rows.clip(max=0).sum(1)
        low = min(edge.lo, 0)
        return positive * low + negative * edge.hi, positive * edge.hi + negative * low

    def _sums(self, op: Op, terms: int):
        edge = self._edge(op.inputs[0])
        acc = (edge.lo * terms, edge.hi * terms)
        return self._parameters(op, op.gain, op.shift, acc, self.plans[op.inputs[0]].scale)

    def _add(self, op: Op) -> None:
        self.net.add(op.name, *op.inputs, full=self._sums(op, 1), **self._out(op))

    def _gap(self, op: Op) -> None:
        rows, cols = self._edge(op.inputs[0]).shape[1:]
        full = self._sums(op, rows * cols)
        self.net.global_avgpool(op.name, op.inputs[0], full=full, **self._out(op))

    def _avgpool(self, op: Op) -> None:
        full = self._sums(op, op.kernel[0] * op.kernel[1])
        self.net.avgpool(
            op.name, op.inputs[0], op.kernel, op.stride, op.padding, full=full, **self._out(op)
        )

    def _affine(self, op: Op) -> None:
        full = self._sums(op, 1)
        self.net.avgpool(op.name, op.inputs[0], (1, 1), full=full, **self._out(op))

    def _clamp(self, op: Op) -> None:
        ones = np.ones(op.shape[0])
        op.attrs |= {"gain": ones, "shift": 0 * ones}
        self._affine(op)

    def _maxpool(self, op: Op) -> None:
        self.net.maxpool(op.name, op.inputs[0], op.kernel, op.stride, op.padding)

    def _concat(self, op: Op) -> None:
        self.net.concat(op.name, *op.inputs)

    def _split(self, op: Op) -> None:
        self.net.split(op.name, op.inputs[0], op.start, op.count)

    def _shuffle(self, op: Op) -> None:
        self.net.shuffle(op.name, op.inputs[0], op.groups)

    def _flatten(self, op: Op) -> None:
        self.net.flatten(op.name, op.inputs[0])
