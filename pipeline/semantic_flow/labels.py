"""What pixels mean: classes from objects or from label maps, and which frames' labels a task may see."""

import json
import logging
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int16

from pipeline.cameras import IGNORE_ID
from pipeline.config import TrainSemanticFlowConfig
from pipeline.formats.frame_files import FrameFiles, KeptFrames, data_files, files_of_frames
from pipeline.formats.id_files import LOSSY, SUFFIXES, IdMap, colours_count, form_of, read_id_map, value_counts
from pipeline.formats.lens import straight_ids
from pipeline.formats.masks_file import read_masks
from pipeline.formats.scene_file import Scene
from pipeline.runtime.errors import StageError

log = logging.getLogger(__name__)
UNLABELLED = -1
LABEL_MAP = "labelmap.txt"


@dataclass(frozen=True)
class Labels:
    """Class of every pixel, -1 where unknown; what the classes are called, and which of them move.

    `class_of` gives the class of each id of the source, an object's of masks.h5 or a label map's own.
    """

    ids: Int16[np.ndarray, "frame height width"]
    names: list[str]
    moves: list[bool]
    class_of: dict[int, int]
    labelled: Bool[np.ndarray, "frame"]

    @property
    def moving(self) -> Bool[np.ndarray, "frame height width"]:
        """Pixels of labelled frames that belong to a moving class."""
        return looked_up(np.array([*self.moves, False]), self.ids)  # the last entry is that of pixels without a label


def labelled_frames(task: str, share: float, frames: int) -> list[int]:
    """0-based frames whose labels a task sees: all, the first ones (tracking), or those at both ends (completion).

    Of an odd number the beginning gets one more: for 12 frames 25 % are 0, 1, 11 and 50 % are 0, 1, 2, 9, 10, 11.
    """
    if task == "full":
        return list(range(frames))
    count = min(max(round(share * frames), 1), frames)
    if task == "tracking":
        return list(range(count))
    first = math.ceil(count / 2)
    return [*range(first), *range(frames - (count - first), frames)]


def held_out_frames(task: str, share: float, frames: int) -> list[int]:
    """0-based frames whose labels a task never sees, on which it is judged."""
    return sorted(set(range(frames)) - set(labelled_frames(task, share, frames)))


def training_labels(scene: Scene, labels: Path | None, config: TrainSemanticFlowConfig) -> Labels:
    """The labels that training may see; those of held-out frames are gone."""
    given = read_labels(scene, labels, config)
    seen = np.zeros(scene.frame_count, bool)
    seen[labelled_frames(config.task, config.labelled_fraction, scene.frame_count)] = True
    ids = np.where(seen[:, None, None], given.ids, np.int16(UNLABELLED))
    return replace(given, ids=ids, labelled=seen)


def read_labels(scene: Scene, labels: Path | None, config: TrainSemanticFlowConfig) -> Labels:
    """Labels of all frames: the scene's own objects, a masks.h5, or a folder of label maps."""
    if labels is None:
        names = [str(entry["name"]) for entry in scene.objects]
        keys = [str(entry["id"]) for entry in scene.objects]
        return classed(scene.object_ids, names, keys, config)
    if labels.is_dir():
        return label_folder(scene, labels, config)
    objects_file = labels.with_name("objects.json")
    ids = straight_ids(scene.kept.frame_undistortion, read_masks(labels))
    listed = json.loads(objects_file.read_text())["objects"] if objects_file.exists() else []
    called = {int(entry["id"]): str(entry["name"]) for entry in listed}
    present = sorted({0, *called, *(int(value) for value in np.unique(ids) if value != IGNORE_ID)})
    dense = np.full(256, IGNORE_ID, np.uint8)
    dense[present] = np.arange(len(present))
    check_size(scene, ids, labels)
    return classed(dense[ids], [called.get(i, f"object {i}") for i in present], [str(i) for i in present], config)


def classed(ids: np.ndarray, names: list[str], keys: list[str], config: TrainSemanticFlowConfig) -> Labels:
    """Objects put into classes by name or id; the first is the background, which does not move."""
    chosen = [config.classes.get(name, config.classes.get(key, name)) for name, key in zip(names, keys, strict=True)]
    if unknown := set(config.classes) - set(names) - set(keys):
        raise StageError(
            f"train_semantic_flow.classes names {', '.join(sorted(unknown))}, but the objects are {', '.join(names)}"
        )
    classes = list(dict.fromkeys(chosen))
    table = np.full(256, UNLABELLED, np.int16)
    table[: len(chosen)] = [classes.index(name) for name in chosen]
    moves = [name != chosen[0] and name not in config.static_classes for name in classes]
    class_of = {int(key): int(table[index]) for index, key in enumerate(keys)}
    return Labels(looked_up(table, ids), classes, moves, class_of, np.ones(len(ids), bool))


