"""A scene of a data set as all layouts give it: in our axes, pixels and times, whatever the data set's are.

Pixels: a camera of a loader that sends the ray of pixel index u through (u - W/2) / f is ours with its principal point at
W/2 + 0.5 (`index_camera`), as our pixel of index u lies at u + 0.5. Times: everything of the video is in the order of its
frames; a view's `time` in truth is the index of the video's frame of the same time (`frames_at`).
"""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from pipeline.cameras import IGNORE_ID, Intrinsics
from pipeline.config import DatasetLayout, ImportDatasetConfig
from pipeline.datasets import layouts
from pipeline.formats.lens import Lens
from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import TrueScenes, Truth, TruthViews, unknown_solo_depth

SAME_TIME = 1e-6
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ImportedScene:
    """What a data set says of one scene.

    The video: `images` in the order of time with the data set's own `names` and `times`, a pose (NaN where there is none)
    and a lens for each. What the pipeline may see beside it: `masks` (ids from 0, the background; 255 is ignored; what ids
    are called in `mask_names`), `labels` (classes by their place in `classes`, 255 is ignored) and `depth` along the axis
    or disparity (0 is unknown); `holes`, where images show nothing and were painted over. What only judges: `train` (what is
    known of the video's views), `test` (held-out views) and `scenes` (others that show the same video). `protocol` names how
    the data set's own numbers are computed, `split` which of its lists of test views was taken. `notes` say what was
    understood, `doubts` what a person should look at.
    """

    protocol: str
    split: str
    names: list[str]
    times: Float[np.ndarray, "frame"]
    images: UInt8[np.ndarray, "frame height width rgb=3"]
    world_from_camera: Float[np.ndarray, "frame 4 4"]
    lenses: list[Lens]
    train: TruthViews
    test: TruthViews | None = None
    scenes: TrueScenes | None = None
    masks: UInt8[np.ndarray, "frame height width"] | None = None
    mask_names: dict[int, str] = field(default_factory=dict)
    labels: UInt8[np.ndarray, "frame height width"] | None = None
    classes: list[tuple[str, Colour]] = field(default_factory=list)
    depth: Float[np.ndarray, "frame height width"] | None = None
    holes: Bool[np.ndarray, "frame height width"] | None = None
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        return self.images.shape[1], self.images.shape[2]

    @property
    def parts(self) -> set[str]:
        """What there is beside the images."""
        given = {"masks": self.masks, "labels": self.labels, "depth": self.depth, "truth": self.test}
        return {"poses"} | {name for name, value in given.items() if value is not None}

    @property
    def truth(self) -> Truth:
        """What judges, as truth.h5 holds it."""
        if self.test is None:
            raise StageError("the data set has no test views, so there is nothing to judge by")
        objects = 1 + max(largest_id(views.object_ids) for views in (self.train, self.test))
        objects = max(objects, 1 + self.train.world_from_object.shape[1])
        solo = unknown_solo_depth(objects, len(self.names), self.size)
        focal = self.lenses[0].camera.fx
        return Truth(self.train, self.test, solo, focal, self.scenes, self.protocol, self.split, False)


def read_dataset(layout: DatasetLayout, path: Path, config: ImportDatasetConfig) -> ImportedScene:
    """The scene in a folder, by the module of its layout."""
    if not path.is_dir():
        raise StageError(f"{path} is not a folder; give the folder of one scene of the data set")
    scene: ImportedScene = import_module(f"{layouts.__name__}.{layout}").read(path, config)
    return scene


def index_camera(focal_px: float, height: int, width: int) -> Intrinsics:
    """The camera of loaders that send the ray of pixel index u through (u - W/2) / f."""
    return Intrinsics(focal_px, focal_px, width / 2 + 0.5, height / 2 + 0.5, width, height)


def only_split(config: ImportDatasetConfig, split: str, path: Path) -> str:
    """The one split of a layout that has no others."""
    if config.split not in (None, split):
        raise StageError(f"import_dataset.split is {config.split}, but {path} has only {split}; leave it out")
    return split


def frames_at(times: Float[np.ndarray, "view"], of_video: Float[np.ndarray, "frame"]) -> Int[np.ndarray, "view"]:
    """The video's frame of each time, -1 where it has none."""
    distance = np.abs(times[:, None] - of_video[None])
    return np.where(distance.min(axis=1) < SAME_TIME, distance.argmin(axis=1), -1).astype(np.int32)


def largest_id(object_ids: UInt8[np.ndarray, "*batch"]) -> int:
    """The largest id that is not ignored; 0 where there is none."""
    return int(object_ids.max(initial=0, where=object_ids != IGNORE_ID))
