"""What the tests of the golden models share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread_and_seed():
    """The same numbers on every machine, and no quarrel about cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
