"""What ``hwgen run`` tells people."""

from rich.table import Table

from hwgen.console import output

__all__ = ["show", "show_check"]

FEW = 16
"""Images whose classes are told one by one."""


def show(facts: dict) -> None:
    """Print the facts of a comparison."""
    console = output()
    images, edges = facts["images"], facts["edges_compared"]
    line = f"{facts['network']} on {facts['config']} ({facts['backend']}): {images:,} images"
    if facts["accuracy"] is not None:
        line += f", {facts['accuracy']:.2%} right"
    console.print(line, highlight=False, soft_wrap=True)
    if images <= FEW:
        answers = " ".join(map(str, facts["classes"]))
        console.print(f"classes: {answers}", highlight=False, soft_wrap=True)
    if facts["wrong"]:
        console.print(
            f"{facts['wrong']:,} of {edges:,} edges differ from the integer reference; the first: "
            f"{facts['first_wrong']}",
            highlight=False,
            soft_wrap=True,
        )
    elif edges:
        console.print(
            f"all {edges:,} edges, integer for integer, are those of the integer reference",
            highlight=False,
            soft_wrap=True,
        )
    if facts["layers"]:
        console.print(_layers(facts["layers"], images))
    if "cycles" in facts:
        console.print(
            f"{facts['cycles']:,.0f} cycles an image ({facts['cycles_least']:,.0f} to "
            f"{facts['cycles_most']:,.0f}), simulated at {facts['simulated_cycles_a_second']:,.0f} "
            "cycles a second",
            highlight=False,
            soft_wrap=True,
        )
        if facts["where"]:
            console.print(_where(facts["where"], facts["cycles"]))
        console.print(_counters(facts["counters"]))


def show_check(facts: dict) -> None:
    """Print what is known of a whole test set."""
    console = output()
    line = f"{facts['network']} on {facts['config']}: {facts['images']:,} images"
    if facts["accuracy"] is not None:
        line += f", {facts['accuracy']:.2%} right"
    console.print(line, highlight=False, soft_wrap=True)
    console.print(
        f"{facts['cycles']:,.0f} cycles an image ({facts['cycles_least']:,.0f} to "
        f"{facts['cycles_most']:,.0f}), batch {facts['batch']}",
        highlight=False,
        soft_wrap=True,
    )
    line = f"{facts['samples_equal']} of {facts['samples']} sampled runs are equal on the Verilog"
    if facts["wrong"]:
        line += f"; the first difference: {facts['first_wrong']}"
    console.print(line, highlight=False, soft_wrap=True)
    console.print(_where(facts["where"], facts["cycles"]))


def _layers(layers: list[dict], images: int) -> Table:
    table = Table(title="layers")
    table.add_column("layer")
    table.add_column("checksum")
    table.add_column("equal", justify="right")
    for row in layers:
        table.add_row(row["layer"], row["checksum"], f"{images - row['wrong']:,} of {images:,}")
    return table


def _where(shares: dict[str, float], cycles: float) -> Table:
    table = Table(title="where the cycles of the array went")
    table.add_column("")
    table.add_column("share", justify="right")
    table.add_column("cycles", justify="right")
    for name, share in shares.items():
        table.add_row(name, f"{share:.1%}", f"{share * cycles:,.0f}")
    return table


def _counters(counters: dict[str, float]) -> Table:
    table = Table(title="counters, mean of an image")
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in counters.items():
        table.add_row(name.lower().replace("_", " "), f"{value:,.0f}")
    return table
