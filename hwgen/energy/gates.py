"""A netlist of standard cells, simulated for thousands of cycles at once: what switches."""

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np

from .function import Function, compiled
from .library import Cell

__all__ = ["Netlist", "Spent"]

PASSES = 64
"""How often the state is worked out at most: deeper than any pipeline here."""

STEPS = 1000
"""Gate delays in a cycle at most."""

CONSTANTS = {"0": False, "1": True, "x": False}


@dataclass(frozen=True)
class Gate:
    """A cell in the netlist, with the net of each pin."""

    name: str
    cell: Cell
    nets: dict[str, int | str]
    functions: dict[str, Function]

    @property
    def driven(self) -> list[int | str]:
        """The nets of its outputs."""
        return [self.nets[pin] for pin in self.cell.outputs if pin in self.nets]

    def evaluate(self, values) -> dict[int | str, np.ndarray]:
        """The nets that its outputs drive, from the values of those of its inputs."""
        pins = {pin: values[self.nets[pin]] for pin in self.cell.inputs if pin in self.nets}
        return {
            self.nets[pin]: np.broadcast_to(function(pins), values["0"].shape)
            for pin, function in self.functions.items()
            if pin in self.nets
        }


@dataclass(frozen=True)
class Spent:
    """pJ of each cycle.

    Attributes
    ----------
    settled : numpy.ndarray
        By transitions from one settled state to the next.
    glitches : numpy.ndarray
        By what switches in vain on the way, if every gate takes as long as any other.
    clock : float
        By the clock, in every cycle.
    leakage : float
        pW.
    """

    settled: np.ndarray
    glitches: np.ndarray
    clock: float
    leakage: float

    @property
    def dynamic(self) -> np.ndarray:
        """Of everything but the clock."""
        return self.settled + self.glitches


