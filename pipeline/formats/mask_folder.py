"""Masks that a person gives: one file a frame, one folder or file an object and frame, one array of all frames, or one
file a key frame, named after it.

Every value or colour is an object, 0 or black is the background, and 255 (as an id) means "ignore"; in black and white
files, white is the one object. Files of another size are resized to the frames, without mixing ids, when the shape of
the image is the same. What was decided is kept in words, for the log and the report.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
    natural_order,
    nearest_resized,
    spread,
    video_words,
)
from pipeline.formats.id_files import (
    LOSSY,
    SUFFIXES,
    IdMap,
    as_id_map,
    colours_count,
    form_of,
    frames_of_array,
    layered,
    looks_inverted,
    read_array,
    read_id_map,
    value_counts,
)
from pipeline.runtime.errors import StageError

MOST_OBJECTS = 254
MOSTLY_WHITE = 0.6
LEAST_BACKGROUND = 0.001  # share of all pixels
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
    if files and len(files) not in (len(kept), kept.source_count) and (objects := files_by_object(files, kept)):
        return masks_of_objects(objects, kept, size, folder, "file", most)
    if files or len(folders) == 1:
        return masks_of_frames(files or next(iter(folders.values())), kept, size, folder, most)
    check_folders(folder, folders, kept)
    objects = {name: {path.stem: path for path in inside} for name, inside in folders.items()}
    return masks_of_objects(objects, kept, size, folder, "folder", most)


def check_folders(folder: Path, folders: dict[str, list[Path]], kept: KeptFrames) -> None:
    """Refuse one folder a frame, as tools that segment every image by itself write."""
    if len(folders) in (len(kept), kept.source_count) and max(map(len, folders.values())) < len(folders):
        raise StageError(
            f"{folder} has {len(folders)} folders ({', '.join(list(folders)[:3])}, ...), one a frame: give one folder an "
            "object with a file a frame in it, or files FRAME_OBJECT.png"
        )


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
    if len(files) == 1 < len(kept) and files[0].suffix.lower() in ARRAYS:
        maps = [fitted(one, size, kept, files[0]) for one in all_frames(files[0], kept, most)]
        return understood(maps, files[0], ["one array of all frames"], [])
    return ids_of(found_files(files, kept, folder).thinned(most), size, folder)


def fitted(one: IdMap, size: tuple[int, int], kept: KeptFrames, path: Path) -> IdMap:
    """Ids of the video, undistorted as the frames were and at their size."""
    view, values = kept.view, one.values
    seen = values if view is None else view.apply(values.astype(np.int32), exact=True).astype(np.int64)
    return replace(one, values=nearest_resized(seen, size, path))


def all_frames(path: Path, kept: KeptFrames, most: int | None) -> list[IdMap]:
    """The ids of an array of all frames, kept ones or the video's, at most so many; refuses any other array."""
    array = read_array(path)
    frames = frames_of_array(array, kept)
    if frames is None:
        raise StageError(
            f"{path} has shape {array.shape} of {array.dtype}; the masks of all frames are (frames, height, width) for the "
            f"{len(kept)} frames{video_words(kept)}: save them so, or one file a frame"
        )
    return [as_id_map(frames[index], path) for index in spread(len(frames), most)]


def found_files(files: Sequence[Path], kept: KeptFrames, folder: Path) -> FrameFiles:
    """The mask of each frame; where there are too few, both ways out."""
    try:
        return files_of_frames(files, kept, f"the masks of {folder}")
    except StageError as error:
        raise StageError(f"{error}; {KEY_FRAMES}") from error


def files_by_object(files: Sequence[Path], kept: KeptFrames) -> dict[str, dict[str, Path]]:
    """Files of one object and frame each, by object and number: its name is what is left without that; {} if they are not."""
    for position in range(3):
        groups: dict[str, dict[str, Path]] = defaultdict(dict)
        for path in files:
            pieces = re.split(r"(\d+)", path.stem)
            if 2 * position + 1 >= len(pieces):
                break
            groups["".join(pieces[: 2 * position + 1] + pieces[2 * position + 2 :])][pieces[2 * position + 1]] = path
        numbers = {number for group in groups.values() for number in group}
        complete = sum(map(len, groups.values())) == len(files)
        if complete and len(groups) > 1 and len(numbers) in (len(kept), kept.source_count):
            return {name.strip("_-. ") or name: group for name, group in sorted(groups.items())}
    return {}


