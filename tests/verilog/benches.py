"""Running emitted Verilog on the stimuli that Amaranth's simulator got, and comparing each
cycle."""

import random
import subprocess
from pathlib import Path

from amaranth.hdl import ValueCastable
from amaranth.lib import wiring
from amaranth.sim import Simulator

from hwgen import tools
from hwgen.verilog import emit
from hwgen.verilog.names import Namespace

CYCLES = 300


def ports(design: wiring.Component) -> list[tuple[str, object, bool]]:
    """Emitted name, signal and whether it is an input, of each port."""
    names = Namespace(["clk", "rst"])
    found = []
    for path, member, value in design.signature.flatten(design):
        value = value.as_value() if isinstance(value, ValueCastable) else value
        found.append((names.add("_".join(map(str, path))), value, member.flow == wiring.In))
    return found


def stimuli(design: wiring.Component, seed: int) -> list[list[int]]:
    """Random inputs, with many zeros and ones among them."""
    generator = random.Random(seed)
    widths = [len(value) for _name, value, is_input in ports(design) if is_input]

    def word(width: int) -> int:
        kind = generator.randrange(6)
        if kind < 2:
            return (2**width - 1) * kind
        return generator.getrandbits(width)

    return [[word(width) for width in widths] for _cycle in range(CYCLES)]


def expected(design: wiring.Component, inputs: list[list[int]]) -> list[list[int]]:
    """Outputs of each cycle in Amaranth's simulator, as bits."""
    members = ports(design)
    outputs = []

    async def bench(ctx):
        for words in inputs:
            signals = [value for _name, value, is_input in members if is_input]
            for signal, word in zip(signals, words, strict=True):
                ctx.set(signal, word)
            await ctx.delay(1e-9)
            outputs.append(
                [
                    ctx.get(value) % 2 ** len(value)
                    for _name, value, is_input in members
                    if not is_input
                ]
            )
            await ctx.tick()

    simulator = Simulator(design)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return outputs


def bench_module(name: str, design: wiring.Component, inputs: list[list[int]]) -> str:
    """A module that resets a design, then prints its outputs in each cycle."""
    members = ports(design)
    lines = [f"module bench_{name};", "  reg clk = 0, rst = 1;"]
    for port, value, is_input in members:
        span = f"[{len(value) - 1}:0]"
        lines.append(f"  {f'reg {span} {port} = 0' if is_input else f'wire {span} {port}'};")
    connections = ", ".join(f".{port}({port})" for port in ["clk", "rst", *(m[0] for m in members)])
    lines.append(f"  {name} dut ({connections});")
    lines.append("  initial begin")
    lines.append("    #1 clk = 1; #1 clk = 0; rst = 0;")
    outputs = [port for port, _value, is_input in members if not is_input]
    for words in inputs:
        drivers = [(port, value) for port, value, is_input in members if is_input]
        for (port, value), word in zip(drivers, words, strict=True):
            lines.append(f"    {port} = {len(value)}'h{word:x};")
        shape = " ".join(["%b"] * len(outputs))
        lines.append(f'    #1 $display("{name} {shape}", {", ".join(outputs)});')
        lines.append("    #1 clk = 1; #1 clk = 0;")
    lines += ["  end", "endmodule", ""]
    return "\n".join(lines)


def sources(designs: dict, seed: int, folder: Path) -> tuple[list[Path], dict[str, list]]:
    """A file for each design, one with the benches, and the expected outputs."""
    files, benches, answers = [], [], {}
    for name, make in designs.items():
        design = make()
        inputs = stimuli(design, seed)
        answers[name] = expected(design, inputs)
        path = folder / f"{name}.v"
        path.write_text(unique_modules(emit(make(), name=name, init=True), name))
        files.append(path)
        benches.append(bench_module(name, design, inputs))
    top = folder / "bench.v"
    instances = "".join(f"  bench_{name} {name} ();\n" for name in designs)
    finish = f"  initial #{10 * CYCLES + 100} $finish;\n"
    top.write_text("\n".join([*benches, f"module bench;\n{instances}{finish}endmodule\n"]))
    return [*files, top], answers


def unique_modules(text: str, design: str) -> str:
    """Designs share a simulation, and may each have a module called as another one's."""
    for line in text.splitlines():
        if line.startswith("module ") and line.split()[1].rstrip("(; ") != design:
            module = line.split()[1].rstrip("(; ")
            text = text.replace(f"module {module} (", f"module {design}_{module} (")
            text = text.replace(f"\n  {module} ", f"\n  {design}_{module} ")
    return text


def compare(printed: str, answers: dict[str, list]) -> None:
    """Each line of each design is what Amaranth said."""
    seen = {name: [] for name in answers}
    for line in printed.splitlines():
        name, _space, bits = line.partition(" ")
        if name in seen:
            seen[name].append(bits.split())
    unknown = known = 0
    for name, rows in answers.items():
        assert len(seen[name]) == CYCLES
        for cycle, (row, found) in enumerate(zip(rows, seen[name], strict=True)):
            for word, bits in zip(row, found, strict=True):
                wanted = format(word, f"0{len(bits)}b")
                if "x" in bits:
                    # What a memory returns before it was read or written; Amaranth says zero.
                    unknown += 1
                    continue
                known += 1
                assert bits == wanted, f"{name}, cycle {cycle}"
    assert unknown < known / 50


def run(command: list, folder: Path) -> str:
    """A program's output; an error shows what it said."""
    result = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=tools.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout
