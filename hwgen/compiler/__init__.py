"""From an integer network to a program: tiling, buffers, order, tokens."""