class Netlist:
    """A module of cells and flip-flops with one clock; sets and resets are taken to rest.

    Wires have no capacitance, and outputs of the module no load.

    Parameters
    ----------
    document
        What Yosys writes with ``write_json``; a single flat module.
    cells
        Of :func:`hwgen.energy.library.read_power`.
    volts
        Of the supply.
    clock
        Name of the clock's port.
    """

    def __init__(self, document: dict, cells: dict[str, Cell], volts: float, clock: str = "clk"):
        (module,) = (m for m in document["modules"].values() if m["cells"])
        self.inputs = {
            name: port["bits"]
            for name, port in module["ports"].items()
            if port["direction"] == "input" and name != clock
        }
        self.outputs = {
            name: port["bits"]
            for name, port in module["ports"].items()
            if port["direction"] == "output"
        }
        gates = [self._gate(name, made, cells) for name, made in module["cells"].items()]
        self.flip_flops = [gate for gate in gates if gate.cell.clock]
        self.gates = self._in_order([gate for gate in gates if not gate.cell.clock])
        self._volts = volts

    @staticmethod
    def _gate(name: str, made: dict, cells: dict[str, Cell]) -> Gate:
        cell = cells[made["type"].lstrip("\\")]
        nets = {pin: bits[0] for pin, bits in made["connections"].items() if bits}
        if cell.clock:
            return Gate(name, cell, nets, {"": compiled(cell.data)})
        return Gate(name, cell, nets, {pin: compiled(f) for pin, f in cell.outputs.items()})

    @staticmethod
    def _in_order(gates: list[Gate]) -> list[Gate]:
        drives = {
            g.nets[pin]: i for i, g in enumerate(gates) for pin in g.functions if pin in g.nets
        }
        needs = {
            i: {drives[net] for pin in g.cell.inputs if (net := g.nets.get(pin)) in drives}
            for i, g in enumerate(gates)
        }
        try:
            return [gates[i] for i in TopologicalSorter(needs).static_order()]
        except CycleError:
            raise ValueError("the netlist has a loop without a flip-flop") from None

    def settle(self, inputs: dict[str, np.ndarray]) -> dict[int | str, np.ndarray]:
        """The value of each net at the end of each cycle.

        Parameters
        ----------
        inputs
            For each port an array (cycle, bit), as the port has bits.
        """
        (cycles,) = {len(value) for value in inputs.values()}
        values: dict[int | str, np.ndarray] = {
            name: np.full(cycles, value) for name, value in CONSTANTS.items()
        }
        for name, bits in self.inputs.items():
            values |= {net: inputs[name][:, n].astype(bool) for n, net in enumerate(bits)}
        for flip_flop in self.flip_flops:
            values |= self._stored(flip_flop, np.zeros(cycles, bool))
        # What a flip-flop stores is what its input was a cycle before: each pass knows one
        # pipeline stage more.
        for _ in range(PASSES):
            for gate in self.gates:
                values |= gate.evaluate(values)
            changed = False
            for flip_flop in self.flip_flops:
                cell = flip_flop.cell
                pins = {p: values[flip_flop.nets[p]] for p in cell.inputs if p != cell.clock}
                following = np.broadcast_to(flip_flop.functions[""](pins), cycles)
                stored = np.concatenate(([False], following[:-1]))
                for net, value in self._stored(flip_flop, stored).items():
                    changed |= not np.array_equal(values[net], value)
                    values[net] = value
            if not changed:
                return values
        raise ValueError(f"the state is not known after {PASSES} passes")

    @staticmethod
    def _stored(flip_flop: Gate, state: np.ndarray) -> dict[int | str, np.ndarray]:
        _, inverted = flip_flop.cell.state
        return {
            flip_flop.nets[pin]: ~state if function == inverted else state
            for pin, function in flip_flop.cell.outputs.items()
            if pin in flip_flop.nets
        }

    def _transition_costs(self) -> dict[int | str, float]:
        """pJ of a transition of each net: its load, its driver and those who listen."""
        loads: dict[int | str, float] = {}
        passive: dict[int | str, float] = {}
        for gate in [*self.gates, *self.flip_flops]:
            for pin, farads in gate.cell.inputs.items():
                net = gate.nets.get(pin)
                loads[net] = loads.get(net, 0.0) + farads
                passive[net] = passive.get(net, 0.0) + gate.cell.passive[pin]
        costs = {net: load * self._volts**2 / 2 + passive[net] for net, load in loads.items()}
        for gate in [*self.gates, *self.flip_flops]:
            for pin, edge in gate.cell.driven.items():
                if pin in gate.nets:
                    net = gate.nets[pin]
                    costs[net] = costs.get(net, 0.0) + edge.at(loads.get(net, 0.0))
        return costs

    def _clock_cost(self) -> float:
        """pJ a cycle: two transitions at each clock pin."""
        return sum(
            2 * ff.cell.passive[ff.cell.clock] + ff.cell.inputs[ff.cell.clock] * self._volts**2
            for ff in self.flip_flops
        )

    def spend(self, inputs: dict[str, np.ndarray], *, glitches: bool = True) -> Spent:
        """What the cycles take that follow the first, which only sets the state."""
        values = self.settle(inputs)
        costs = self._transition_costs()
        cycles = len(values["0"])
        changing = {net: value for net, value in values.items() if net not in CONSTANTS}
        settled = np.zeros(cycles - 1)
        for net, value in changing.items():
            settled += costs.get(net, 0.0) * (value[1:] != value[:-1])
        leakage = sum(gate.cell.leakage for gate in [*self.gates, *self.flip_flops])
        extra = self._unsettled(values, costs) - settled if glitches else np.zeros_like(settled)
        return Spent(settled, extra, self._clock_cost(), leakage)

    def _unsettled(self, values, costs) -> np.ndarray:
        """Like ``settled``, of all transitions: inputs and flip-flops switch, then each gate takes
        one step.
        """
        constant = {name: values[name][1:] for name in CONSTANTS}
        now = {net: value[:-1] for net, value in values.items()} | constant
        spent = np.zeros(len(values["0"]) - 1)
        driven = {
            gate.nets[pin] for gate in self.gates for pin in gate.functions if pin in gate.nets
        }
        new = {net: value[1:] for net, value in values.items() if net not in driven}
        for _ in range(STEPS):
            active = {}
            for net, value in new.items():
                differs = value != now[net]
                if differs.any():
                    spent += costs.get(net, 0.0) * differs
                    active[net] = value
            if not active:
                return spent
            now |= active
            new = {}
            for gate in self.gates:
                if any(net in active for net in gate.nets.values()):
                    new |= gate.evaluate(now)
        raise ValueError(f"the netlist still switches after {STEPS} gate delays")