def frames_of_objects(
    objects: dict[str, dict[str, Path]], kept: KeptFrames, folder: Path
) -> tuple[FrameFiles, dict[str, list[Path | None]]]:
    """The file of each object and frame, None where it is not to be seen; and how frames were told.

    The names of all objects together tell the frames, as an object may be absent at the beginning.
    """
    names = {name: path for files in reversed(objects.values()) for name, path in files.items()}
    found = found_files(sorted(names.values(), key=lambda path: natural_order(path.name)), kept, folder)
    name_of = {path: name for name, path in names.items()}
    order = [name_of[path] for path in found.paths]
    return found, {key: [files.get(name) for name in order] for key, files in objects.items()}


def masks_of_objects(
    objects: dict[str, dict[str, Path]],
    kept: KeptFrames,
    size: tuple[int, int],
    folder: Path,
    what: str,
    most: int | None = None,
) -> GivenMasks:
    """One object from each list of files, called as its folder or as its files; the smallest is in front."""
    if len(objects) > MOST_OBJECTS:
        raise StageError(f"{folder} has {len(objects)} objects, at most {MOST_OBJECTS} are possible")
    found, files_of = frames_of_objects(objects, kept, folder)
    shown = spread(len(kept), most)
    stack, doubts = np.zeros((len(objects), len(shown), *size), bool), [found.doubt] if found.doubt else []
    for layer, (name, files) in zip(stack, files_of.items(), strict=True):
        paths = {place: path for place, frame in enumerate(shown) if (path := files[frame]) is not None}
        given = ids_of(replace(found, paths=list(paths.values()), doubt=""), size, folder)
        layer[list(paths)] = (given.object_ids > 0) & (given.object_ids != IGNORE_ID)
        doubts += [*given.doubts, *absent_words(name, files, folder, what)]
    ids = np.stack([layered(stack[:, frame]) for frame in range(stack.shape[1])])
    check_background(ids, list(objects), folder)
    overlap = float((stack.sum(0) > 1).sum() / max((stack.sum(0) > 0).sum(), 1))
    if overlap > 0.01:
        doubts.append(
            f"{100 * overlap:.0f} % of the masked pixels of {folder} have several objects; the smallest is kept"
        )
    return GivenMasks(ids, list(objects), [f"one {what} an object: {', '.join(objects)}", found.how], doubts)


def absent_words(name: str, files: list[Path | None], folder: Path, what: str) -> list[str]:
    """A doubt about an object that has no file for some frames."""
    absent = [frame for frame, path in enumerate(files) if path is None]
    if not absent:
        return []
    return [
        f"{name} of {folder} has no file for {len(absent)} frames (the first is {absent[0]}): it is taken as not to be seen "
        f"there; one {what} an object, black where it is not"
    ]


def check_background(ids: UInt8[np.ndarray, "frame height width"], names: list[str], folder: Path) -> None:
    """Refuse masks in which everything is an object: the camera's motion is told by what is none."""
    if not names or (ids == 0).mean() > LEAST_BACKGROUND:
        return
    counts = np.bincount(ids.ravel(), minlength=256)[1 : len(names) + 1]
    raise StageError(
        f"{folder}: everything is an object, {names[int(counts.argmax())]} covers {100 * counts.max() / ids.size:.0f} %; the "
        "background is 0, or black: save what stands still so (or leave its file or folder out)"
    )


def ids_of(files: FrameFiles, size: tuple[int, int], folder: Path) -> GivenMasks:
    """The ids of files, at the frames' size."""
    by_colour = colours_count(files.paths)
    maps = [read_id_map(path, size, files.view, by_colour) for path in files.paths]
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
        if looks_inverted(ids):
            raise StageError(
                f"the masks of {folder} look inverted: white covers {100 * white:.0f} % and nearly the whole border of nearly "
                "every frame, so the object is the black part; exchange black and white (255 - mask), or, where white is the "
                "object after all, save it as the id 1"
            )
        if white > MOSTLY_WHITE:
            doubts = [
                *doubts,
                f"white covers {100 * white:.0f} % of the masks of {folder}: is the object the black part?",
            ]
        names = ["white"] if ids.any() else []
        check_background(ids, names, folder)
        return GivenMasks(ids, names, [form.words, *decided], doubts)
    colours = any(one.colours for one in maps)
    ids, names = contiguous(values, colours, folder)
    check_background(ids, names, folder)
    if not names:
        doubts = [*doubts, f"none of the {len(maps)} masks of {folder} that were read shows an object"]
    elif not colours and are_levels(np.array(list(value_counts(values)))):
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
    found = np.array(list(value_counts(values)))
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
    return table[np.searchsorted(found, values)], [f"#{v:06x}" if colours else str(v) for v in objects]
