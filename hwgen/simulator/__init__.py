"""Programs without RTL: what they compute, and how long they take."""
