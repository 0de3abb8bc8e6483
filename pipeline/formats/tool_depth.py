"""Depth of all frames as another tool left it: which frames, what its numbers mean, and how its images were cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from pipeline.formats.frame_files import KeptFrames, match_names, video_words
from pipeline.formats.pose_arrays import numbered
from pipeline.formats.source_view import SourceView
from pipeline.runtime.errors import StageError

Size = tuple[int, int]
# Depth in metres; depth in one unit for all frames; linear in depth, or in 1 / depth, by a scale and a shift a frame.
DepthMeaning = Literal["metric", "one scale", "depth", "inverse"]
IN_WORDS: dict[DepthMeaning, str] = {
    "metric": "depth in metres, as far as the tool knows them",
    "one scale": "depth up to one scale",
    "depth": "depth up to a scale and a shift a frame",
    "inverse": "depth whose inverse is known up to a scale and a shift a frame",
}


@dataclass(frozen=True)
class ToolDepth:
    """Maps of frames by number. `read` takes places among `numbers`; 0 and NaN are unknown.

    `whole` brings a map to the (height, width) of the images that the tool was given: it resizes and crops them.
    """

    tool: str
    path: Path
    numbers: list[int]
    meaning: DepthMeaning
    read: Callable[[Sequence[int]], Float[np.ndarray, "map height width"]]
    whole: Callable[[Float[np.ndarray, "height width"], Size], Float[np.ndarray, "rows columns"]]

    @property
    def words(self) -> str:
        """What it is, for the log and the report."""
        return f"{self.tool} ({self.path.name}): {IN_WORDS[self.meaning]}"


@dataclass(frozen=True)
class MatchedDepth:
    """The place of each kept frame's map, the sizes that the tool's images may have, and what brings those to the frames."""

    places: list[int]
    sizes: list[Size]
    view: SourceView | None
    how: str
    doubt: str


def matched_depth(depth: ToolDepth, kept: KeptFrames, size: Size) -> MatchedDepth:
    """Which map each frame has; refuses maps that are neither one a frame nor one for every frame of the video.

    As many maps as there are frames, where the video has more, were made of the extracted frames.
    """
    count = len(depth.numbers)
    ours = count == len(kept) != kept.source_count
    if count not in (len(kept), kept.source_count):
        raise StageError(
            f"{depth.path} has {depth.tool}'s depth of {count} frames, the scene has {len(kept)}{video_words(kept)}; run it "
            "on the whole video, or on results/NAME/frames"
        )
    matched = match_names(numbered(depth.numbers), kept, depth.path.name)
    place_of = {int(frame): place for place, frame in enumerate(matched.frame) if frame >= 0}
    video = [(kept.source_size[0], kept.source_size[1])] if kept.source_size else []
    return MatchedDepth(
        [place_of[frame] for frame in range(len(kept))],
        [size] if ours else [*video, size],
        kept.frame_view if ours else kept.view,
        matched.how,
        matched.doubt,
    )


def whole_maps(
    depth: ToolDepth, maps: Float[np.ndarray, "map height width"], sizes: Sequence[Size]
) -> list[Float[np.ndarray, "rows columns"]]:
    """Maps at the size of the tool's images: of the first size that they can be of."""
    for index, size in enumerate(sizes):
        try:
            return [depth.whole(one, size) for one in maps]
        except StageError:
            if index + 1 == len(sizes):
                raise
    return []


def as_it_is(depth: Float[np.ndarray, "height width"], size: Size) -> Float[np.ndarray, "height width"]:
    """A map of an image that its tool has not cut: whoever resizes it sees to its shape."""
    return depth
