"""The command line of a stage, derived from its function's signature.

A `Path` parameter becomes a required flag, `Path | None` an optional one, `list[Path]` one that takes many;
`config` becomes `--options`, a JSON object whose missing values take their defaults.
"""

import argparse
import inspect
import json
import logging
import os
import resource
import subprocess
import sys
import time
import types
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pipeline.atomic import whole
from pipeline.errors import StageError

log = logging.getLogger("pipeline")
LIBRARIES = ("torch", "torchvision", "pycolmap", "opencv-python-headless", "numpy", "h5py", "av", "snakemake")
DEVICE_VARIABLE = "MONOVERSE_DEVICE"


class WarningsKept(logging.Handler):
    """Keeps the text of every warning, for the stage's record."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("pipeline", "models", "__main__")):
            self.texts.append(record.getMessage())


def run_stage(stage: Callable[..., None]) -> None:
    """Run a stage from the command line; its errors end in one line and exit code 1."""
    start = time.monotonic()
    arguments = vars(stage_parser(stage).parse_args())
    record, threads, device = arguments.pop("record"), arguments.pop("threads"), arguments.pop("device")
    kept = start_logging()
    try:
        os.environ[DEVICE_VARIABLE] = device
        set_threads(threads)
        config = read_options(stage, arguments.pop("options", "{}"))
        stage(**arguments, **({"config": config} if config is not None else {}))
        if record:
            write_record(record, stage.__name__, time.monotonic() - start, kept.texts, config)
    except (StageError, BrokenPipeError) as error:
        log.error("%s: %s", stage.__name__, error)
        sys.exit(1)
    except MemoryError as error:
        log.error("%s: out of memory (%s); lower extract_frames.max_size or max_frames", stage.__name__, error)
        sys.exit(1)


def stage_parser(stage: Callable[..., None]) -> argparse.ArgumentParser:
    """The parser that a stage's signature and docstrings imply."""
    module = inspect.getmodule(stage)
    parser = argparse.ArgumentParser(
        prog=f"python -m pipeline.{stage.__name__}",
        description=(module.__doc__ if module else None) or stage.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, parameter in inspect.signature(stage).parameters.items():
        if name == "config":
            parser.add_argument("--options", default="{}", metavar="JSON", help=options_help(parameter.annotation))
        else:
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name, **flag(name, parameter.annotation))
    parser.add_argument("--record", type=Path, metavar="JSON", help="write time, memory, warnings and versions here")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="cores to use (default: all)")
    parser.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="default: cuda where there is one"
    )
    return parser


def flag(name: str, annotation: Any) -> dict[str, Any]:
    """The argparse settings of one path parameter."""
    if annotation is Path:
        return {"type": Path, "required": True, "metavar": "PATH"}
    if annotation == list[Path]:
        return {"type": Path, "nargs": "*", "default": [], "metavar": "PATH"}
    if isinstance(annotation, types.UnionType) and set(get_args(annotation)) == {Path, type(None)}:
        return {"type": Path, "nargs": "?", "default": None, "metavar": "PATH"}
    raise TypeError(
        f"stage parameter {name} is a {annotation}; only Path, Path | None, list[Path] and config can be flags"
    )


def options_help(config: type[BaseModel]) -> str:
    """The fields of a section with their meaning and default."""
    fields = (f"{name}: {field.description} [{field.default}]" for name, field in config.model_fields.items())
    return "settings as a JSON object; " + "; ".join(fields).replace("%", "%%")


def read_options(stage: Callable[..., None], options: str) -> BaseModel | None:
    """The stage's validated config, or None where it has none."""
    parameter = inspect.signature(stage).parameters.get("config")
    if parameter is None:
        return None
    try:
        return parameter.annotation.model_validate(json.loads(options))
    except json.JSONDecodeError as error:
        raise StageError(f"--options is not JSON ({error}); write it as '{{\"name\": value}}'") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors())
        raise StageError(f"--options: {faults}; see --help for the names and defaults") from error


def start_logging() -> WarningsKept:
    """Log to stderr, one line a fact, and keep the warnings."""
    kept = WarningsKept()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    logging.getLogger().addHandler(kept)
    return kept


def set_threads(threads: int) -> None:
    """Give the numeric libraries that are loaded this many threads, and those still to load too."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(threads)


def stage_device() -> Any:
    """The torch device of this run: `--device`, or CUDA where there is one."""
    import torch

    asked = os.environ.get(DEVICE_VARIABLE, "auto")
    if asked == "cuda" and not torch.cuda.is_available():
        raise StageError("--device cuda was asked for, but torch sees no CUDA device; use --device cpu or auto")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def write_record(path: Path, stage: str, seconds: float, warnings: list[str], config: BaseModel | None) -> None:
    """What the report says of a run: time, memory, warnings, versions, settings."""
    record = {
        "stage": stage,
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(peak_memory_mb(), 1),
        "warnings": warnings,
        "versions": {name: installed for name in LIBRARIES if (installed := library_version(name))},
        "device": device_name(),
        "commit": commit(),
        "options": config.model_dump(mode="json") if config is not None else {},
    }
    with whole(path) as partial:
        partial.write_text(json.dumps(record, indent=1))


def peak_memory_mb() -> float:
    """The largest resident set of this process or of one of its children, so far."""
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(own, children) / (1024**2 if sys.platform == "darwin" else 1024)


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
    here = Path(__file__).parent
    answer = subprocess.run(
        ["git", "-C", here, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"
