"""What all tests share."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

# Tensors in tests are small: threads that wait for each other on a busy machine cost more than they bring.
torch.set_num_threads(1)
# A shell's background jobs ignore Ctrl-C, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
# Programs that tests start, in copies of the project too, share one cache of kernels and keep their bytecode, as users' do.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / "models" / "__pycache__"))
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


# Files that take longest, the longest first: one that starts last keeps the other worker waiting.
LONGEST = (
    "workflow/test_graph.py",
    "pipeline/test_train_osn.py",
    "pipeline/test_train_semantic_flow.py",
    "pipeline/test_import_dataset.py",
    "pipeline/test_segment_objects.py",
    "workflow/test_style.py",
    "models/ops/test_operators.py",
    "test_cuda_paths.py",
    "pipeline/semantic_flow/test_edits.py",
    "workflow/test_elsewhere.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Workers take files in the order of `LONGEST`, not by the number of their tests."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others as they come."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The team's sample scene, clips and weights; tests that need them skip where they are absent."""
    if not SHARED_DATA.exists():
        pytest.skip(f"the sample data is not here ({SHARED_DATA.relative_to(ROOT.parent)})")
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium, which draws in software."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium with chromedriver on this machine; on Debian and Ubuntu `make browser` installs them")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    flags += " enable-unsafe-swiftshader disable-component-update disable-sync window-size=1200,900"
    for flag in flags.split():
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    browser.implicitly_wait(5)
    yield browser
    browser.quit()
