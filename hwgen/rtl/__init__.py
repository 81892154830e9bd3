"""The blocks of the accelerator. See docs/architecture.md for what each promises."""
