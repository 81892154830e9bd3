"""What the tests of the network file, the reference and the export share."""

import pytest

from models.netfile import Network
from models.zoo.synthetic import every_kind


@pytest.fixture
def network() -> Network:
    """The network with every kind of layer."""
    return every_kind()
