"""Instructions, parameter records and registers: each defined once, everything else made from it.

`instructions`, `parameters` and `registers` are the definitions; `checks` says what is malformed;
`packing` makes and reads bytes; `cheader` and `documentation` write for C and for people.
"""
