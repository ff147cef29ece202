"""What a test leaves behind in its process would decide the next one."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def denormals_kept() -> Iterator[None]:
    """A command run in this process flushes denormals, which hypothesis and rliable's twin need."""
    yield
    torch.set_flush_denormal(False)
