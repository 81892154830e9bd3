"""Functions of cells, as Liberty writes them: ``!(A*B)``, ``(!S*A0)+(S*A1)``, ``A' B ^ C``."""

import re
from collections.abc import Callable

import numpy as np

__all__ = ["Function", "compiled"]

Values = dict[str, np.ndarray]
Function = Callable[[Values], np.ndarray]
"""From arrays of zeros and ones (bool) by name."""


def compiled(text: str) -> Function:
    """The function that ``text`` means. Negation binds tightest, then ^, then & (or * or nothing),
    then | (or +).

    Raises
    ------
    ValueError
        If it is none.
    """
    tokens = re.findall(r"\w+|\S", text)

    def alternatives() -> Function:
        found = products()
        while tokens and tokens[0] in "+|":
            tokens.pop(0)
            found = _both(np.logical_or, found, products())
        return found

    def products() -> Function:
        found = differences()
        while tokens and tokens[0] not in "+|)":
            if tokens[0] in "*&":
                tokens.pop(0)
            found = _both(np.logical_and, found, differences())
        return found

    def differences() -> Function:
        found = factor()
        while tokens and tokens[0] == "^":
            tokens.pop(0)
            found = _both(np.logical_xor, found, factor())
        return found

    def factor() -> Function:
        if not tokens:
            raise ValueError(f"{text!r} ends too early")
        token = tokens.pop(0)
        if token == "!":
            found = _not(factor())
        elif token == "(":
            found = alternatives()
            if not tokens or tokens.pop(0) != ")":
                raise ValueError(f"{text!r} lacks a bracket")
        elif token in ("0", "1"):
            found = _constant(token == "1")
        elif token.isidentifier():
            found = _named(token)
        else:
            raise ValueError(f"{text!r} has {token!r} where a name should be")
        while tokens and tokens[0] == "'":
            tokens.pop(0)
            found = _not(found)
        return found

    found = alternatives()
    if tokens:
        raise ValueError(f"{text!r} has {tokens[0]!r} behind its end")
    return found


def _both(operation, first: Function, second: Function) -> Function:
    return lambda values: operation(first(values), second(values))


def _not(inner: Function) -> Function:
    return lambda values: np.logical_not(inner(values))


def _constant(value: bool) -> Function:
    return lambda values: np.bool_(value)


def _named(name: str) -> Function:
    return lambda values: values[name]
