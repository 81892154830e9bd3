"""Reading and writing the network file: one ``.safetensors`` that holds the tensors and, as
metadata, the graph.

The metadata has one entry, ``hwgen-network``, a JSON document ``{"version", "sha256": {"graph",
"tensors"}, "graph"}``. The hashes make sure that a file which was cut or edited is refused with the
name of what differs; they are no protection against somebody who edits the hashes as well.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from hwgen.errors import UserError
from hwgen.files import write_atomic

from .check import check
from .layers import Graph
from .network import Network
from .packed import pack_weights, unpack_weights

__all__ = ["VERSION", "json_schema", "load", "network_bytes", "save"]

VERSION = 2
"""Version 1 has weights as arrays of bytes, or of 16 bits; it is still read."""
_KEY = "hwgen-network"


def json_schema() -> dict:
    """The JSON schema of the graph in a network file."""
    return Graph.model_json_schema()


def network_bytes(network: Network) -> bytes:
    """The file's bytes: equal networks give equal bytes. ValueError if the network is not well
    formed.
    """
    check(network)
    graph = json.loads(network.graph.model_dump_json(exclude_none=True))
    tensors = dict(sorted(pack_weights(network.graph, network.tensors).items()))
    document = {
        "version": VERSION,
        "sha256": {
            "graph": _graph_hash(graph),
            "tensors": {name: _tensor_hash(a) for name, a in tensors.items()},
        },
        "graph": graph,
    }
    return save_tensors(tensors, metadata={_KEY: json.dumps(document, sort_keys=True)})


def save(network: Network, path: Path | str) -> Path:
    """Check the network and write it; an existing file is replaced only by a complete one."""
    try:
        data = network_bytes(network)
    except ValueError as error:
        raise UserError(f"{path}: this network cannot be written: {error}") from None
    return write_atomic(path, data)


def load(path: Path | str) -> Network:
    """Read and check a network file. UserError names the file and what is wrong with it."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return _parse(data)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _parse(data: bytes) -> Network:
    document = _document(data)
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise ValueError(f"the network's version is {version!r}, accepted: 1 to {VERSION}")
    if version > VERSION:
        raise ValueError(
            f"made by a newer hwgen (network file version {version}); this one reads up to "
            f"{VERSION}"
        )
    graph, hashes = document.get("graph"), document.get("sha256")
    if not isinstance(graph, dict) or not isinstance(hashes, dict):
        raise ValueError("no graph in the network's metadata: cut or edited")
    if _graph_hash(graph) != hashes.get("graph"):
        raise ValueError("the graph is not the one that was written: edited after export")
    tensors = load_tensors(data)
    expected = hashes.get("tensors")
    expected = expected if isinstance(expected, dict) else {}
    for name in sorted(tensors.keys() | expected.keys()):
        if name not in tensors:
            raise ValueError(f"tensor {name!r} is missing: cut or edited")
        if _tensor_hash(tensors[name]) != expected.get(name):
            raise ValueError(
                f"tensor {name!r} is not the one that was written: edited after export"
            )
    try:
        checked = Graph.model_validate_json(json.dumps(graph), strict=True)
    except ValidationError as error:
        raise ValueError(_first_problem(error, graph)) from None
    network = Network(checked, tensors if version == 1 else unpack_weights(checked, tensors))
    check(network)
    return network


def _document(data: bytes) -> dict:
    """The JSON document in the metadata of safetensors bytes."""
    if len(data) < 8:
        raise ValueError(f"only {len(data)} bytes: not a network file, or cut")
    length = int.from_bytes(data[:8], "little")
    header = _object(data[8 : 8 + length], "no safetensors header: not a network file, or cut")
    metadata = header.pop("__metadata__", None)
    if isinstance(metadata, dict) and "hwgen-program" in metadata:
        raise ValueError("a compiled program; what is needed is the network it was compiled from")
    if not isinstance(metadata, dict) or _KEY not in metadata:
        raise ValueError("a safetensors file without a network (is it a checkpoint?)")
    try:
        expected = 8 + length + max((t["data_offsets"][1] for t in header.values()), default=0)
        if len(data) != expected:
            raise ValueError(f"it has {len(data)} bytes, its header says {expected}: cut or edited")
        load_tensors(data)
    except (SafetensorError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"its tensors are damaged ({error})") from None
    return _object(metadata[_KEY], "the network's metadata is damaged")


def _object(text: bytes | str, otherwise: str) -> dict:
    """The JSON object in ``text``; ValueError(``otherwise``) if it holds anything else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError, TypeError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(otherwise)
    return value


def _tensor_hash(array: np.ndarray) -> str:
    head = f"{array.dtype.str}{list(array.shape)}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


def _graph_hash(graph: dict) -> str:
    return hashlib.sha256(json.dumps(graph, sort_keys=True).encode()).hexdigest()


def _first_problem(error: ValidationError, graph: dict) -> str:
    """One line for the first of pydantic's problems, with the layer's name where there is one."""
    problem = error.errors()[0]
    place = [str(part) for part in problem["loc"]]
    if len(place) > 1 and place[0] == "layers" and place[1].isdigit():
        layer = graph["layers"][int(place[1])]
        name = layer.get("name") if isinstance(layer, dict) else None
        place = [f"layer {name!r}" if name else f"layer {place[1]}", *place[3:]]
    return f"{' '.join(place)}: {problem['msg']}"
