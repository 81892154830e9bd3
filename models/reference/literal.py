"""A second reading of ``docs/network-file.md``, on purpose as slow and literal as possible.

It shares no code with the rest of the project, so that one misunderstanding cannot hide in both: it
opens the file with the safetensors library, reads the JSON of the graph as plain dicts and computes
one output at a time with Python integers.
"""

import json

from safetensors import safe_open


def read(path):
    """(graph, tensors) of a network file; tensors are nested lists."""
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()["hwgen-network"])
        tensors = {name: file.get_tensor(name).tolist() for name in file.keys()}
    graph = document["graph"]
    for layer in graph["layers"]:
        if document["version"] > 1 and "weight" in layer:
            data = tensors[layer["weight"]]
            tensors[layer["weight"]] = _unpacked(data, layer["weight_bits"], _shape(layer))
    return graph, tensors


def _shape(layer):
    if layer["kind"] == "linear":
        return [layer["out_features"], layer["in_features"]]
    return [layer["out_channels"], layer["in_channels"] // layer["groups"], *layer["kernel"]]


def _unpacked(data, bits, shape):
    """Weights that lie in bytes, bit behind bit, the lowest first."""
    whole = sum(byte << 8 * n for n, byte in enumerate(data))
    count = 1
    for size in shape:
        count *= size
    weights = []
    for n in range(count):
        w = whole // 2 ** (n * bits) % 2**bits
        if bits == 1:
            w = 1 if w else -1
        elif w >= 2 ** (bits - 1):
            w -= 2**bits
        weights.append(w)
    for size in reversed(shape[1:]):
        weights = [weights[n : n + size] for n in range(0, len(weights), size)]
    return weights


def compute(graph, tensors, image, last=None):
    """All layers of one image (nested lists, channel, row, column), or those up to ``last``.

    Gives nested lists by name of layer.
    """
    values = {}
    for layer in graph["layers"]:
        sources = [values[name] for name in layer["inputs"]]
        edges = [_edge(graph, name) for name in layer["inputs"]]
        channels, rows, cols = layer["output"]["shape"]
        values[layer["name"]] = [
            [
                [
                    _value(layer, tensors, image, sources, edges, channel, row, col)
                    for col in range(cols)
                ]
                for row in range(rows)
            ]
            for channel in range(channels)
        ]
        if layer["name"] == last:
            break
    return values


def _edge(graph, name):
    return next(layer["output"] for layer in graph["layers"] if layer["name"] == name)


def _value(layer, tensors, image, sources, edges, channel, row, col):
    kind = layer["kind"]
    if kind == "input":
        return image[channel][row][col]
    x = sources[0]
    if kind in ("conv", "linear"):
        return _weighted(layer, tensors, sources, edges, channel, row, col)
    if kind == "add":
        b = sources[1][channel][row][col]
        return _requantized(layer, tensors, "full", channel, x[channel][row][col], b)
    if kind == "maxpool":
        return max(v for v in _window(layer, x[channel], row, col) if v is not None)
    if kind == "avgpool":
        total = sum(v for v in _window(layer, x[channel], row, col) if v is not None)
        return _requantized(layer, tensors, "full", channel, total)
    if kind == "global_avgpool":
        total = sum(sum(line) for line in x[channel])
        return _requantized(layer, tensors, "full", channel, total)
    if kind == "shuffle":
        each = len(x) // layer["groups"]
        i, j = channel // layer["groups"], channel % layer["groups"]
        return x[j * each + i][row][col]
    if kind == "concat":
        return [plane for source in sources for plane in source][channel][row][col]
    if kind == "split":
        return x[layer["start"] + channel][row][col]
    if kind == "flatten":
        return [v for plane in x for line in plane for v in line][channel]
    assert kind == "output"
    return x[channel][row][col]


def _window(layer, plane, row, col):
    """Values under the kernel, None where the padding is."""
    top, _, left, _ = layer["padding"]
    for dy in range(layer["kernel"][0]):
        for dx in range(layer["kernel"][1]):
            y = row * layer["stride"][0] + dy - top
            x = col * layer["stride"][1] + dx - left
            inside = 0 <= y < len(plane) and 0 <= x < len(plane[0])
            yield plane[y][x] if inside else None


def _weighted(layer, tensors, sources, edges, channel, row, col):
    weight = tensors[layer["weight"]][channel]
    x = sources[0]
    if layer["kind"] == "linear":
        flat = [v for plane in x for line in plane for v in line]
        acc = sum(v * w for v, w in zip(flat, weight, strict=True))
        return _requantized(layer, tensors, "full", channel, acc)
    each = layer["in_channels"] // layer["groups"]
    first = channel // (layer["out_channels"] // layer["groups"]) * each
    gate = layer.get("gate")
    acc = base = 0
    for i in range(each):
        taps = [w for line in weight[i] for w in line]
        for v, w in zip(_window(layer, x[first + i], row, col), taps, strict=True):
            if v is None:
                v = -1 if _is_bipolar(edges[0]) else 0
            acc += v * w
            high = v
            if gate and "high_bits" in gate:
                step = 2 ** (edges[0]["bits"] - gate["high_bits"])
                high = v // step * step
            if gate and gate["kind"] == "channel":
                run = channel // (layer["out_channels"] // len(gate["starts"]))
                if not gate["starts"][run] <= i < gate["starts"][run] + gate["count"]:
                    high = 0
            base += high * w
    b = sources[1][channel][row][col] if len(sources) == 2 else None
    if gate and not base > tensors[gate["theta"]][channel]:
        return _requantized(layer, tensors, "base", channel, base, b)
    return _requantized(layer, tensors, "full", channel, acc, b)


def _requantized(layer, tensors, path, channel, acc, b=None):
    names = layer["full"] if path == "full" else layer["gate"]["base"]
    M, B, S = (tensors[names[key]][channel] for key in "MBS")
    total = acc * M + B + 2 ** (S - 1)
    if b is not None:
        total += b * tensors[names["Mb"]][channel]
    if _is_bipolar(layer["output"]):
        return 1 if total // 2**S >= 1 else -1
    return min(max(total // 2**S, layer["lo"]), layer["hi"])


def _is_bipolar(edge):
    """Whether an edge carries -1 and 1."""
    return edge["signed"] and edge["bits"] == 1
