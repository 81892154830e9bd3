"""Networks of random integers whose layers have widths of their own, without any training."""

from collections.abc import Sequence

import numpy as np

from models.netfile import Builder, Edge, Network

__all__ = ["random_widths"]


class _Drawer:
    """Draws layers whose outputs neither saturate nor vanish."""

    def __init__(self, rng: np.random.Generator, name: str, info: dict):
        self.rng, self.net = rng, Builder(name, info=info)

    def weights(self, bits: int, *shape: int) -> np.ndarray:
        if bits == 1:
            return self.rng.choice([-1, 1], shape)
        limit = (1 << bits - 1) - 1
        return self.rng.integers(-limit, limit + 1, shape)

    def parameters(self, edge: Edge, weight: np.ndarray, out: tuple[int, bool]) -> dict:
        """Requantization that spreads the sums of ``weight`` over an output of ``out`` (bits,
        signed).
        """
        bits, signed = out
        values = np.arange(edge.lo, edge.hi + 1)
        if edge.bipolar:
            values = np.array([-1, 1])
        fan_in = weight[0].size
        spread = max(1.0, np.sqrt(fan_in * np.mean(values**2.0) * np.mean(weight**2.0)))
        wanted = max(0.7, 0.3 * 2.0**bits)
        channels = len(weight)
        multiplier = self.rng.integers(1 << 13, 1 << 15, channels)
        shift = np.clip(np.round(np.log2(multiplier * spread / wanted)), 1, 31).astype(int)
        sign = self.rng.choice([-1, 1], channels)
        middle = 0.5 if bits == 1 else 0 if signed else 2.0**bits / 2
        # Unsigned inputs move all sums of a channel by the same.
        middle = (
            middle * 2.0**shift
            - multiplier * sign * weight.reshape(channels, -1).sum(1) * values.mean()
        )
        bias = middle + self.rng.uniform(-0.3, 0.3, channels) * wanted * 2.0**shift
        return {"M": multiplier * sign, "B": bias.astype(np.int64), "S": shift}

    def residual(self, parameters: dict, edge: Edge, bits: int) -> dict:
        """The same with an edge that is added."""
        ratio = (2.0**bits) / (2.0**edge.bits)
        scale = self.rng.uniform(-1, 1, len(parameters["M"])) * ratio
        return parameters | {"Mb": (scale * 2.0 ** np.asarray(parameters["S"])).astype(np.int64)}

    def gate(self, kind: str, edge: Edge, weight: np.ndarray, out, high_bits: int) -> dict:
        """A gate that lets about half of the outputs pass."""
        fan_in = weight[0].size
        spread = np.sqrt(fan_in) * (edge.hi - edge.lo) / 2 * max(1, np.abs(weight).max() / 2)
        theta = self.rng.uniform(-0.5, 0.5, len(weight)) * spread
        gate = {"theta": np.round(theta).astype(int), "base": self.parameters(edge, weight, out)}
        if kind == "precision":
            return gate | {"kind": "precision", "high_bits": high_bits}
        count = max(1, weight.shape[1] // 2)
        gate |= {"kind": "channel", "count": count, "starts": (0,)}
        return gate | ({"high_bits": high_bits} if kind == "both" else {})


def random_widths(
    seed: int,
    widths: Sequence[tuple[int, int]],
    *,
    gates: Sequence[str | None] = (None,),
    high_bits: int | None = None,
    signs: Sequence[bool] = (False, True),
    channels: int = 20,
    size: int = 7,
    image_bits: int = 8,
    last_bits: int = 8,
    groups: Sequence[int] = (1,),
    pool: bool = True,
    residual: bool = True,
) -> Network:
    """A network with a first layer of ``image_bits`` activations, then a convolution for each of
    ``widths`` (activation bits, weight bits), and a fully connected layer of ``last_bits``.

    ``gates`` and ``groups`` are drawn from for each convolution: a gate is "channel", "precision",
    "both" or None; ``high_bits`` are drawn too unless given. An activation of one bit that is drawn
    with a sign is -1 or 1.
    """
    rng = np.random.default_rng([seed, len(widths)])
    draw = _Drawer(rng, f"widths{seed}", {"seed": seed})
    net = draw.net
    x = net.input((3, size, size), bits=image_bits, signed=bool(rng.choice(signs)))

    def output(number: int) -> tuple[int, bool]:
        bits = widths[number][0] if number < len(widths) else last_bits
        return bits, bool(rng.choice(signs))

    out = output(0)
    first = draw.weights(widths[0][1], channels, 3, 3, 3)
    x = net.conv(
        "stem", x, first, weight_bits=widths[0][1], padding=(1, 1, 1, 1), bits=out[0],
        signed=out[1], full=draw.parameters(net.edge(x), first, out),
    )  # fmt: skip
    before = None
    for number, (_, weight_bits) in enumerate(widths):
        edge, out = net.edge(x), output(number + 1)
        kind = rng.choice(np.array(gates, object))
        each = int(rng.choice([n for n in groups if edge.shape[0] % n == 0]))
        kernel, pad = ((3, 3), (1, 1, 1, 1)) if rng.random() < 0.7 else ((1, 1), (0, 0, 0, 0))
        inputs = edge.shape[0] // each
        count = channels + each * int(rng.integers(0, 4))
        weight = draw.weights(weight_bits, count - count % each, inputs, *kernel)
        full = draw.parameters(edge, weight, out)
        gate = None
        if kind is not None and (kind == "channel" or edge.bits > 1) and not edge.bipolar:
            high = high_bits or int(rng.integers(1, max(2, edge.bits)))
            gate = draw.gate(kind, edge, weight, out, high)
        added = None
        shape = (len(weight), *edge.shape[1:])
        if residual and before is not None and net.edge(before).shape == shape:
            added = before if not net.edge(before).bipolar else None
        if added is not None:
            full = draw.residual(full, net.edge(added), out[0])
            if gate is not None:
                gate["base"] = draw.residual(gate["base"], net.edge(added), out[0])
        before, x = x, net.conv(
            f"conv{number}", x, weight, weight_bits=weight_bits, padding=pad, groups=each,
            full=full, residual=added, gate=gate, bits=out[0], signed=out[1],
        )  # fmt: skip
        if pool and number == 0:
            x = net.maxpool("pool", x, (2, 2))
            before = None
    edge, weight = net.edge(x), draw.weights(last_bits, 10, int(np.prod(net.edge(x).shape)))
    full = draw.parameters(edge, weight, (8, True))
    net.output(net.linear("last", x, weight, weight_bits=last_bits, full=full, bits=8, signed=True))
    return net.build()
