"""What a stage notes of its run, for the report: time, memory, warnings, versions, device, settings."""

import json
import resource
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError
from pipeline.runtime.run_plan import planned

LAST_MOMENT = 253_402_300_799  # the end of the year 9999, seconds since the epoch: no date is later
LIBRARIES = ("torch", "torchvision", "pycolmap", "opencv-python-headless", "numpy", "h5py", "av", "snakemake")


def write_record(path: Path, stage: str, seconds: float, warnings: list[str], config: BaseModel | None) -> None:
    """What the report says of a run: time taken and expected, memory, warnings, versions, settings."""
    plan = planned(path.parent.parent, path.stem)
    record = {
        "stage": stage,
        "started": round(time.time() - seconds, 1),
        "seconds": round(seconds, 2),
        "expected_seconds": plan.expected_s if plan else None,
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "warnings": warnings,
        "versions": {name: installed for name in LIBRARIES if (installed := library_version(name))},
        "device": device_name(),
        "commit": commit(),
        "options": config.model_dump(mode="json") if config is not None else {},
    }
    with whole(path) as partial:
        partial.write_text(json.dumps(record, indent=1))


class StageRecord(BaseModel):
    """What a record holds; of older ones not all is known."""

    stage: str
    seconds: float = Field(ge=0, allow_inf_nan=False)
    peak_memory_mb: float = Field(ge=0, allow_inf_nan=False)
    started: float | None = Field(None, ge=0, le=LAST_MOMENT)
    expected_seconds: float | None = Field(None, ge=0, allow_inf_nan=False)
    warnings: list[str] = []
    versions: dict[str, str] = {}
    device: str = ""
    commit: str = "unknown"
    options: dict[str, Any] = {}


def read_record(path: Path) -> dict[str, Any]:
    """A stage's record, checked."""
    try:
        return StageRecord.model_validate_json(path.read_bytes()).model_dump()
    except OSError as error:
        raise StageError(f"cannot read {path}: {error.strerror}; run the stage that writes it") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place = f"{'.'.join(map(str, fault['loc']))}: " if fault["loc"] else ""
        raise StageError(f"{path} is damaged ({place}{fault['msg']}); delete it and run again") from error


def peak_memory_mb() -> float:
    """The largest resident set of this process or of one of its children, so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own_peak(), children) / (1024**2 if sys.platform == "darwin" else 1024)


def own_peak() -> int:
    """The largest resident set of this process, in ru_maxrss's unit.

    Linux hands ru_maxrss on from the program that started this one, however large it was (getrusage(2)); the
    high-water mark of /proc/self/status begins anew with the program.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    marks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return marks[0] if marks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def library_version(name: str) -> str | None:
    """The installed version of a distribution."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def device_name() -> str:
    """The device that torch work ran on, by name."""
    torch = sys.modules.get("torch")
    if torch is None or stage_device().type == "cpu":
        return "cpu"
    return str(torch.cuda.get_device_name())


def commit() -> str:
    """The commit of the code that runs, `unknown` outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # there is no git here, as in a container
        return "unknown"
    return answer.stdout.strip() or "unknown"
