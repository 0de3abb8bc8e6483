"""What all tests share."""

import signal
from pathlib import Path

import pytest
import torch

# Tensors in tests are small: threads that wait for each other on a busy machine cost more than they bring.
torch.set_num_threads(1)
# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The team's sample scene, clips and weights; tests that need them skip where they are absent."""
    if not SHARED_DATA.exists():
        pytest.skip(f"the sample data is not here ({SHARED_DATA.relative_to(ROOT.parent)})")
    return SHARED_DATA
