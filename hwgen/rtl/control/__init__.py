"""Everything that runs a program: registers, memory port, fetch, tokens, loads and stores."""
