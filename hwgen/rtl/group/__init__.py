"""The heart of the array: D engines in lockstep."""

from .group import Group

__all__ = ["Group"]
