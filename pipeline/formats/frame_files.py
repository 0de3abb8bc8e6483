"""Which file is of which frame: one rule for masks, labels, depth maps, and the images that poses name.

Names are matched to frames by the first of these that fits: the source image's own name; our names (000000, 000001,
...); the last number in the name, of the video's frames or of the kept ones, counted from 0 or 1; the natural order,
where there is one name for every kept frame or for every frame of the video. What fits in two ways is refused or told.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from pipeline.formats.frames_folder import frame_name
from pipeline.formats.lens import Lens, Undistortion, undistortion
from pipeline.formats.source_view import Crop, SourceShape, SourceView
from pipeline.runtime.errors import StageError

ARRAYS = (".npy", ".npz")  # exact, so they count before pictures of the same name
LEFT_BY_SYSTEMS = {"thumbs.db", "desktop.ini", "__macosx", "@eadir"}
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".exr", ".pfm", *ARRAYS)
FROM_ONE = re.compile(r"frame_\d{5}")  # how nerfstudio names the images that it extracts, the first one frame_00001
LEAST_KNOWN = 2


@dataclass(frozen=True)
class KeptFrames:
    """What frames.json says of the frames of a scene: their place in the video, and their names where it had some.

    `lens` is that of the frames before they were undistorted; `crop` is (top, left, height, width) of the video where its
    borders were cut, `source_size` and `stored_size` are its (height, width) where they matter. What is given for the
    video then needs the same.
    `frame_lens` is the lens of the frames themselves, where a scene shows them undistorted: what is given for the frames
    then needs the same.
    """

    names: list[str]
    source_index: list[int]
    source_count: int
    source_names: list[str] = field(default_factory=list)
    lens: dict[str, Any] | None = None
    crop: list[int] | None = None
    source_size: list[int] | None = None
    stored_size: list[int] | None = None
    frame_lens: dict[str, Any] | None = None

    @classmethod
    def of_info(cls, info: dict[str, Any]) -> "KeptFrames":
        """From the contents of frames.json."""
        source = info.get("source") or {}
        index = [int(row["source_index"]) for row in info["frames"]]
        count = int(source.get("frames", max(index) + 1))
        names = [row["file"] for row in info["frames"]]
        known = cls(names, index, count, list(source.get("names", [])), info.get("lens"), info.get("crop"))
        shape = SourceShape.of_info(info)
        return known if shape.plain else replace(known, source_size=[*shape.size], stored_size=[*shape.stored])

    @classmethod
    def all_of(cls, count: int) -> "KeptFrames":
        """The frames of a video of which all were kept."""
        return cls([frame_name(index) for index in range(count)], list(range(count)), count)

    @property
    def view(self) -> SourceView | None:
        """What brings images of the video to what the scene shows, but for their size; None where they show the same.

        A lens is that of the video or of the frames, never of both: who tells the one leaves nothing to find.
        """
        if (values := self.lens or self.frame_lens) is None:
            return self.border_view
        unbent = undistortion(lens := Lens.of_values(values))
        return SourceView((self.border_view or SourceView(plain_shape((lens.height, lens.width)))).shape, unbent)

    @property
    def border_view(self) -> SourceView | None:
        """The same for images that need no undistortion: what has the shape of the video is cropped as it was."""
        if self.source_size is None or self.stored_size is None:
            return None
        size, stored = ((int(height), int(width)) for height, width in (self.source_size, self.stored_size))
        return SourceView(SourceShape(size, stored, Crop(*self.crop) if self.crop else None))

    @property
    def frame_undistortion(self) -> Undistortion | None:
        """What brings the frames to what the scene shows; None where they are that already."""
        return undistortion(Lens.of_values(self.frame_lens)) if self.frame_lens else None

    @property
    def frame_view(self) -> SourceView | None:
        """The same for what is given for the frames and not for the video: named after them, or made of them."""
        return self.view if self.frame_lens else self.border_view

    def __len__(self) -> int:
        return len(self.names)

    def of_source(self, index: Int[np.ndarray, "name"]) -> Int[np.ndarray, "name"]:
        """The kept frame of each frame of the video, -1 where it was dropped or never was."""
        kept = {source: frame for frame, source in enumerate(self.source_index)}
        return np.array([kept.get(int(number), -1) for number in index], dtype=int)


def plain_shape(size: tuple[int, int]) -> SourceShape:
    """Of a video that the frames show whole."""
    return SourceShape(size, size)


@dataclass(frozen=True)
class Matched:
    """The kept frame of each name, -1 for none, and how that was decided, in words.

    `ours` where the names are those of the extracted frames: what they name then shows what the frames show.
    """

    frame: Int[np.ndarray, "name"]
    how: str
    doubt: str = ""
    ours: bool = False


def match_names(names: Sequence[str], kept: KeptFrames, what: str) -> Matched:
    """The frame that each name is of; `what` is what a person would call the place the names come from."""
    rules: tuple[Callable[[list[str], KeptFrames], Matched | None], ...] = (
        by_source_name,
        by_our_name,
        by_number,
        by_order,
    )
    stems = [stem(name) for name in names]
    check_one_camera(names, stems, what)
    for rule in rules:
        if (found := rule(stems, kept)) is not None:
            return found
    raise StageError(
        f"{what}: {len(names)} names ({names[0]} ... {names[-1]}) fit neither the {len(kept)} frames of the scene "
        f"({kept.names[0]} ... {kept.names[-1]}) nor the {kept.source_count} of the video; name them after the frames, "
        "by number, or give one for every frame of the video"
    )


def check_one_camera(names: Sequence[str], stems: list[str], what: str) -> None:
    """Refuse images of one name in several folders, as several cameras have them."""
    folders = sorted({re.split(r"[\\/]", name)[-2] if re.search(r"[\\/]", name) else "" for name in names})
    if len(folders) > 1 and len(set(stems)) < len(stems) and len(set(names)) == len(names):
        raise StageError(
            f"{what}: images of one name come from {len(folders)} folders ({', '.join(folders[:4])}), as of several cameras; "
            "a scene has one video: give what belongs to its images only"
        )


def stem(name: str) -> str:
    """A name without folder and suffixes: r_3 of ./train/r_3, 000000 of 000000.png.png, clip.v2 of clip.v2."""
    last = re.split(r"[\\/]", name)[-1]
    while Path(last).suffix.lower() in PICTURES:
        last = Path(last).stem
    return last


def by_source_name(stems: list[str], kept: KeptFrames) -> Matched | None:
    """By the names that the images of a folder had before they became frames."""
    known = {stem(name): index for index, name in enumerate(kept.source_names)}
    index = np.array([known.get(one, -1) for one in stems], dtype=int)
    fitting = int((index >= 0).sum())
    if len(known) < len(kept.source_names) or len(set(stems)) < len(stems):
        return None
    if fitting < LEAST_KNOWN or 2 * fitting < len(stems):
        return None
    ours = kept.lens is not None and all(one in {stem(name) for name in kept.names} for one in stems)
    doubt = (
        "these names are the video's and our frames' alike; what they name is taken to show the video, with its lens"
    )
    return Matched(kept.of_source(index), "by the names of the images", doubt if ours else "")


def by_our_name(stems: list[str], kept: KeptFrames) -> Matched | None:
    """By the names of the extracted frames; as many as the video has frames are the video's, whatever their names."""
    known = {stem(name): frame for frame, name in enumerate(kept.names)}
    if len(stems) == kept.source_count != len(kept) or any(one not in known for one in stems):
        return None
    if len(set(stems)) < len(stems):
        return None
    doubt = "" if kept.lens is None else "they have our frames' names, so they are taken to show the undistorted frames"
    return Matched(np.array([known[one] for one in stems], dtype=int), "by the names of the frames", doubt, ours=True)


