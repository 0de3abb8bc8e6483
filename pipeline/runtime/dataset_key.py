"""What `dataset: LAYOUT:PATH` of a scene means: the layout, the folder, and which parts a look at the folder promises.

The graph is known before it runs, so it must know which parts the importer will write; a part is promised where any of
its signs is there. pipeline/datasets/layouts/LAYOUT.py keeps the promise.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import get_args

from pipeline.config import DatasetLayout
from pipeline.runtime.errors import StageError

LAYOUTS: tuple[DatasetLayout, ...] = get_args(DatasetLayout)
PARTS = ("masks", "poses", "depth", "labels", "truth")
Sign = Callable[[Path], bool]


def dataset_key(text: str) -> tuple[DatasetLayout, Path]:
    """The layout and the folder of `LAYOUT:PATH`."""
    name, colon, folder = text.partition(":")
    layout = next((known for known in LAYOUTS if known == name), None)
    if layout is None or not colon or not folder:
        raise StageError(f"{text} is no data set; write LAYOUT:PATH, where LAYOUT is one of {', '.join(LAYOUTS)}")
    return layout, Path(folder)


def has(*patterns: str) -> Sign:
    """Whether a folder has something that fits one of some patterns."""
    return partial(fits, patterns=patterns)


def fits(folder: Path, patterns: tuple[str, ...]) -> bool:
    return any(next(folder.glob(pattern), None) is not None for pattern in patterns)


def mentions(file: str, word: str) -> Sign:
    """Whether a text file in a folder has a word."""
    return partial(contains, file=file, word=word)


def contains(folder: Path, file: str, word: str) -> bool:
    path = folder / file
    return path.is_file() and word in path.read_text(errors="replace")


def tests_some(folder: Path) -> bool:
    """Whether a transforms.json lists test images, or leaves nerfstudio's tenth of at least ten frames for them."""
    path = folder / "transforms.json"
    text = path.read_text(errors="replace") if path.is_file() else ""
    if '"train_filenames"' in text:
        return '"test_filenames"' in text or '"val_filenames"' in text
    return text.count('"file_path"') >= 10


LLFF: dict[str, Sign] = {
    "masks": has("motion_masks/*"),
    "poses": has("poses_bounds.npy"),
    "depth": has("disp/*"),
}
OSN: dict[str, Sign] = {
    "masks": has("segm_sam/*.npy"),
    "poses": has("transforms_train.json"),
    "truth": has("transforms_test.json"),
}
PROMISES: dict[DatasetLayout, Mapping[str, Sign]] = {
    "osn": OSN,
    "multimotion": OSN,
    "nvidia": LLFF | {"truth": has("gt/*", "multiview_GT/*")},
    "nsff": {
        name: has(f"{pattern}", f"dense/{pattern}")
        for name, pattern in (
            ("masks", "motion_masks/*"),
            ("poses", "poses_bounds.npy"),
            ("depth", "disp/*"),
            ("truth", "mv_images/*"),
        )
    },
    "semantic_nvidia": {
        "masks": has("SegmentationClass_train/*"),
        "poses": has("poses_bounds.npy"),
        "depth": has("disp/*"),
        "labels": has("SegmentationClass_train/*"),
        "truth": has("multiview_GT/*"),
    },
    "dycheck": {"poses": has("camera/*.json"), "depth": has("depth/*x/*"), "truth": has("splits/val*.json")},
    "hypernerf": {"poses": has("camera/*.json"), "truth": has("splits/val*.json", "dataset.json")},
    "dnerf": {"poses": has("transforms_train.json"), "truth": has("transforms_test.json")},
    "nerfstudio": {
        "masks": mentions("transforms.json", '"mask_path"'),
        "poses": has("transforms.json"),
        "depth": mentions("transforms.json", '"depth_file_path"'),
        "truth": tests_some,
    },
}


def promised(layout: DatasetLayout, folder: Path) -> frozenset[str]:
    """The parts that a data set has beside its images."""
    return frozenset(part for part, sign in PROMISES[layout].items() if sign(folder))
