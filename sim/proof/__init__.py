"""Networks on the emitted Verilog: every edge is that of the integer reference, every counter that
of the cycle model. ``python -m sim.proof`` runs it on random networks, or on those of the
repository.
"""
