"""The command line of a stage, derived from its function's signature.

A `Path` parameter becomes a required flag, `Path | None` an optional one, `list[Path]` one that takes many;
`config` becomes a flag per setting (pipeline/runtime/setting_flags.py) and `--options`, a JSON object; what neither gives
takes its default.
"""

import argparse
import errno
import inspect
import json
import logging
import os
import re
import signal
import sys
import time
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pipeline.runtime.device import DEVICE_VARIABLE, set_threads
from pipeline.runtime.digests import changed, check_whole, keep_digests, stamps
from pipeline.runtime.errors import StageError
from pipeline.runtime.overlay import overlaid
from pipeline.runtime.record import write_record
from pipeline.runtime.run_status import reported_stage
from pipeline.runtime.setting_flags import (
    add_setting_flags,
    fault_text,
    flag_name,
    given_settings,
    section_name,
    spelled,
    unknown_flag,
)

log = logging.getLogger("pipeline")
# What a disk says that does not take what is written, or no longer gives what is read.
DISK_FAULTS = {
    errno.ENOSPC: "the disk is full: free some space, or choose a results folder on another disk",
    errno.EDQUOT: "your quota on this disk is used up: free some space, or choose a results folder on another disk",
    errno.EFBIG: "the file grows larger than is allowed here: raise the limit, or lower extract_frames.max_size",
    errno.EROFS: "the disk is read-only: choose a results folder that you may write to",
    errno.EACCES: "it is not permitted: change the permissions, or choose a results folder that you may write to",
    errno.EPERM: "it is not permitted: change the permissions, or choose a results folder that you may write to",
    errno.EIO: "the disk reports an error: look at its health, and run again",
    errno.ESTALE: "the network disk has lost it: mount it again, and run again",
    errno.ENOTCONN: "the network disk is not connected: mount it again, and run again",
    errno.ETIMEDOUT: "the network disk does not answer: see whether its server works, and run again",
    errno.ENOENT: "it is not there, or no longer: see whether it was deleted or its disk unmounted, and run again",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n), and run again",
}


class WarningsKept(logging.Handler):
    """Keeps the text of every warning, for the stage's record."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("pipeline", "models", "__main__")):
            self.texts.append(record.getMessage())


@dataclass(frozen=True)
class Call:
    """What a command line asks for."""

    paths: dict[str, Any]
    config: BaseModel | None
    record: Path | None
    threads: int
    device: str


def run_stage(stage: Callable[..., None]) -> None:
    """Run a stage from the command line; its errors end in one line and exit code 1."""
    start = time.monotonic()
    kept = start_logging()
    try:
        call = read_call(stage, sys.argv[1:])
        os.environ[DEVICE_VARIABLE] = call.device
        set_threads(call.threads)
        paths = all_paths(call.paths)
        with at_work(call.record):
            check_whole([*paths, *([call.record] if call.record else [])], stage.__name__)
            before = stamps(paths)
            stage(**call.paths, **({"config": call.config} if call.config is not None else {}))
            keep_digests(changed(before), stage.__name__)
            if call.record:
                write_record(call.record, stage.__name__, time.monotonic() - start, kept.texts, call.config)
                keep_digests([call.record], stage.__name__)
    except (StageError, BrokenPipeError) as error:
        log.error("%s: %s", stage.__name__, error)
        sys.exit(1)
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        log.error("%s: %s", stage.__name__, disk_fault(error))
        sys.exit(1)
    except MemoryError as error:
        log.error("%s: out of memory (%s); lower extract_frames.max_size or max_frames", stage.__name__, error)
        sys.exit(1)


def disk_fault(error: OSError) -> str:
    """What a disk does not do, of which file, and the way out."""
    file = error.filename2 or error.filename  # of a copy the second is that which is written
    return f"cannot use{f' {file}' if file else ''} ({error.strerror}): {DISK_FAULTS[error.errno or 0]}"


def at_work(record: Path | None) -> AbstractContextManager[None]:
    """Says that this stage works, beside the records of a scene; nothing for a stage that is run alone."""
    if record is None or record.parent.name != "records":
        return nullcontext()
    return reported_stage(record.parent.parent, record.stem)


def all_paths(given: Mapping[str, Any]) -> list[Path]:
    """The paths of a call, one by one."""
    return [path for value in given.values() for path in (value if isinstance(value, list) else [value]) if path]


def read_call(stage: Callable[..., None], words: Sequence[str]) -> Call:
    """A command line, understood and checked."""
    parser = stage_parser(stage)
    namespace, unknown = parser.parse_known_args(spelled(words))
    if unknown:
        flags = re.findall(r"--[\w.-]+", parser.format_help())
        model = config_type(stage)
        section = section_name(model, stage.__name__) if model else stage.__name__
        raise StageError(unknown_flag(section, unknown[0], flags))
    given = vars(namespace)
    run = {name: given.pop(name) for name in ("record", "threads", "device")}
    options = given.pop("options", "{}")
    paths = {name: given.pop(name) for name in path_parameters(stage)}
    return Call(paths, read_options(stage, options, given), **run)


def path_parameters(stage: Callable[..., None]) -> dict[str, Any]:
    """The parameters of a stage that are paths, with their annotations."""
    parameters = inspect.signature(stage).parameters.items()
    return {name: parameter.annotation for name, parameter in parameters if name != "config"}


def config_type(stage: Callable[..., None]) -> type[BaseModel] | None:
    """The model of a stage's settings, if it has any."""
    parameter = inspect.signature(stage).parameters.get("config")
    return parameter.annotation if parameter else None


