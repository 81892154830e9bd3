"""The control of `control.sequential`: one instruction after the other, one burst at a time."""
