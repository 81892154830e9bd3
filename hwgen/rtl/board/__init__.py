"""What surrounds an accelerator on a board: a serial port, a bridge, a memory on chip."""