def stage_parser(stage: Callable[..., None]) -> argparse.ArgumentParser:
    """The parser that a stage's signature, its settings and its docstrings imply; a flag of two meanings is an error."""
    module, model, annotations = inspect.getmodule(stage), config_type(stage), path_parameters(stage)
    required = "".join(f" {flag_name([name])} PATH" for name, annotation in annotations.items() if annotation is Path)
    parser = argparse.ArgumentParser(
        prog=f"python -m pipeline.{stage.__name__}",
        usage=f"%(prog)s{required} [FLAGS]",
        description=(module.__doc__ if module else None) or stage.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    paths = parser.add_argument_group("paths")
    for name, annotation in annotations.items():
        paths.add_argument(flag_name([name]), dest=name, **flag(name, annotation))
    if model is not None:
        settings = parser.add_argument_group("settings", "lists as several values or as JSON")
        settings.add_argument(
            "--options", default="{}", metavar="JSON", help="all in one JSON object; flags count more than what it says"
        )
        add_setting_flags(settings, model)
    run = parser.add_argument_group("run")
    run.add_argument("--record", type=Path, metavar="JSON", help="write time, memory, warnings and versions here")
    run.add_argument("--threads", type=int, default=os.cpu_count(), help="cores to use (default: all)")
    run.add_argument(
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


def read_options(stage: Callable[..., None], options: str, flags: Mapping[str, Any] | None = None) -> BaseModel | None:
    """The stage's validated config, or None where it has none; flags count more than `--options`."""
    model, flags = config_type(stage), flags or {}
    if model is None:
        return None
    try:
        values = json.loads(options)
        if not isinstance(values, dict):
            raise StageError(f"--options is {options}, not a JSON object; write it as '{{\"name\": value}}'")
        return model.model_validate(overlaid(values, given_settings(model, flags)))
    except json.JSONDecodeError as error:
        raise StageError(f"--options is not JSON ({error}); write it as '{{\"name\": value}}'") from error
    except ValidationError as error:
        section = section_name(model, stage.__name__)
        faults = "; ".join(fault_text(section, flags, fault) for fault in error.errors())
        raise StageError(f"{faults}; see --help for the names and defaults") from error


def run_server(serve: Callable[..., None], values: Mapping[str, Any]) -> None:
    """Run what serves a page until Ctrl-C or SIGTERM, which end alike; errors end in one line and exit code 1."""
    start_logging()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(**values)
    except StageError as error:
        log.error("%s", error)
        sys.exit(1)
    except KeyboardInterrupt:
        log.info("done")


def port(text: str) -> int:
    """A port number of the command line."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not between 0 and 65535")
    return number


def start_logging() -> WarningsKept:
    """Log to stderr, one line a fact, and keep the warnings."""
    kept = WarningsKept()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    logging.getLogger().addHandler(kept)
    return kept
