"""Files of tensors (.pt): written whole or not at all, read after every byte has been checked.

torch writes a ZIP archive with a checksum for each tensor, and does not look at the checksums when it reads: a flipped
byte becomes another weight. So they are checked here.
"""

import zipfile
from pathlib import Path
from typing import Any

import torch

from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.guarded_file import guarded


def save_tensors(path: Path, contents: Any) -> None:
    """Write plain values and tensors, whole or not at all."""
    with whole(path) as partial, guarded(partial) as file:
        torch.save(contents, file)


def load_tensors(path: Path) -> Any:
    """Plain values and tensors of a file that is whole, on the CPU; StageError where it is torn or a byte of it changed."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        if broken is None:
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a torn file makes zipfile and torch raise
        raise StageError(f"{path} cannot be read ({str(error).splitlines()[0]})") from error
    raise StageError(f"{path} is damaged: {broken} in it does not have its checksum")
