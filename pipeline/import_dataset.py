"""A scene of a data set as what a person gives of a video: images, masks, poses, depth, labels, and truth to judge by.

Reads   dataset   LAYOUT:PATH, as the key `dataset` of a scene in config.yaml
Writes  export/   images/, masks/, transforms.json, depth/, labels/, truth.h5 (those that the data set has), and
                  dataset.json, what was understood
"""

import logging
from pathlib import Path

from pipeline.cli import run_stage
from pipeline.config import ImportDatasetConfig
from pipeline.datasets.imported_scene import ImportedScene, read_dataset
from pipeline.datasets.scene_folder import write_scene_folder
from pipeline.runtime.atomic import whole
from pipeline.runtime.dataset_key import dataset_key, promised
from pipeline.runtime.errors import StageError

log = logging.getLogger(__name__)


def import_dataset(dataset: Path, export: Path, config: ImportDatasetConfig) -> None:
    layout, path = dataset_key(str(dataset))
    scene = read_dataset(layout, path, config)
    parts = promised(layout, path) & {*config.use, "truth"}
    check_promise(path, scene, parts)
    with whole(export) as partial:
        write_scene_folder(partial, scene, parts, {"layout": layout, "path": str(path)})
    report_scene(scene, parts)


def check_promise(path: Path, scene: ImportedScene, parts: frozenset[str]) -> None:
    """The graph counts on the parts that a look at the folder promised."""
    if missing := parts - scene.parts:
        raise StageError(
            f"{path} looks as if it had {', '.join(sorted(missing))}, but they were not found in its files"
        )


def report_scene(scene: ImportedScene, parts: frozenset[str]) -> None:
    """What was understood, a line each."""
    height, width = scene.size
    held_out = 0 if scene.test is None else len(scene.test.time)
    log.info("%d frames of %dx%d, %d test views (%s)", len(scene.names), width, height, held_out, scene.split)
    log.info("protocol %s; with %s", scene.protocol, ", ".join(sorted(parts)) or "nothing beside the images")
    for note in scene.notes:
        log.info("%s", note)
    for doubt in scene.doubts:
        log.warning("%s", doubt)


if __name__ == "__main__":
    run_stage(import_dataset)
