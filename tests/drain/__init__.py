"""Tests of the drain and of the vector unit."""
