#!/usr/bin/env python3
"""Cycle-approximate study of the elastic array on real gate masks, before it is built.

    python study.py MASKS.npz [--images 8] [--table NAME] [--check]

MASKS.npz holds boolean arrays (image, channel, y, x): the gate decisions of 3x3 layers, stride 1,
base pass on one eighth of as many input channels as there are output channels. Images from 32 on
only profile the channels.

The machine: G clusters, positions dealt interleaved; a cluster is a chain of c/D groups; a group is
D engines in lockstep with one queue of Q vectors and one list of task rows of D tasks. A chunk is
one tap of R = 8 input channels; its weights are broadcast to all clusters and double buffered. The
conditional pass is simulated cycle by cycle (chain registers, queues, bank conflicts, weight
loader); it repeats the same lists for every chunk, so 13 or 18 chunks are simulated and the rest
extrapolated from the last nine (--check simulates all of them). The base pass is the same machine
with constant work, every group Veff cycles a vector: it is counted in closed form (--check
simulates that too). Tiles are separated by barriers, which is slightly pessimistic.

"reached" is the ideal over the counted cycles, ideal = dense * (1/8 + 7/8 * density), dense = the
same machine, the same tiles, no gate. Neither side counts the drain after the last tile of a layer,
except in the columns "+tail".
"""

import argparse
import time
from dataclasses import dataclass, replace
from math import ceil, log2

import numpy as np

LANES_R = 8  # input channels of a chunk
TAPS = 9
SLOTS_V = 16  # channels an engine can hold
PIPELINE = 6  # cycles before a sum may be read again
TURN = 8  # bubble between two passes: pipeline drained, decisions visible to the index decoder
WARM = 4  # chunks before the pace is steady
WARM_RASTER = 9  # clusters that drift into each other's banks take longer
PROFILE_FROM = 32


@dataclass(frozen=True)
class Machine:
    """One point of the design space.

    Parameters
    ----------
    clusters, engines, group : int
        G, c and D.
    rows : int
        Rows of one accumulator bank of a group, a row is D sums.
    queue : int
        Q, vectors a group can hold.
    straddle : int
        Positions whose tasks may share a row. 0: no limit, and an unlimited queue (an upper bound).
    bus : int
        Bytes of weights broadcast in a cycle; 0: weights are never late.
    deal : str
        Cluster of a position: ``raster`` (raster index mod G), ``diagonal`` (x+y mod G), ``knight``
        (x+2y mod G), ``pairs`` (raster index // 2 mod G), ``quarters`` (contiguous parts of the
        tile).
    bank : str
        Bank of an activation vector: ``linear`` (address mod G), ``diagonal`` (x+y mod G), ``none``
        (no conflicts).
    assign : str
        Channels to groups: ``profile``, ``robin``, ``contiguous``, ``shuffle``, ``oracle``.
    skip_idle : bool
        The loader skips channels that have no task in the whole tile.
    lanes : int
        Requantizers of a cluster.
    hand : str
        Only with D = 1. The gate hands a task to the next engine of the ring, which holds the
        weights of its predecessor too, when that engine's list is shorter: ``free`` always,
        ``strict`` only if the next engine has no task of its own in that cycle (a list then grows
        by at most one a cycle and never beyond the rows). ``open``: strict, but the last engine has
        no next. Empty: tasks stay.
    """

    clusters: int = 4
    engines: int = 8
    group: int = 4
    rows: int = 256
    queue: int = 4
    straddle: int = 2
    bus: int = 32
    deal: str = "diagonal"
    bank: str = "linear"
    assign: str = "robin"
    skip_idle: bool = False
    lanes: int = 1
    hand: str = ""

    @property
    def chain(self) -> int:
        """Groups of a cluster."""
        return self.engines // self.group

    def slots(self, channels: int) -> int:
        """Veff: channels an engine serves when ``channels`` are spread over the chain."""
        return min(SLOTS_V, ceil(channels / self.engines))

    def name(self) -> str:
        return f"({self.clusters},{self.engines},{self.group})"


