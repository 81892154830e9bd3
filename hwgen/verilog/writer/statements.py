"""Assignments and choices as statements of Verilog."""

import re

from ..rtlil import Assign, Spec, Switch, spec_width
from .bodies import patterns_overlap
from .expressions import Expressions
from .specs import slice_spec
from .text import ATOM, WIDTH, Lines, constant_text, pattern_text

__all__ = ["Statements"]


class Statements:
    """Text of what stands in an ``always`` block."""

    def __init__(self, expressions: Expressions):
        self.expressions = expressions
        self.naming = expressions.naming

    def assignment(self, target: str, spec: Spec, operator: str) -> str:
        text = self.expressions.operand(spec, spec_width(spec), top=True).text
        return f"{target} {operator} {text};"

    def statements(self, lines: Lines, depth: int, body: tuple, operator: str) -> None:
        for statement in body:
            if isinstance(statement, Assign):
                target = self.expressions.operand(statement.target).text
                lines.add(depth, self.assignment(target, statement.value, operator))
            else:
                self.switch(lines, depth, statement, operator)

    def switch(self, lines: Lines, depth: int, switch: Switch, operator: str) -> None:
        conditions = self.conditions(switch)
        if conditions is not None:
            self.if_chain(lines, depth, switch, conditions, operator)
            return
        if patterns_overlap(switch):
            self.match_chain(lines, depth, switch, operator)
            return
        wild = any("-" in pattern for patterns, _body in switch.cases for pattern in patterns)
        lines.add(
            depth,
            f"{'casez' if wild else 'case'} ({self.expressions.operand(switch.selector).text})",
        )
        complete = False
        has_default = any(not patterns for patterns, _body in switch.cases)
        for patterns, body in switch.cases:
            if complete:
                break
            if not patterns:
                complete = True
            if not body and not (wild or has_default):
                continue
            label = ", ".join(map(pattern_text, patterns)) if patterns else "default"
            self.block(lines, depth + 1, f"{label}:", body, operator)
        if not complete:
            lines.add(depth + 1, "default: ;")
        lines.add(depth, "endcase")

    def block(self, lines: Lines, depth: int, head: str, body: tuple, operator: str) -> None:
        if not body:
            lines.add(depth, f"{head} ;" if head.endswith(":") else f"{head} begin end")
            return
        if len(body) == 1 and isinstance(body[0], Assign):
            inner = Lines()
            self.statements(inner, 0, body, operator)
            if len(inner.lines) == 1 and 2 * depth + len(head) + len(inner.lines[0]) < WIDTH:
                lines.add(depth, f"{head} {inner.lines[0]}")
                return
            lines.add(depth, f"{head} begin")
            for line in inner.lines:
                lines.add(depth + 1, line)
        else:
            lines.add(depth, f"{head} begin")
            self.statements(lines, depth + 1, body, operator)
        lines.add(depth, "end")

    def conditions(self, switch: Switch) -> list[tuple[Spec, bool] | None] | None:
        """For each case the one bit it tests, None for the default; or None if a case tests
        more."""
        conditions = []
        for patterns, _body in switch.cases:
            if not patterns:
                conditions.append(None)
                continue
            if len(patterns) != 1:
                return None
            (pattern,) = patterns
            tested = [index for index, bit in enumerate(reversed(pattern)) if bit != "-"]
            if len(tested) != 1:
                return None
            bit = slice_spec(switch.selector, tested[0], 1)
            conditions.append((bit, pattern[len(pattern) - 1 - tested[0]] == "1"))
        return conditions

    def match_chain(self, lines: Lines, depth: int, switch: Switch, operator: str) -> None:
        """Patterns of which several may match: the first counts, so it is a chain of tests."""
        selector = switch.selector
        if len(selector) == 1 and selector[0].wire is not None:
            self.naming.name_of(selector[0].wire)
        head = "if"
        for patterns, body in switch.cases:
            if not patterns:
                self.block(lines, depth, "else" if head != "if" else "if (1'd1)", body, operator)
                return
            tests = [self.match(selector, pattern) for pattern in dict.fromkeys(patterns)]
            self.block(lines, depth, f"{head} ({' || '.join(tests)})", body, operator)
            head = "else if"

    def match(self, selector: Spec, pattern: str) -> str:
        """Test of the bits that a pattern names."""
        tests = []
        for run in re.finditer("[01]+", pattern):
            low = len(pattern) - run.end()
            text = self.expressions.operand(slice_spec(selector, low, len(run[0]))).text
            tests.append(f"{text} == {constant_text(run[0])}")
        if not tests:
            return "1'd1"
        return tests[0] if len(tests) == 1 else f"({' && '.join(tests)})"

    def if_chain(self, lines, depth, switch, conditions, operator) -> None:
        cases = [
            (condition, body)
            for condition, (_patterns, body) in zip(conditions, switch.cases, strict=True)
        ]
        # Both values of one bit: the second needs no test.
        for index in range(1, len(cases)):
            (before, _), (now, body) = cases[index - 1], cases[index]
            if before and now and before[0] == now[0] and before[1] != now[1]:
                cases[index:] = [(None, body)]
                break
        while cases and not cases[-1][1]:
            cases.pop()
        if len(cases) == 2 and not cases[0][1] and cases[1][0] is None:
            (bit, value), _body = cases[0]
            cases = [((bit, not value), cases[1][1])]
        chunks = []
        for index, (condition, body) in enumerate(cases):
            if condition is None:
                head = "else"
            else:
                text = self.expressions.operand(condition[0])
                test = text.text
                if not condition[1]:
                    test = f"!{test}" if text.level == ATOM else f"!({test})"
                head = f"if ({test})" if index == 0 else f"else if ({test})"
            chunk = Lines()
            self.block(chunk, depth, head, body, operator)
            chunks.append(chunk.lines)
            if condition is None:
                break
        for chunk in chunks:
            if (
                lines.lines
                and chunk[0].lstrip().startswith("else")
                and lines.lines[-1] == "  " * depth + "end"
            ):
                lines.lines[-1] += " " + chunk[0].lstrip()
                chunk = chunk[1:]
            lines.lines.extend(chunk)
