"""Gates over the high bits of some channels, as gates over channels.

The accelerator gates by channels or by bits. x = high + low, where high has the low bits cleared,
so a convolution is also one over three runs of channels: high and low of its base channels, both
with their weights, and the others. Its base pass does the first run. Nothing is rounded.
"""

import numpy as np

from models.netfile import Builder

from .ir import Op

__all__ = ["with_high_channels"]


def with_high_channels(net: Builder, op: Op, weight) -> tuple[str, np.ndarray]:
    """Add the layers that take the base channels of ``op`` apart; gives what it then reads and its
    weights. Count and starts of its gate hold as they are.
    """
    gate, source = op.gate, op.inputs[0]
    edge = net.edge(source)
    channels, used = edge.shape[0] // op.groups, gate.starts[-1] + gate.count
    runs = [group * channels for group in range(op.groups)]
    base = [
        _part(net, f"{op.name}.base{group}", source, start, used)
        for group, start in enumerate(runs)
    ]
    base = base[0] if op.groups == 1 else net.concat(f"{op.name}.base", *base)
    low_bits = edge.bits - gate.high_bits
    form = {"bits": edge.bits, "signed": edge.signed}
    # Rounding half up less one half rounds down.
    down = {"M": 1, "B": -(1 << (low_bits - 1)), "S": low_bits}
    coarse = net.avgpool(f"{op.name}.coarse", base, (1, 1), full=down, **form)
    back = {"M": 1 << (low_bits + 1), "B": 0, "S": 1}
    high = net.avgpool(f"{op.name}.high", coarse, (1, 1), full=back, scale=edge.scale, **form)
    rest = {"M": 2, "Mb": -2, "B": 0, "S": 1}
    low = net.add(f"{op.name}.low", base, high, full=rest, scale=edge.scale, **form)
    parts = []
    for group, start in enumerate(runs):
        for name, whole in (("high", high), ("low", low)):
            parts.append(_part(net, f"{op.name}.{name}{group}", whole, group * used, used))
        if used < channels:
            others = f"{op.name}.others{group}"
            parts.append(_part(net, others, source, start + used, channels - used))
    whole = net.concat(f"{op.name}.parts", *parts)
    return whole, np.concatenate([weight[:, :used], weight[:, :used], weight[:, used:]], axis=1)


def _part(net: Builder, name: str, source: str, start: int, count: int) -> str:
    """``count`` channels of ``source`` from ``start``; itself if that is all of it."""
    if count == net.edge(source).shape[0]:
        return source
    return net.split(name, source, start, count)