def by_number(stems: list[str], kept: KeptFrames) -> Matched | None:
    """By the last number in each name."""
    numbers = [last_number(one) for one in stems]
    if None in numbers or len(set(numbers)) < len(numbers):
        return None
    number = np.array(numbers, dtype=int)
    if len(stems) == kept.source_count:
        return Matched(kept.of_source(ranks(number)), "by number, one for every frame of the video")
    if len(stems) == len(kept):
        return Matched(ranks(number), "by number, one for every frame")
    return some_by_number(stems, number, kept)


def some_by_number(stems: list[str], number: Int[np.ndarray, "name"], kept: KeptFrames) -> Matched | None:
    """By number where only some frames have a name: the numbers must tell what they count, and from where."""
    of_video = len(kept) < kept.source_count and number.max() > len(kept)
    if len(kept) < kept.source_count and not of_video:
        return None  # they could count the kept frames as well as the video's
    count = kept.source_count if of_video else len(kept)
    if number.max() > count or (number.min() == 0 and number.max() == count):
        return None
    from_one = bool(number.max() == count or (number.min() > 0 and all(FROM_ONE.fullmatch(one) for one in stems)))
    sure = number.min() == 0 or number.max() == count
    frame = number - int(from_one)
    return Matched(
        kept.of_source(frame) if of_video else frame,
        f"by number, counted from {int(from_one)}{' in the video' if of_video else ''}",
        ""
        if sure
        else f"the numbers {number.min()} to {number.max()} are taken as counted from {int(from_one)}; "
        "neither 0 nor the last one is among them, so they could be off by one",
    )


def by_order(stems: list[str], kept: KeptFrames) -> Matched | None:
    """By natural order, where there is one name for every kept frame or for every frame of the video."""
    rank = np.empty(len(stems), dtype=int)
    rank[sorted(range(len(stems)), key=lambda place: natural_order(stems[place]))] = np.arange(len(stems))
    repeated = next((one for one in stems if stems.count(one) > 1), None)
    doubt = f"the name {repeated} comes more than once, so the order alone tells the frames" if repeated else ""
    if len(stems) == kept.source_count:
        return Matched(kept.of_source(rank), "by order, one for every frame of the video", doubt)
    return Matched(rank, "by order, one for every frame", doubt) if len(stems) == len(kept) else None


