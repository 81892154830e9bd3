"""One generation of ``tiny`` for all tests of the flows."""

import pytest

import hwgen.generate
from hwgen.config import load


@pytest.fixture(scope="session")
def tiny_artifacts():
    """What ``make verilog CONFIG=tiny`` writes."""
    return hwgen.generate.generate(load("tiny"))


@pytest.fixture
def generated_once(monkeypatch, tiny_artifacts):
    """Synthesis of ``tiny`` does not generate it again."""

    def generate(config, progress):
        assert config == tiny_artifacts.config
        return tiny_artifacts

    monkeypatch.setattr(hwgen.generate, "generate", generate)