@dataclass
class Tile:
    """The part of a layer between two barriers, reduced to what the model needs."""

    counts: np.ndarray  # (G, P, J) tasks of a group at a position
    banks: np.ndarray  # (G, P, taps) bank, or -1 where the vector is padding
    load: int  # cycles to load the weights of a chunk in the conditional pass
    base_rows: int  # P * Veff: cycles of a chunk in the base pass
    outputs: float  # the same if the positions divided evenly by G
    chunks: int  # all chunks of the layer
    finished: np.ndarray  # (G,) sums the gate finished
    ideal: float  # conditional cycles of a chunk if every engine were always busy
    layer: str = ""
    last: bool = False  # last tile of a layer run: its tasks drain with nothing to hide behind


# ------------------------------------------------------------------------------------------ dealing


def deal_channels(machine: Machine, profile: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Group of each channel of a block."""
    channels, groups = len(profile), machine.chain
    capacity = ceil(channels / groups)
    if machine.assign == "robin":
        return np.arange(channels) % groups
    if machine.assign == "contiguous":
        return np.arange(channels) // capacity
    if machine.assign == "shuffle":
        return np.random.default_rng(1).permutation(channels) % groups
    weight = exact if machine.assign == "oracle" else profile
    owner, load, room = np.zeros(channels, int), np.zeros(groups), np.full(groups, capacity)
    for channel in np.argsort(-weight, kind="stable"):
        target = min((g for g in range(groups) if room[g]), key=lambda g: load[g])
        owner[channel] = target
        load[target] += weight[channel]
        room[target] -= 1
    return owner


def hand_over(machine: Machine, fired: np.ndarray) -> np.ndarray:
    """Tasks (G, P, engines) of each engine at each position for decisions (G, P, engines, Veff)."""
    clusters, positions, engines, slots = fired.shape
    length = np.zeros((clusters, engines), np.int32)
    counts = np.zeros((clusters, positions, engines), np.int32)
    for p in range(positions):
        for v in range(slots):
            now = fired[:, p, :, v]
            moves = now & (np.roll(length, -1, 1) < length)
            if machine.hand != "free":
                moves &= ~np.roll(now, -1, 1)
            if machine.hand == "open":
                moves[:, -1] = False
            arrives = (now & ~moves) + np.roll(moves, 1, 1).astype(np.int32)
            length += arrives
            counts[:, p] += arrives
    return counts


def deal_positions(machine: Machine, image, y, x, width: int) -> np.ndarray:
    """Cluster of each position of a tile."""
    g = machine.clusters
    raster = y * width + x
    return {
        "raster": raster % g,
        "diagonal": (x + y + image) % g,
        "knight": (x + 2 * y + image) % g,
        "pairs": (raster // 2) % g,
        "quarters": np.arange(len(x)) * g // len(x),
    }[machine.deal]


def bank_of(machine: Machine, y, x, height: int, width: int) -> np.ndarray:
    """Bank of each vector of a 3x3 window, -1 for padding."""
    banks = []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            yy, xx = y + dy, x + dx
            inside = (yy >= 0) & (yy < height) & (xx >= 0) & (xx < width)
            place = xx + yy if machine.bank == "diagonal" else yy * width + xx
            used = inside & (machine.bank != "none")
            banks.append(np.where(used, place % machine.clusters, -1))
    return np.stack(banks, 1)


def padded(rows: np.ndarray, length: int) -> np.ndarray:
    """Append rows of zeros (positions without tasks) up to ``length``."""
    return np.concatenate([rows, np.zeros((length - len(rows), *rows.shape[1:]), rows.dtype)])


def tiles_of(machine: Machine, name: str, masks: np.ndarray, images: int, batch: int) -> list[Tile]:
    """Cut one layer, run on ``images`` images in batches, into tiles."""
    channels, height, width = masks.shape[1:]
    slots = machine.slots(channels)
    block = min(channels, machine.engines * slots)
    per_tile = machine.rows // slots * machine.clusters
    profile = masks[PROFILE_FROM:].mean(axis=(0, 2, 3))
    tiles = []
    for first_image in range(0, images, batch):
        part = masks[first_image : first_image + batch]
        exact = part.mean(axis=(0, 2, 3))
        fired = part.transpose(0, 2, 3, 1).reshape(
            -1, channels
        )  # (positions of the batch, channels)
        image, y, x = (a.ravel() for a in np.indices((len(part), height, width)))
        for first in range(0, channels, block):
            owner = deal_channels(
                machine, profile[first : first + block], exact[first : first + block]
            )
            member = np.eye(machine.chain, dtype=np.int32)[owner]  # (block, J)
            for start in range(0, len(fired), per_tile):
                here = slice(start, start + per_tile)
                mask = fired[here, first : first + block]
                cluster = deal_positions(machine, image[here], y[here], x[here], width)
                order = [np.flatnonzero(cluster == g) for g in range(machine.clusters)]
                share = max(map(len, order))
                if machine.hand:
                    fired_by = np.zeros((len(mask), machine.engines, slots), bool)
                    for engine in range(machine.engines):
                        own = np.flatnonzero(owner == engine)
                        fired_by[:, engine, : len(own)] = mask[:, own]
                    by_cluster = np.stack([padded(fired_by[o], share) for o in order])
                    counts = hand_over(machine, by_cluster)
                else:
                    counts = mask.astype(np.int32) @ member
                    counts = np.stack([padded(counts[o], share) for o in order])
                banks = bank_of(machine, y[here], x[here], height, width)
                active = int(mask.any(0).sum()) if machine.skip_idle else machine.engines * slots
                tiles.append(
                    Tile(
                        counts=counts,
                        banks=np.stack([padded(banks[o], share) for o in order]),
                        load=ceil(active * LANES_R / machine.bus) if machine.bus else 0,
                        base_rows=share * slots,
                        outputs=mask.size / (machine.clusters * machine.engines),
                        chunks=ceil(channels / LANES_R) * TAPS,
                        finished=np.array([(~mask[o]).sum() for o in order]),
                        ideal=mask.sum() / (machine.clusters * machine.engines),
                        layer=name,
                        last=start + per_tile >= len(fired) and first + block >= channels,
                    )
                )
    return tiles


def pack(
    counts: np.ndarray, width: int, straddle: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pack tasks into rows as the gate does, for many lists at once.

    ``counts``: (lists, positions). Returns the number of rows of each list and, for each row, how
    many vectors of the chunk must have arrived before it and how many are done with after it.
    """
    lists, positions = counts.shape
    row, fill, sharing = (np.zeros(lists, np.int32) for _ in range(3))
    starts, ends = np.zeros((2, lists, positions), np.int32)
    for p in range(positions):
        k = counts[:, p]
        some = k > 0
        joins = (fill > 0) & (fill < width) & ((sharing < straddle) | (straddle == 0))
        opens = some & (fill > 0) & ~joins
        row, fill, sharing = row + opens, np.where(opens, 0, fill), np.where(opens, 0, sharing)
        end = row + np.where(some, (fill + k - 1) // width, 0)
        starts[:, p], ends[:, p] = row, end
        fill = np.where(some, fill + k - width * (end - row), fill)
        sharing = np.where(some, np.where(end == row, sharing + 1, 1), sharing)
        row = end
    rows = row + (fill > 0)
    length = max(int(rows.max(initial=0)), PIPELINE)
    need, done = np.zeros((2, lists, length), np.int32)
    which, where = np.nonzero(counts)
    np.add.at(need, (which, starts[which, where]), 1)
    np.add.at(done, (which, ends[which, where]), 1)
    return rows, need.cumsum(1), done.cumsum(1)


# --------------------------------------------------------------------------------------- simulation


@dataclass
class Lists:
    """Tiles of one chain shape, packed and padded to a common size: the input of the simulator."""

    rows: np.ndarray  # (N, G, J) rows to walk a chunk
    need: np.ndarray  # (N, G, J, rows)
    done: np.ndarray  # (N, G, J, rows)
    total: np.ndarray  # (N, G, J) vectors a group takes a chunk
    vectors: np.ndarray  # (N, G) vectors sent a chunk
    want: np.ndarray  # (N, G, T, J)
    banks: np.ndarray  # (N, G, T, taps)
    load: np.ndarray  # (N,)


def lists_of(machine: Machine, tiles: list[Tile]) -> Lists:
    """Pack tiles that have the same number of positions."""
    counts = np.stack([t.counts for t in tiles])  # (N, G, P, J)
    n, g, p, j = counts.shape
    rows, need, done = pack(
        counts.transpose(0, 1, 3, 2).reshape(-1, p), machine.group, machine.straddle
    )
    sent = counts.any(3)
    order = np.argsort(~sent, axis=2, kind="stable")  # positions with tasks first, in order
    return Lists(
        rows=rows.reshape(n, g, j),
        need=need.reshape(n, g, j, -1),
        done=done.reshape(n, g, j, -1),
        total=(counts > 0).sum(2).astype(np.int32),
        vectors=sent.sum(2).astype(np.int32),
        want=np.take_along_axis(counts > 0, order[..., None], 2),
        banks=np.take_along_axis(np.stack([t.banks for t in tiles]), order[..., None], 2).astype(
            np.int32
        ),
        load=np.array([t.load for t in tiles]),
    )


def simulate(lists: Lists, queue: int, chunks: int) -> np.ndarray:
    """Cycle at which every group of a tile has left chunk i: (N, chunks).

    A row takes a cycle and waits for its vectors and for the weights of its chunk. A vector moves a
    stage a cycle if the queue of the group it leaves has room, or that group has no task for it.
    All decisions use the state at the start of the cycle, except that a stage may fill in the cycle
    it empties.
    """
    n, g, j, length = lists.need.shape
    t = lists.want.shape[2]
    rows = np.maximum(lists.rows, PIPELINE)  # a shorter list waits for its own sums
    total, need, done = lists.total, lists.need.ravel(), lists.done.ravel()
    list_at = (np.arange(n * g * j) * length).reshape(n, g, j).astype(np.int32)
    want = lists.want.ravel()
    want_at = (np.arange(n * g) * t * j).reshape(n, g).astype(np.int32)
    bank, bank_at = (
        lists.banks.ravel(),
        (np.arange(n * g) * t * TAPS).reshape(n, g).astype(np.int32),
    )
    taken_by = np.arange(n)

    pushed, popped, chunk, row = np.zeros((4, n, g, j), np.int32)
    chunk_need = np.zeros((n, g, j), np.int32)  # chunk * total
    stage, valid = np.zeros((n, g, j), np.int32), np.zeros((n, g, j), bool)
    source_chunk, source = np.zeros((2, n, g), np.int32)
    loaded, left = np.ones(n, np.int32), np.zeros(n, np.int32)
    finish = np.zeros((n, chunks), np.int32)
    cycle, oldest = 0, np.zeros(n, np.int32)
    source_chunk[lists.vectors == 0] = chunks
    while oldest.min() < chunks:
        cycle += 1
        room = pushed - popped < queue
        at = list_at + row
        run = (pushed >= chunk_need + need[at]) & (chunk < loaded[:, None, None])
        popped = np.where(run, chunk_need + done[at], popped)

        next_free = np.ones((n, g), bool)
        for s in range(j - 1, -1, -1):
            wanted = want[want_at + stage[:, :, s] * j + s]
            go = valid[:, :, s] & next_free & (room[:, :, s] | ~wanted)
            pushed[:, :, s] += go & wanted
            if s + 1 < j:
                stage[:, :, s + 1] = np.where(go, stage[:, :, s], stage[:, :, s + 1])
                valid[:, :, s + 1] |= go
            valid[:, :, s] &= ~go
            next_free = ~valid[:, :, s]

        asks = next_free & (source_chunk < chunks)
        wants_bank = bank[bank_at + source * TAPS + source_chunk % TAPS]
        taken = np.zeros((n, g + 1), bool)
        for turn in range(g):
            who = (cycle + turn) % g
            b = wants_bank[:, who]
            grant = asks[:, who] & ~(taken[taken_by, b] & (b >= 0))
            taken[taken_by, b] |= grant
            asks[:, who] = grant
        stage[:, :, 0] = np.where(asks, source, stage[:, :, 0])
        valid[:, :, 0] |= asks
        source += asks
        wraps = source == lists.vectors
        source_chunk += wraps & asks
        source[wraps] = 0

        row += run
        ends = run & (row == rows)
        if ends.any():
            row[ends] = 0
            chunk += ends
            chunk_need += np.where(ends, total, 0)
            now = chunk.min((1, 2))
            for i in np.flatnonzero(now > oldest):
                finish[i, oldest[i] : now[i]] = cycle
            oldest = now
        busy = left > 0
        left -= busy
        loaded += busy & (left == 0)
        starts = (left == 0) & (oldest >= loaded - 1)
        loaded += starts & (lists.load == 0)  # never late, but still two buffers
        left = np.where(starts, lists.load, left)
    return finish


# ------------------------------------------------------------------------------------------ results


@dataclass
class Result:
    """Sums over the tiles of one layer, in cycles."""

    counted: float = 0
    dense: float = 0
    tail: float = 0  # drain after the last tile of each run
    dense_tail: float = 0
    drain_stall: float = 0
    chunk_cycles: float = 0  # conditional, per chunk, summed over tiles
    ideal: float = 0  # the same, every engine always busy
    packed: float = 0  # … if rows were shared out evenly to groups
    grouped: float = 0  # … busiest group of each cluster, mean of clusters
    clustered: float = 0  # … busiest group of all
    loaded: float = 0  # … or the weight load where that is longer
    work: float = 0  # … of the base pass, every engine always busy
    longest: float = 0  # longest list of a group, as a part of its rows

    def reached(self, tail: bool = False) -> float:
        density = self.ideal / self.work
        dense = self.dense + tail * self.dense_tail
        return dense * (1 / 8 + 7 / 8 * density) / (self.counted + tail * self.tail)


def evaluate(
    machine: Machine, data: dict, images: int, batch: int, all_chunks: bool = False
) -> dict[str, Result]:
    """Cycles of every layer on one machine."""
    by_size: dict[tuple, list[Tile]] = {}
    for name, masks in data.items():
        for tile in tiles_of(machine, name, masks, images, batch):
            by_size.setdefault((tile.counts.shape[1], tile.chunks if all_chunks else 0), []).append(
                tile
            )
    results = {name: Result() for name in data}
    queue = machine.queue if machine.straddle else 1 << 20
    warm = WARM_RASTER if machine.deal == "raster" else WARM
    for tiles in by_size.values():
        lists = lists_of(machine, tiles)
        finish = simulate(lists, queue, tiles[0].chunks * 7 // 8 if all_chunks else warm + TAPS)
        for i, tile in enumerate(tiles):
            base_chunks = tile.chunks // 8
            conditional_chunks = tile.chunks - base_chunks
            period = (finish[i, -1] - finish[i, warm - 1]) / (finish.shape[1] - warm)
            conditional = finish[i, warm - 1] + period * (conditional_chunks - warm)
            fill = machine.chain + TURN
            tasks = tile.counts.sum((1, 2))
            waits = max(0, tile.finished.max() / machine.lanes - conditional)
            waits += max(0, tasks.max() / machine.lanes - (base_chunks - 1) * tile.base_rows)
            r = results[tile.layer]
            r.counted += base_chunks * tile.base_rows + conditional + 2 * fill + waits
            r.dense += tile.chunks * tile.base_rows + fill
            r.drain_stall += waits
            r.tail += tile.last * tasks.max() / machine.lanes
            r.dense_tail += tile.last * tile.base_rows * machine.engines / machine.lanes
            r.chunk_cycles += period
            r.ideal += tile.ideal
            r.work += tile.outputs
            rows = lists.rows[i]
            r.packed += rows.mean()
            r.grouped += rows.max(1).mean()
            r.clustered += rows.max()
            r.longest = max(r.longest, rows.max() / machine.rows)
            r.loaded += max(rows.max(), tile.load)
    return results


def mean_reached(results: dict[str, Result], tail: bool = False) -> float:
    return float(np.mean([r.reached(tail) for r in results.values()]))


def bits(machine: Machine, tags: bool) -> dict[str, int]:
    """Memory bits of the array, without the activation banks.

    A tag is channel, operand select of a lane; a row adds how many positions end with it. A mask is
    a bit an output, two with the ring (decision, and which of two engines a task came from), from
    which the rows are made again for every chunk.
    """
    engines = machine.clusters * machine.engines
    groups = engines // machine.group
    served = machine.group * (2 if machine.hand else 1)  # engines whose channels an engine knows
    tag = machine.group * (ceil(log2(served * SLOTS_V)) + 1) + 2
    mask = 2 if machine.hand else 1
    return {
        "sums": engines * machine.rows * 32 * 2,
        "weights": engines * served * SLOTS_V * LANES_R * 8 * 2,
        "queues": groups * machine.queue * LANES_R * 8,
        "lists": groups * machine.rows * tag if tags else engines * machine.rows * mask,
    }


# ------------------------------------------------------------------------------------------- tables

SHAPES = [(4, 8, 1), (4, 8, 2), (4, 8, 4), (4, 8, 8), (8, 4, 2), (8, 4, 4), (2, 16, 4)]


class Study:
    """The data, and the tables that are printed from it."""

    def __init__(self, data: dict[str, np.ndarray], images: int):
        self.data, self.images = data, images

    def reached(self, machine: Machine, batch: int = 1, data: dict | None = None) -> float:
        return mean_reached(evaluate(machine, data or self.data, self.images, batch))

    def shapes(self):
        """Shape and rows; Q = 4, two positions a row, diagonal dealing, 32 B of weights a cycle."""
        plain = ("raster, 16 B, batch 1", "raster, 16 B, batch 4")
        head(self.shapes, "(G,c,D)", "rows", "batch 1", "batch 4", "16x16", "8x8", *plain)
        for shape in SHAPES:
            for rows in (128, 256, 512, 1024) if shape == (4, 8, 4) else (256, 512, 1024):
                machine = Machine(*shape, rows=rows)
                raster = replace(machine, deal="raster", bus=16, assign="profile")
                results = evaluate(machine, self.data, self.images, 1)
                sizes: dict[int, list[float]] = {16: [], 8: []}
                for layer, result in results.items():
                    sizes[self.data[layer].shape[2]].append(result.reached())
                four = self.reached(machine, 4)
                old = [self.reached(raster, b) for b in (1, 4)] if rows == 512 else ["", ""]
                by_size = (float(np.mean(v)) for v in sizes.values())
                line(machine.name(), rows, mean_reached(results), four, *by_size, *old)

    def queues(self):
        """Q, batch 1, 256 rows."""
        depths = (2, 3, 4, 8, 16)
        head(self.queues, "(G,c,D)", *(f"Q={q}" for q in depths))
        for shape in SHAPES:
            machine = Machine(*shape)
            line(machine.name(), *(self.reached(replace(machine, queue=q)) for q in depths))

    def ring(self):
        """D = 1, but the gate may hand a task to the next engine of a ring (batch 1)."""
        head(self.ring, "hand-over", "Q=2", "Q=3", "Q=4", "Q=8")
        for hand in ("", "open", "strict", "free"):
            machine = Machine(group=1, hand=hand)
            reached = (self.reached(replace(machine, queue=q)) for q in (2, 3, 4, 8))
            line(hand or "none", *reached)
        head(self.ring, "strict: (G,c)", "rows", "batch 1", "batch 4", "batch 1, raster, 16 B")
        for clusters, engines, rows in ((4, 8, 256), (4, 8, 512), (8, 4, 256), (2, 16, 256)):
            machine = Machine(clusters, engines, 1, rows, hand="strict")
            raster = replace(machine, deal="raster", bus=16)
            cells = self.reached(machine), self.reached(machine, 4), self.reached(raster)
            line((clusters, engines), rows, *cells)

    def rows_shared(self):
        """Positions that may share a row (any: unlimited queue, a bound); batch 1, 256 rows."""
        head(self.rows_shared, "(G,c,D)", "1", "2", "3", "any")
        for group in (2, 4, 8):
            machine = Machine(group=group)
            variants = (replace(machine, straddle=s) for s in (1, 2, 3, 0))
            line(machine.name(), *map(self.reached, variants))

    def positions(self):
        """Positions to clusters, vectors to banks; (4,8,4), batch 1. 14, 7: cropped masks."""
        size = {name: masks.shape[2] * 7 // 8 for name, masks in self.data.items()}
        crop = {name: self.data[name][:, :, :n, :n] for name, n in size.items()}
        head(self.positions, "dealing", "linear", "diagonal", "none", "14, 7 linear", "14, 7 none")
        for deal in ("raster", "diagonal", "knight", "pairs", "quarters"):
            machine = Machine(deal=deal)
            line(
                deal,
                *(self.reached(replace(machine, bank=b)) for b in ("linear", "diagonal", "none")),
                *(self.reached(replace(machine, bank=b), data=crop) for b in ("linear", "none")),
            )

    def channels(self):
        """Channels to groups, batch 1, 256 rows."""
        ways = ("robin", "contiguous", "shuffle", "profile", "oracle")
        head(self.channels, "(G,c,D)", *ways)
        for group in (1, 2, 4):
            machine = Machine(group=group)
            line(machine.name(), *(self.reached(replace(machine, assign=w)) for w in ways))

    def weights(self):
        """Bytes of weights a cycle against density (masks thinned or joined); (4,8,4), 256 rows."""
        widths = (8, 16, 24, 32, 64, 0)
        columns = (f"{w} B" if w else "never late" for w in widths)
        head(self.weights, "layers", "density", "batch", *columns)
        rng = np.random.default_rng(2)
        small = {k: m for k, m in self.data.items() if m.shape[2] == 8}
        large = {k: m for k, m in self.data.items() if m.shape[2] == 16}
        for label, layers, factor, batch in (
            ("8x8", small, 0.25, 1),
            ("8x8", small, 0.5, 1),
            ("8x8", small, 1, 1),
            ("8x8", small, 2, 1),
            ("8x8, 512 rows", small, 1, 4),
            ("16x16", large, 0.5, 1),
            ("16x16", large, 1, 1),
        ):
            if factor > 1:
                data = {k: m | np.roll(m, 1, axis=0) for k, m in layers.items()}
            else:
                data = {k: m & (rng.random(m.shape) < factor) for k, m in layers.items()}
            density = float(np.mean([m[: self.images].mean() for m in data.values()]))
            machine = Machine(rows=512 if batch > 1 else 256)
            reached = (self.reached(replace(machine, bus=w), batch, data) for w in widths)
            line(label, density, batch, *reached)
        skipped = self.reached(Machine(bus=16, skip_idle=True), data=small)
        print(f"16 B, 8x8, channels without any task in the tile not loaded: {skipped:.3f}")

    def limits(self):
        """What limits: conditional / dense cycles of a chunk, each step adds one cause; batch 1."""
        causes = ("all busy", "rows", "+groups", "+clusters", "+weights", "simulated")
        rest = ("reached", "+tail", "tail/layer", "longest list")
        head(self.limits, "machine", "layer", *causes, *rest)
        machines = {
            "D=4, raster, 16 B, 512 rows": Machine(deal="raster", bus=16, rows=512),
            "D=4": Machine(),
            "D=2": Machine(group=2),
            "ring": Machine(group=1, hand="strict"),
        }
        stalls = 0.0
        for label, machine in machines.items():
            for layer, r in evaluate(machine, self.data, self.images, 1).items():
                steps = (r.ideal, r.packed, r.grouped, r.clustered, r.loaded, r.chunk_cycles)
                shares = (s / r.work for s in steps)
                tail = r.tail / r.counted
                line(label, layer, *shares, r.reached(), r.reached(True), tail, r.longest)
                stalls += r.drain_stall
        print(f"cycles in which a pass waits for the drain of another: {stalls:.0f}")

    def memories(self):
        """Memory in kbit, no activations; extra over sums and weights of the array without gate."""
        stores = ("sums", "weights", "queues", "tags", "bits/output", "masks", "bits/output")
        head(self.memories, "(G,c,D)", "rows", *stores, "extra, tags", "extra, masks")
        grouped = [Machine(group=d) for d in (1, 2, 4, 8)]
        for machine in (Machine(group=1, hand="strict"), *grouped):
            for rows in (256, 512):
                sized = replace(machine, rows=rows)
                plain = bits(replace(sized, group=1, hand=""), tags=False)
                base = plain["sums"] + plain["weights"]
                kinds = [bits(sized, tags=t) for t in (True, False)]
                cells = [f"{kinds[0][k] / 1024:.0f}" for k in ("sums", "weights", "queues")]
                for kind in kinds:
                    per_output = kind["lists"] / (sized.clusters * sized.engines * rows)
                    cells += [f"{kind['lists'] / 1024:.0f}", f"{per_output:.2f}"]
                for kind in kinds:
                    extra = sum(kind.values()) - base
                    cells.append(f"{extra / 1024:.0f} ({extra / base:.0%})")
                line(machine.name() + (" ring" if machine.hand else ""), rows, *cells)


def head(table, *columns: str):
    print(f"\n### {table.__doc__}\n\n|", " | ".join(columns), "|")
    print("|" + "---|" * len(columns))


def line(*cells):
    texts = (f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells)
    print("|", " | ".join(texts), "|", flush=True)


def check(data: dict[str, np.ndarray], images: int):
    """What the tables take for granted, simulated in full."""
    ones = {name: np.ones_like(masks) for name, masks in data.items()}
    ring = Machine(group=1, hand="strict")
    for machine in (Machine(), ring, Machine(clusters=8, engines=4), Machine(deal="raster")):
        for result in evaluate(machine, ones, 1, 1).values():
            if result.chunk_cycles != result.work:
                taken, due = result.chunk_cycles, result.work
                raise AssertionError(f"{machine}: a dense chunk takes {taken}, not {due} cycles")
        runs = [evaluate(machine, data, images, 1, all_chunks=a) for a in (False, True)]
        short, whole = map(mean_reached, runs)
        result = f"{machine.name()}: extrapolated {short:.4f}, all chunks {whole:.4f}"
        if abs(short - whole) > 0.005:
            raise AssertionError(result)
        print(f"dense exact; {result}")
    for name, masks in (*data.items(), *ones.items()):
        kept, moved = (tiles_of(m, name, masks, 2, 1) for m in (replace(ring, hand=""), ring))
        for before, after in zip(kept, moved, strict=True):
            if (before.counts.sum((1, 2)) != after.counts.sum((1, 2))).any():
                raise AssertionError(f"{name}: the ring loses tasks")
            if after.counts.sum(1).max() > after.base_rows:
                raise AssertionError(f"{name}: a list of the ring overflows")
    print("ring: nothing lost, no list longer than the rows")
    counts = np.random.default_rng(3).integers(0, 9, (64, 40)).astype(np.int32)
    for width in (1, 2, 4, 8):
        for straddle in (1, 2, 3, 0):
            rows, need, done = pack(counts, width, straddle)
            for i, list_counts in enumerate(counts):
                if (rows[i], need[i][: rows[i]].tolist()) != pack_slowly(
                    list_counts, width, straddle
                ):
                    raise AssertionError(f"pack: list {i}, width {width}, straddle {straddle}")
                if done[i, -1] != (list_counts > 0).sum():
                    raise AssertionError(f"pack: list {i} does not finish its vectors")
    print("packing equals the scalar rule")


def pack_slowly(counts: np.ndarray, width: int, straddle: int) -> tuple[int, list[int]]:
    """The packing rule, task by task: rows, and the vectors needed by each."""
    rows: list[list[int]] = []
    bearing = 0
    for k in counts:
        if not k:
            continue
        bearing += 1
        for _ in range(k):
            others = set(rows[-1]) - {bearing} if rows else set()
            if not rows or len(rows[-1]) == width or (straddle and len(others) >= straddle):
                rows.append([])
            rows[-1].append(bearing)
    return len(rows), [max(r) for r in rows]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    tables = [
        "shapes",
        "queues",
        "ring",
        "rows_shared",
        "positions",
        "channels",
        "weights",
        "limits",
        "memories",
    ]
    parser.add_argument("masks", help="NPZ file of boolean arrays (image, channel, y, x)")
    parser.add_argument(
        "--images", type=int, default=8, help="images a layer is run on (a multiple of 4)"
    )
    parser.add_argument(
        "--table", choices=tables, action="append", help="print only this table (repeatable)"
    )
    parser.add_argument(
        "--check", action="store_true", help="check the model against itself and stop"
    )
    arguments = parser.parse_args()
    with np.load(arguments.masks) as archive:
        data = {name: archive[name] for name in archive.files}
    start = time.perf_counter()
    if arguments.check:
        check(data, arguments.images)
    else:
        study = Study(data, arguments.images)
        for table in arguments.table or tables:
            getattr(study, table)()
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
