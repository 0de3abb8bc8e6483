"""Oxford Multimotion as OSN prepares it: the left camera is the video, the right one of the same times the test views.

The folder is laid out as OSN's real scenes; resolution and focal length are in its JSON, not in the code.
"""

from pathlib import Path

from pipeline.config import ImportDatasetConfig
from pipeline.datasets.imported_scene import ImportedScene
from pipeline.datasets.layouts import osn
from pipeline.runtime.errors import StageError


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """The processed scene; of the raw recordings OSN's scripts make it."""
    if not (path / "transforms_train.json").exists():
        raise StageError(
            f"{path} has no transforms_train.json; raw recordings are brought into OSN's layout by its data_prepare scripts"
        )
    return osn.read(path, config)
