"""Digests of what stages write: a file that was damaged since is found before another stage computes with it.

A stage's outputs get a digest each, in the hidden folder .digests beside them; every stage checks those of its inputs
before it begins. Files without a digest (a person's own) are taken as they are.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError

FOLDER = ".digests"


Stamp = tuple[int, ...]


def stamps(paths: Iterable[Path]) -> dict[Path, Stamp | None]:
    """Which file or folder lies at each path now; whatever is written whole is another one afterwards."""
    return {path: stamp(path) for path in paths}


def changed(before: Mapping[Path, Stamp | None]) -> list[Path]:
    """The paths at which something else lies now: what was written since. A folder that files came into is the same."""
    return [path for path, then in before.items() if stamp(path) not in (then, None)]


def stamp(path: Path) -> Stamp | None:
    """What tells a file from the one that takes its place."""
    if not path.exists():
        return None
    found = path.stat()
    return (found.st_ino,) if path.is_dir() else (found.st_ino, found.st_mtime_ns, found.st_size)


def digest_file(path: Path) -> Path:
    """Where the digest of an output is kept."""
    return path.parent / FOLDER / f"{path.name}.json"


def keep_digests(paths: Iterable[Path], stage: str) -> None:
    """Note what a stage has written."""
    for path in paths:
        with whole(digest_file(path)) as partial:
            partial.write_text(json.dumps({"stage": stage, "sha256": digest(path)}))


def check_whole(paths: Iterable[Path], stage: str) -> None:
    """Refuse inputs that differ from what their stage wrote; what this stage wrote before is an output, written anew."""
    for path in paths:
        kept = read_digest(path)
        if kept is None:
            continue
        if kept["stage"] == stage or not path.exists():
            digest_file(path).unlink(missing_ok=True)
        elif digest(path) != kept["sha256"]:
            raise StageError(
                f"{path} is not what {kept['stage']} wrote: it is damaged, or was changed since; delete it and run "
                f"again, or, if you changed it on purpose, delete {digest_file(path)}"
            )


def read_digest(path: Path) -> dict[str, Any] | None:
    """What was noted of a file, None where nothing readable was."""
    try:
        kept = json.loads(digest_file(path).read_bytes())
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and {"stage", "sha256"} <= kept.keys() else None


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, of the names and bytes of all visible files in it."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(entry for entry in path.rglob("*") if entry.is_file() and not hidden(entry.relative_to(path)))
    total = hashlib.sha256()
    for entry in files:
        total.update(f"{entry.relative_to(path)}\0{digest(entry)}\n".encode())
    return total.hexdigest()


def hidden(path: Path) -> bool:
    """Whether a part of a path begins with a dot."""
    return any(part.startswith(".") for part in path.parts)
