"""One page of HTML about an accelerator: what it is, what it costs, how fast it is."""

from .page import page

__all__ = ["page"]
