"""The command line of a stage, derived from its function's signature.

A `Path` parameter becomes a required flag, `Path | None` an optional one, `list[Path]` one that takes many;
`config` becomes `--options`, a JSON object whose missing values take their defaults.
"""

import argparse
import inspect
import json
import logging
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pipeline.runtime.device import DEVICE_VARIABLE, set_threads
from pipeline.runtime.errors import StageError
from pipeline.runtime.record import write_record

log = logging.getLogger("pipeline")


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
