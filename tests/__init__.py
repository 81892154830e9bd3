"""A package, so that the folders below it do not shadow modules of the standard library (array)."""
