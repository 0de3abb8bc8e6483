"""DyCheck's iPhone scenes: one hand-held camera trains, two that stand test; LiDAR depth, co-visibility.

The lists are those of splits/train.json and splits/val.json; the protocol reads images at half size. What else:
pipeline/datasets/nerfies_scene.py.
"""

from pathlib import Path

from pipeline.config import ImportDatasetConfig
from pipeline.datasets.imported_scene import ImportedScene, only_split
from pipeline.datasets.nerfies_scene import Lists, imported, named_lists, read_capture, split_ids

FACTOR = 2
SPLIT = "val"


def read(path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """One scene; without test views where it has no val list."""
    split = only_split(config, SPLIT, path)
    capture = read_capture(path, config.factor, FACTOR)
    if (path / "splits" / f"{SPLIT}.json").exists():
        return imported(capture, named_lists(capture, split, "train", SPLIT), [])
    return imported(capture, Lists(split, split_ids(capture, "train"), []), [])
