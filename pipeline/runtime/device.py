"""The device and the threads that a stage runs on, as its command line asked for them."""

import logging
import os
import sys
from typing import Any

from pipeline.runtime.errors import StageError

log = logging.getLogger(__name__)
DEVICE_VARIABLE = "MONOVERSE_DEVICE"


def stage_device() -> Any:
    """The torch device of this run: `--device`, or CUDA where there is one."""
    import torch

    asked = os.environ.get(DEVICE_VARIABLE, "auto")
    if asked == "cuda" and not torch.cuda.is_available():
        raise StageError("--device cuda was asked for, but torch sees no CUDA device; use --device cpu or auto")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def choose_algorithms(deterministic: bool, device: Any) -> None:
    """Algorithms of a GPU that give the same bits in every run, where torch has such; to be called before any work there.

    Sums over indices, convolutions and matrix products have them; what has none is used as it is, which is said.
    """
    import torch

    on_gpu = device.type != "cpu"
    if deterministic and on_gpu:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
        torch.backends.cudnn.benchmark = False
        log.warning(
            "deterministic: torch %s has no such algorithm on GPUs for cumulative sums of floats, which both methods use, and for "
            "the gradients of grid_sample, which TiNeuVox uses; their last bits may differ from run to run, all others do not",
            torch.__version__,
        )
    torch.use_deterministic_algorithms(deterministic and on_gpu, warn_only=True)


def set_threads(threads: int) -> None:
    """Give the numeric libraries that are loaded this many threads, and those still to load too."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(threads)
