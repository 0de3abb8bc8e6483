"""Masks that a person gives: one file a frame, one folder or file an object and frame, one array of all frames, or one
file a key frame, named after it.

Every value or colour is an object, 0 or black is the background, and 255 (as an id) means "ignore"; in black and white
files, white is the one object. Files of another size are resized to the frames, without mixing ids, when the shape of
the image is the same. What was decided is kept in words, for the log and the report.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.formats.frame_files import (
    ARRAYS,
    FrameFiles,
    KeptFrames,
    data_files,
    data_folders,
    files_of_frames,
    last_number,
    nearest_resized,
)
from pipeline.formats.id_files import (
    LOSSY,
    SUFFIXES,
    IdMap,
    form_of,
    frames_of_array,
    layered,
    read_array,
    read_id_map,
)
from pipeline.runtime.errors import StageError

MOST_OBJECTS = 254
MOSTLY_WHITE = 0.6
MOST_LEVELS = 18  # of grey; more are ids that happen to reach 255
KEY_FRAMES = "if they are masks of some frames, numbered by frame, set segment_objects.key_frames: true"


@dataclass(frozen=True)
class GivenMasks:
    """Ids made contiguous, and what each was called in the files: a number, a colour as #rrggbb, or a folder's name.

    `decided` says how the files were understood, `doubts` what a person should look at.
    """

    object_ids: UInt8[np.ndarray, "frame height width"]
    names: list[str]
    decided: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def read_mask_folder(folder: Path, kept: KeptFrames, size: tuple[int, int], most: int | None = None) -> GivenMasks:
    """The masks of a folder, for the frames of a scene; all of them are matched, at most `most` of each object read."""
    files = mask_files(folder)
    folders = {path.name: data_files(path, SUFFIXES) for path in data_folders(folder, SUFFIXES)}
    if files and len(files) not in (len(kept), kept.source_count):
        objects = files_by_object(files, kept)
        return (
            masks_of_objects(objects, kept, size, folder, "file", most)
            if objects
            else masks_of_frames(files, kept, size, folder, most)
        )
    if files:
        return masks_of_frames(files, kept, size, folder, most)
    if len(folders) == 1:
        return masks_of_frames(next(iter(folders.values())), kept, size, folder, most)
    return masks_of_objects(folders, kept, size, folder, "folder", most)


def read_key_masks(folder: Path, kept: KeptFrames, size: tuple[int, int]) -> tuple[list[int], GivenMasks]:
    """The masks of some frames, and which: the last number in a file's name is the frame's index."""
    paths = mask_files(folder)
    numbers = [last_number(path.stem) for path in paths]
    for path, number in zip(paths, numbers, strict=True):
        if number is None or number >= len(kept) or numbers.count(number) > 1:
            raise StageError(
                f"{path} should be named after its frame, 0 to {len(kept) - 1}, each frame once, "
                "because segment_objects.key_frames is true; rename it, or give one mask a frame and leave key_frames out"
            )
    files = FrameFiles(paths, "numbered by frame", "", kept.frame_view)
    return [number for number in numbers if number is not None], ids_of(files, size, folder)


def mask_files(folder: Path) -> list[Path]:
    """The mask files of a folder; refuses one that has only lossy pictures, or nothing in it."""
    files = data_files(folder, SUFFIXES)
    if files or data_folders(folder, SUFFIXES):
        return files
    if lossy := data_files(folder, LOSSY):
        raise StageError(
            f"{folder} holds masks as {lossy[0].suffix} ({lossy[0].name}, ...), which changes ids at their borders; "
            "save them as PNG or .npy"
        )
    raise StageError(f"{folder} holds no masks ({', '.join(SUFFIXES)}); give one file a frame")


def masks_of_frames(
    files: Sequence[Path], kept: KeptFrames, size: tuple[int, int], folder: Path, most: int | None = None
) -> GivenMasks:
    """The masks of one file a frame, or of one array that holds all frames."""
    if len(files) == 1 and files[0].suffix.lower() in ARRAYS and (stack := all_frames(files[0], kept)) is not None:
        maps = [fitted(values, size, kept, files[0]) for values in stack]
        return understood(maps, files[0], ["one array of all frames"], [])
    return ids_of(found_files(files, kept, folder).thinned(most), size, folder)


def fitted(
    values: Int[np.ndarray, "from_height from_width"], size: tuple[int, int], kept: KeptFrames, path: Path
) -> IdMap:
    """Ids of the video, undistorted as the frames were and at their size."""
    seen = values if kept.view is None else kept.view.apply(values.astype(np.int32), exact=True).astype(np.int64)
    return IdMap(nearest_resized(seen, size, path))


def all_frames(path: Path, kept: KeptFrames) -> Int[np.ndarray, "frame height width"] | None:
    """The ids of an array of all frames, kept ones or the video's; None where the array is something else."""
    array = frames_of_array(read_array(path))
    if array.ndim != 3 or array.dtype.kind not in "uib" or len(array) not in (len(kept), kept.source_count):
        return None
    return (array[kept.source_index] if len(array) == kept.source_count else array).astype(np.int64)


def found_files(files: Sequence[Path], kept: KeptFrames, folder: Path) -> FrameFiles:
    """The mask of each frame; where there are too few, both ways out."""
    try:
        return files_of_frames(files, kept, f"the masks of {folder}")
    except StageError as error:
        raise StageError(f"{error}; {KEY_FRAMES}") from error


