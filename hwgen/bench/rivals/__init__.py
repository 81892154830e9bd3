"""Scripts that run the models of others, in a Python of their own."""
