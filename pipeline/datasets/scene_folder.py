"""An imported scene written as what a person gives: a folder of images, masks, poses, depth maps, labels, and truth.h5."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.imported_scene import ImportedScene
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.transforms_file import OPENGL_FROM_OPENCV
from pipeline.runtime.errors import StageError
from pipeline.runtime.guarded_file import write_array
from pipeline.truth.truth_file import write_truth

IMAGES, MASKS, POSES, DEPTH, LABELS, TRUTH = "images", "masks", "transforms.json", "depth", "labels", "truth.h5"
FACTS = "dataset.json"
COEFFICIENTS = {
    "PINHOLE": (),
    "OPENCV": ("k1", "k2", "p1", "p2"),
    "FULL_OPENCV": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"),
    "OPENCV_FISHEYE": ("k1", "k2", "k3", "k4"),
}


def write_scene_folder(folder: Path, scene: ImportedScene, parts: Collection[str], facts: dict[str, Any]) -> None:
    """Write the images, the parts that are asked for, and dataset.json; files are named by frame."""
    folder.mkdir(parents=True)
    names = [frame_name(index) for index in range(len(scene.names))]
    for index, name in enumerate(names):
        write_image(folder / IMAGES / name, with_holes(scene, index))
    if scene.masks is not None and "masks" in parts:
        for name, ids in zip(names, scene.masks, strict=True):
            write_image(folder / MASKS / name, ids)
    if scene.depth is not None and "depth" in parts:
        (folder / DEPTH).mkdir()
        for name, depth in zip(names, scene.depth, strict=True):
            write_array(folder / DEPTH / Path(name).with_suffix(".npy"), depth.astype(np.float32))
    if "poses" in parts:
        (folder / POSES).write_text(json.dumps(transforms(scene, names), indent=1))
    if "labels" in parts:
        write_labels(folder / LABELS, scene, names)
    if "truth" in parts:
        write_truth(folder / TRUTH, scene.truth)
    (folder / FACTS).write_text(json.dumps(facts | scene_facts(scene, parts), indent=1))


def with_holes(scene: ImportedScene, index: int) -> np.ndarray:
    """An image of the video, transparent where it shows nothing, if it has such places."""
    image = scene.images[index]
    if scene.holes is None or not scene.holes[index].any():
        return image
    return np.dstack([image, np.where(scene.holes[index], 0, 255).astype(np.uint8)])


def write_labels(folder: Path, scene: ImportedScene, names: list[str]) -> None:
    """Label maps of ids, and labelmap.txt with the names and colours of the classes."""
    assert scene.labels is not None
    for name, ids in zip(names, scene.labels, strict=True):
        write_image(folder / name, ids)
    lines = [f"{name}:{red},{green},{blue}::" for name, (red, green, blue) in scene.classes]
    (folder / "labelmap.txt").write_text("\n".join(lines) + "\n")


def transforms(scene: ImportedScene, names: list[str]) -> dict[str, Any]:
    """Poses and lenses of all images, in the form of nerfstudio; frames without a pose have null."""
    matrices = scene.world_from_camera @ OPENGL_FROM_OPENCV
    frames = [
        {"file_path": f"{IMAGES}/{name}", "transform_matrix": pose_rows(matrix), **lens_values(lens.model, lens.params)}
        | {"w": lens.width, "h": lens.height}
        for name, matrix, lens in zip(names, matrices, scene.lenses, strict=True)
    ]
    return {"frames": frames}


def pose_rows(matrix: np.ndarray) -> list[list[float]] | None:
    """A pose as JSON."""
    return matrix.tolist() if np.isfinite(matrix).all() else None


def lens_values(model: str, params: tuple[float, ...]) -> dict[str, Any]:
    """A lens by nerfstudio's names."""
    if model not in COEFFICIENTS:
        raise StageError(f"a lens of model {model} has no name in transforms.json; known are {', '.join(COEFFICIENTS)}")
    keys = ("fl_x", "fl_y", "cx", "cy", *COEFFICIENTS[model])
    return {"camera_model": model, **dict(zip(keys, params, strict=True))}


def scene_facts(scene: ImportedScene, parts: Collection[str]) -> dict[str, Any]:
    """What dataset.json says: what was understood, and what the data set calls its images."""
    height, width = scene.size
    return {
        "protocol": scene.protocol,
        "split": scene.split,
        "parts": sorted(parts),
        "frames": len(scene.names),
        "test_views": 0 if scene.test is None else len(scene.test.time),
        "height": height,
        "width": width,
        "objects": scene.mask_names,
        "notes": scene.notes,
        "doubts": scene.doubts,
        "names": scene.names,
        "times": scene.times.tolist(),
    }
