"""Networks that ship with the project, and networks made of random integers for its tests."""