def ranks(number: Int[np.ndarray, "name"]) -> Int[np.ndarray, "name"]:
    """The place of each number among all."""
    return np.argsort(np.argsort(number, kind="stable"), kind="stable")


def last_number(name: str) -> int | None:
    """The last whole number in a name."""
    digits = re.findall(r"\d+", name)
    return int(digits[-1]) if digits else None


def natural_order(name: str) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    return [(int(piece), "") if piece.isdigit() else (-1, piece.lower()) for piece in re.split(r"(\d+)", name)]


@dataclass(frozen=True)
class FrameFiles:
    """The file of each frame, how that was decided, a doubt, and what brings its pixels to the frames."""

    paths: list[Path]
    how: str
    doubt: str
    view: SourceView | None

    def thinned(self, most: int | None) -> "FrameFiles":
        """At most so many of the files, from the first to the last: for a look at what they are."""
        return replace(self, paths=[self.paths[index] for index in spread(len(self.paths), most)])


def spread(count: int, most: int | None) -> list[int]:
    """All of so many places, or at most `most` from the first to the last."""
    chosen = np.arange(count) if most is None or count <= most else np.linspace(0, count - 1, most).round()
    return [int(index) for index in chosen]


def files_of_frames(files: Sequence[Path], kept: KeptFrames, what: str) -> FrameFiles:
    """One file for each kept frame; refuses frames that have none. `what` names the place and kind of the files."""
    count = f"{what} are {len(files)} for {len(kept)} frames{video_words(kept)}{gaps(files)}"
    if not files:
        raise StageError(f"{count}; give one file a frame")
    matched = match_names([path.name for path in files], kept, count)
    file_of = {int(frame): path for frame, path in zip(matched.frame, files, strict=True) if frame >= 0}
    missing = [frame for frame in range(len(kept)) if frame not in file_of]
    if missing:
        raise StageError(
            f"{count}: frame {missing[0]} (number {kept.source_index[missing[0]]} of the video) has none; give one for each "
            "kept frame, or for each frame of the video"
        )
    paths = [file_of[frame] for frame in range(len(kept))]
    return FrameFiles(paths, matched.how, matched.doubt, kept.frame_view if matched.ours else kept.view)


def video_words(kept: KeptFrames) -> str:
    """How many frames the video has, where that is another number."""
    return f" ({kept.source_count} in the video)" if kept.source_count != len(kept) else ""


def gaps(files: Sequence[Path]) -> str:
    """Which numbers are left out among the names of files, in words; nothing where none is, or where most are."""
    numbers = {number for path in files if (number := last_number(path.stem)) is not None}
    # Names are times, or every tenth frame: no single one is missing.
    if not numbers or max(numbers) - min(numbers) >= 2 * len(files):
        return ""
    missing = sorted(set(range(min(numbers), max(numbers))) - numbers)
    few = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    return f" (no file has the number {few})" if missing else ""


def nearest_resized(
    values: Shaped[np.ndarray, "from_height from_width"], size: tuple[int, int], path: Path
) -> Shaped[np.ndarray, "height width"]:
    """Values at the frames' size (height, width), by the nearest pixel; refuses an image of another shape."""
    height, width = size
    if values.shape == (height, width):
        return values
    if abs(values.shape[1] * height - values.shape[0] * width) > max(values.shape) + max(size):
        raise StageError(
            f"{path} is {values.shape[1]}x{values.shape[0]}, the frames are {width}x{height}: another shape; "
            "give files of the frames' size, or of the video's"
        )
    rows = ((np.arange(height) + 0.5) * values.shape[0] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * values.shape[1] / width).astype(int)
    return values[rows[:, None], columns]


def data_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files of a folder that hold data, in natural order: dotfiles and what systems leave behind are none.

    Suffixes count in any case. Where an array and a picture share a name, the array counts; two pictures of one name are
    refused.
    """
    files = [path for path in visible(folder) if path.is_file() and path.suffix.lower() in suffixes]
    exact = {path.stem for path in files if path.suffix.lower() in ARRAYS}
    kept = [path for path in files if path.suffix.lower() in ARRAYS or path.stem not in exact]
    named: dict[str, Path] = {}
    for path in kept:
        if (same := named.setdefault(path.stem, path)) is not path:
            raise StageError(
                f"{folder} holds {same.name} and {path.name}: which is it? keep the files of one kind there"
            )
    return sorted(kept, key=lambda path: natural_order(path.name))


def data_folders(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The folders in a folder that hold data files, in natural order."""
    folders = [path for path in visible(folder) if path.is_dir() and data_files(path, suffixes)]
    return sorted(folders, key=lambda path: natural_order(path.name))


def visible(folder: Path) -> list[Path]:
    """What a person would say is in a folder; an array by itself is a folder of one file."""
    if folder.is_file() and folder.suffix.lower() in ARRAYS:
        return [folder]
    if not folder.is_dir():
        raise StageError(f"{folder} is not a folder; give the folder that holds one file a frame")
    return [
        path for path in folder.iterdir() if not path.name.startswith(".") and path.name.lower() not in LEFT_BY_SYSTEMS
    ]
