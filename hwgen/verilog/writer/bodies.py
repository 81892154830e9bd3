"""Statements of a process: assignments and choices, searched, simplified and merged."""

from collections.abc import Callable, Iterable

from ..rtlil import Assign, Chunk, Spec, Switch, spec_width
from .specs import join_chunks, slice_spec

__all__ = [
    "assignments_first",
    "fold_constant_switches",
    "map_specs",
    "merge_bodies",
    "patterns_overlap",
    "read_specs",
    "retarget",
    "splice",
]


def map_specs(body: tuple, change: Callable[[Spec], Spec]) -> tuple:
    mapped = []
    for statement in body:
        if isinstance(statement, Assign):
            mapped.append(Assign(change(statement.target), change(statement.value)))
        else:
            cases = tuple((patterns, map_specs(case, change)) for patterns, case in statement.cases)
            mapped.append(Switch(change(statement.selector), cases))
    return tuple(mapped)


def read_specs(body: tuple) -> Iterable[Spec]:
    for statement in body:
        if isinstance(statement, Assign):
            yield statement.value
        else:
            yield statement.selector
            for _patterns, case in statement.cases:
                yield from read_specs(case)


def retarget(body: tuple, old: str, new: str) -> tuple:
    """Assign ``new`` instead of ``old``."""
    mapped = []
    for statement in body:
        if isinstance(statement, Assign):
            target = tuple(
                Chunk(new if chunk.wire == old else chunk.wire, chunk.low, chunk.width)
                for chunk in statement.target
            )
            mapped.append(Assign(target, statement.value))
        else:
            cases = tuple(
                (patterns, retarget(case, old, new)) for patterns, case in statement.cases
            )
            mapped.append(Switch(statement.selector, cases))
    return tuple(mapped)


def fold_constant_switches(body: tuple) -> tuple:
    """A choice by a constant is no choice; without this a block would be sensitive to nothing."""
    folded = []
    for statement in body:
        if isinstance(statement, Assign):
            if statement.target:
                folded.append(statement)
            continue
        cases = tuple(
            (patterns, fold_constant_switches(case)) for patterns, case in statement.cases
        )
        if not any(case for _patterns, case in cases):
            continue
        if any(chunk.wire for chunk in statement.selector):
            folded.append(Switch(statement.selector, cases))
            continue
        value = "".join(chunk.bits for chunk in reversed(statement.selector))
        for patterns, case in cases:
            if not patterns or any(
                all(bit in ("-", wanted) for bit, wanted in zip(pattern, value, strict=True))
                for pattern in patterns
            ):
                folded += case
                break
    return tuple(folded)


def assignments_first(body: tuple) -> tuple:
    """Move each assignment before the choices that it overrides, and take its bits out of them.

    Yosys 0.70 gives the choice precedence when some bits are assigned after it inside of another
    choice.
    """
    first: list[Assign] = []
    choices: list[Switch] = []
    for statement in body:
        if isinstance(statement, Switch):
            cases = tuple((patterns, assignments_first(case)) for patterns, case in statement.cases)
            choices.append(Switch(statement.selector, cases))
            continue
        for chunk in statement.target:
            choices = list(without_bits(tuple(choices), chunk))
        first.append(statement)
    return (*first, *choices)


def without_bits(body: tuple, hidden: Chunk) -> tuple:
    """Statements without what they assign to some bits, or nothing where nothing is left."""
    left = []
    for statement in body:
        if isinstance(statement, Switch):
            cases = tuple(
                (patterns, without_bits(case, hidden)) for patterns, case in statement.cases
            )
            if any(case for _patterns, case in cases):
                left.append(Switch(statement.selector, cases))
            continue
        low = 0
        for chunk in statement.target:
            start, stop = chunk.low, chunk.low + chunk.width
            cuts = [(start, stop)]
            if chunk.wire == hidden.wire:
                cuts = [
                    (start, min(stop, hidden.low)),
                    (max(start, hidden.low + hidden.width), stop),
                ]
            for begin, end in cuts:
                if begin < end:
                    value = slice_spec(statement.value, low + begin - start, end - begin)
                    left.append(Assign((Chunk(chunk.wire, begin, end - begin),), value))
            low += chunk.width
    return tuple(left)


def splice(body: tuple) -> tuple:
    """Make one of the first assignment, which is to all bits, and those to some bits that follow
    it."""
    count = 1
    while count < len(body) and isinstance(body[count], Assign):
        count += 1
    if count == 1 or not body:
        return body
    target, value = body[0].target, body[0].value
    base, width = target[0].low, spec_width(target)
    for statement in body[1:count]:
        source = statement.value
        for chunk in statement.target:
            low = chunk.low - base
            value = (
                *slice_spec(value, 0, low),
                *slice_spec(source, 0, chunk.width),
                *slice_spec(value, low + chunk.width, width - low - chunk.width),
            )
            source = slice_spec(source, chunk.width, spec_width(source) - chunk.width)
    return (Assign(target, join_chunks(value)), *body[count:])


def merge_bodies(first: tuple, second: tuple) -> tuple:
    """Join two lists of statements about different registers, testing equal conditions once."""
    merged = list(first)
    position = 0
    for statement in second:
        if isinstance(statement, Switch):
            for index in range(position, len(merged)):
                other = merged[index]
                if (
                    isinstance(other, Switch)
                    and other.selector == statement.selector
                    and [patterns for patterns, _ in other.cases]
                    == [patterns for patterns, _ in statement.cases]
                ):
                    cases = tuple(
                        (patterns, merge_bodies(body, added))
                        for (patterns, body), (_, added) in zip(
                            other.cases, statement.cases, strict=True
                        )
                    )
                    merged[index] = Switch(other.selector, cases)
                    position = index
                    break
            else:
                merged.append(statement)
                position = len(merged)
        else:
            merged.append(statement)
            position = len(merged)
    return tuple(merged)


def patterns_overlap(switch: Switch) -> bool:
    """Whether some value matches patterns of two cases, or one case twice."""
    patterns = [pattern for patterns, _body in switch.cases for pattern in patterns]
    if not any("-" in pattern for pattern in patterns):
        return len(set(patterns)) < len(patterns)
    return any(
        all(a == b or "-" in (a, b) for a, b in zip(first, second, strict=True))
        for index, first in enumerate(patterns)
        for second in patterns[:index]
    )