def files_by_object(files: Sequence[Path], kept: KeptFrames) -> dict[str, list[Path]]:
    """Files of one object and frame each, by object: what is left of a name without the frame's number; {} if they are not."""
    for position in range(3):
        groups: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            pieces = re.split(r"(\d+)", path.stem)
            if 2 * position + 1 >= len(pieces):
                break
            groups["".join(pieces[: 2 * position + 1] + pieces[2 * position + 2 :])].append(path)
        counts = {len(group) for group in groups.values()}
        complete = sum(map(len, groups.values())) == len(files)
        if complete and len(groups) > 1 and counts in ({len(kept)}, {kept.source_count}):
            return {name.strip("_-. ") or name: group for name, group in sorted(groups.items())}
    return {}


def masks_of_objects(
    objects: dict[str, list[Path]],
    kept: KeptFrames,
    size: tuple[int, int],
    folder: Path,
    what: str,
    most: int | None = None,
) -> GivenMasks:
    """One object from each list of files, called as its folder or as its files; the smallest is in front."""
    if len(objects) > MOST_OBJECTS:
        raise StageError(f"{folder} has {len(objects)} objects, at most {MOST_OBJECTS} are possible")
    layers, doubts = [], []
    for name, files in objects.items():
        found = found_files(files, kept, folder / name if what == "folder" else folder).thinned(most)
        given = ids_of(found, size, folder)
        layers.append((given.object_ids > 0) & (given.object_ids != IGNORE_ID))
        doubts += given.doubts
    stack = np.stack(layers)
    ids = np.stack([layered(stack[:, frame]) for frame in range(stack.shape[1])])
    overlap = float((stack.sum(0) > 1).sum() / max((stack.sum(0) > 0).sum(), 1))
    if overlap > 0.01:
        doubts.append(
            f"{100 * overlap:.0f} % of the masked pixels of {folder} have several objects; the smallest is kept"
        )
    return GivenMasks(ids, list(objects), [f"one {what} an object: {', '.join(objects)}", found.how], doubts)


def ids_of(files: FrameFiles, size: tuple[int, int], folder: Path) -> GivenMasks:
    """The ids of files, at the frames' size."""
    maps = [read_id_map(path, size, files.view) for path in files.paths]
    mixed = [
        path for path, one in zip(files.paths, maps, strict=True) if one.colours != maps[0].colours and one.values.any()
    ]
    if mixed and maps[0].values.any():
        raise StageError(
            f"{mixed[0]} and {files.paths[0]}: one has colours, the other ids; save all masks the same way"
        )
    return understood(maps, folder, [files.how], [files.doubt] if files.doubt else [])


def understood(maps: list[IdMap], folder: Path, decided: list[str], doubts: list[str]) -> GivenMasks:
    """Ids of maps once it is known how their numbers are meant."""
    form = form_of(maps, str(folder))
    values = np.stack([one.values for one in maps])
    if form.from_value is not None:
        ids = (values >= form.from_value).astype(np.uint8)
        white = float(ids.mean())
        if white > MOSTLY_WHITE:
            doubts = [
                *doubts,
                f"white covers {100 * white:.0f} % of the masks of {folder}: is the object the black part?",
            ]
        return GivenMasks(ids, ["white"] if ids.any() else [], [form.words, *decided], doubts)
    colours = any(one.colours for one in maps)
    ids, names = contiguous(values, colours, folder)
    if not names:
        doubts = [*doubts, f"none of the {len(maps)} masks of {folder} that were read shows an object"]
    elif not colours and are_levels(np.unique(values)):
        doubts = [
            *doubts,
            f"the masks of {folder} are levels of grey ({', '.join(names)}, 255): 255 is taken as ignore; if it is an "
            "object, save ids (1, 2, ...)",
        ]
    return GivenMasks(ids, names, [form.words, *decided], doubts)


def are_levels(values: Int[np.ndarray, "value"]) -> bool:
    """Whether ids go in even steps from 0 to white, as levels of grey that stand for objects do."""
    even = np.linspace(0, IGNORE_ID, len(values))
    return 2 < len(values) <= MOST_LEVELS and int(values[-1]) == IGNORE_ID and bool(np.abs(values - even).max() <= 1)


def contiguous(
    values: Int[np.ndarray, "frame height width"], colours: bool, folder: Path
) -> tuple[UInt8[np.ndarray, "frame height width"], list[str]]:
    """Ids 0, 1, 2, ... in the order of the values, and their names; 255 stays, unless it is part of a colour."""
    found, where = np.unique(values, return_inverse=True)
    objects = [int(v) for v in found if v != 0 and (colours or v != IGNORE_ID)]
    if objects and objects[0] < 0:
        raise StageError(f"{folder} has the id {objects[0]}; ids are 0 (background) to 65535, 255 means ignore")
    if len(objects) > MOST_OBJECTS:
        raise StageError(
            f"{folder} has {len(objects)} different ids or colours, at most {MOST_OBJECTS} are possible; "
            "are the masks saved without loss (PNG, no anti-aliasing)?"
        )
    table = np.zeros(len(found), np.uint8)
    for index, value in enumerate(found):
        table[index] = objects.index(int(value)) + 1 if int(value) in objects else (IGNORE_ID if value else 0)
    return table[where.reshape(values.shape)], [f"#{v:06x}" if colours else str(v) for v in objects]