def looked_up(table: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """`table[ids]` frame by frame: numpy makes 8 bytes of every index, which of a long video is more than the video."""
    found = np.empty(ids.shape, table.dtype)
    for own, frame in zip(found, ids, strict=True):
        own[...] = table[frame]
    return found


def label_folder(scene: Scene, folder: Path, config: TrainSemanticFlowConfig) -> Labels:
    """Label maps, one a frame: ids, or colours explained by labelmap.txt (lines `name:r,g,b`)."""
    files = label_files(folder, scene.kept)
    log.info("label maps of %s, %s", folder, files.how)
    if files.doubt:
        log.warning("label maps of %s: %s", folder, files.doubt)
    palette = read_palette(folder / LABEL_MAP)
    ids = class_ids(files, scene.size, palette)
    known = [int(value) for value in np.unique(ids) if value != IGNORE_ID]
    names = [name for name, _ in palette] or [f"class {value}" for value in range(max(known, default=0) + 1)]
    if known and max(known) >= len(names):
        raise StageError(f"{folder} uses class {max(known)}, but {LABEL_MAP} names only {len(names)} classes")
    return classed(ids.astype(np.uint8), names, [str(value) for value in range(len(names))], config)


def label_files(folder: Path, kept: KeptFrames) -> FrameFiles:
    """The label map of each frame."""
    files = data_files(folder, SUFFIXES)
    if not files and (lossy := data_files(folder, LOSSY)):
        raise StageError(
            f"{folder} holds label maps as {lossy[0].suffix}, which changes classes at their borders; save them as PNG or .npy"
        )
    return files_of_frames(files, kept, f"the label maps of {folder}")


def class_ids(files: FrameFiles, size: tuple[int, int], palette: list[tuple[str, tuple[int, ...]]]) -> np.ndarray:
    """Class ids of label maps, at the frames' size (height, width)."""
    by_colour = colours_count(files.paths)
    maps = [read_id_map(path, size, files.view, by_colour) for path in files.paths]
    form_of(maps, str(files.paths[0].parent))  # refuses smoothed borders
    ids = np.stack([label_map(one, path, palette) for one, path in zip(maps, files.paths, strict=True)])
    if not ids.min() >= 0 or (ids == IGNORE_ID).all():
        shown = (
            f"the class {ids.min()}"
            if ids.min() < 0
            else f"no class of {LABEL_MAP}, or only {IGNORE_ID}, which is ignored"
        )
        raise StageError(
            f"{files.paths[0].parent} shows {shown}; classes are numbers from 0, or the colours of {LABEL_MAP}: correct either"
        )
    if ids.max() > IGNORE_ID:
        raise StageError(
            f"{files.paths[0].parent} uses class {ids.max()}; classes are numbered from 0 to 254, and {IGNORE_ID} is ignored"
        )
    return ids


def read_palette(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Names and colours of the classes, in order; empty where there is no file."""
    if not path.exists():
        return []
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in lines:
        if not re.match(r"[^:]+:\s*\d+\s*,\s*\d+\s*,\s*\d+\s*(:|$)", line):
            raise StageError(f"{path}: the line `{line}` is not `name:r,g,b`, as `car:0,0,142`; correct it")
    return [(line.split(":")[0], tuple(int(v) for v in line.split(":")[1].split(","))) for line in lines]


def label_map(found: IdMap, file: Path, palette: list[tuple[str, tuple[int, ...]]]) -> np.ndarray:
    """Class ids of one map; colours that no class has are ignored."""
    if found.soft:
        raise StageError(
            f"{file} has values from 0 to 1; a label map has class ids: of probabilities, the likeliest class"
        )
    if not palette:
        if found.colours:
            raise StageError(
                f"{file} is a label map in colour; add {LABEL_MAP} with a line `name:r,g,b` for each class"
            )
        return found.values
    grey = [red for _, (red, green, blue) in palette if red == green == blue]
    if not found.colours and not set(value_counts(found.values)) <= set(grey):
        return found.values  # ids, of which the file of colours gives the names
    value = found.values if found.colours else found.values * 0x010101
    ids = np.full(value.shape, IGNORE_ID, np.int64)
    for index, (_, (red, green, blue)) in enumerate(palette):
        ids[value == (red << 16) + (green << 8) + blue] = index
    return ids


def check_size(scene: Scene, ids: np.ndarray, source: Path) -> None:
    """Label maps must be as many and as large as the frames."""
    if ids.shape != scene.object_ids.shape:
        raise StageError(f"{source} has label maps of {ids.shape}, the scene's frames are {scene.object_ids.shape}")
