"""Golden models: gated networks in PyTorch, their training, export and integer reference."""
