"""The device and the threads that a stage runs on, as its command line asked for them."""

import os
import sys
from typing import Any

from pipeline.runtime.errors import StageError

DEVICE_VARIABLE = "MONOVERSE_DEVICE"


def stage_device() -> Any:
    """The torch device of this run: `--device`, or CUDA where there is one."""
    import torch

    asked = os.environ.get(DEVICE_VARIABLE, "auto")
    if asked == "cuda" and not torch.cuda.is_available():
        raise StageError("--device cuda was asked for, but torch sees no CUDA device; use --device cpu or auto")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def set_threads(threads: int) -> None:
    """Give the numeric libraries that are loaded this many threads, and those still to load too."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(threads)
