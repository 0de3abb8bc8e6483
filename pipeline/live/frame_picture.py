"""A frame of the video as a picture, with what was found in it drawn over: masks, and tracks as tails."""

from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Int, UInt8

from pipeline.formats.scene_file import Scene
from pipeline.formats.tracks_file import Tracks
from pipeline.reporting.pictures import object_colour, overlay

TAIL_FRAMES = 8
LEAST_WIDTH = 480  # pixels, so that lines are thin and round


class FramePictures:
    """Pictures of one scene's frames; tracks are in the scene's own frames, straightened where those are."""

    def __init__(self, scene: Scene, tracks: Tracks | None) -> None:
        self.scene, self.tracks = scene, tracks
        self.ids = np.array([*(int(entry["id"]) for entry in scene.objects)], np.uint8)

    def picture(self, frame: int, masks: bool = False, tracks: bool = False) -> UInt8[np.ndarray, "height width rgb=3"]:
        """A frame as it is asked for."""
        image = self.scene.images[frame]
        if masks:
            image = overlay(image, self.mask_ids(frame))
        height, width = image.shape[:2]
        factor = max(1.0, LEAST_WIDTH / width)
        if factor > 1:
            image = cv2.resize(image, (round(width * factor), round(height * factor)), interpolation=cv2.INTER_CUBIC)
        return self.with_tails(image, frame, factor) if tracks and self.tracks is not None else image

    def mask_ids(self, frame: int) -> UInt8[np.ndarray, "height width"]:
        """The masks of a frame by the objects' own ids; what is ignored stays so."""
        table = np.full(256, 255, np.uint8)
        table[: len(self.ids)] = self.ids
        return table[self.scene.object_ids[frame]]

    def with_tails(self, image: np.ndarray, frame: int, factor: float) -> UInt8[np.ndarray, "height width rgb=3"]:
        """The last places of every point that is followed in a frame, as lines that end where it is."""
        assert self.tracks is not None
        drawn = np.ascontiguousarray(image)
        for rows in self.tails(frame):
            line = np.round(16 * (self.places[rows] * factor - 0.5)).astype(np.int32)
            colour = object_colour(int(self.tracks.object_ids[self.tracks.observation_track[rows[-1]]])).tolist()
            cv2.polylines(drawn, [line[:, None]], False, colour, 1, cv2.LINE_AA, shift=4)
            cv2.circle(drawn, line[-1].tolist(), 24, colour, -1, cv2.LINE_AA, shift=4)
        return drawn

    @cached_property
    def places(self) -> np.ndarray:
        """Where every observation is in the scene's images."""
        assert self.tracks is not None
        straight, xy = self.scene.kept.frame_undistortion, self.tracks.observation_xy.astype(np.float64)
        return xy if straight is None else straight.points(xy)

    def tails(self, frame: int) -> list[Int[np.ndarray, "row"]]:
        """Of each track that a frame observes, the rows of its last few observations."""
        assert self.tracks is not None
        tracks, frames = self.tracks.observation_track, self.tracks.observation_frame
        window = (frames <= frame) & (frames > frame - TAIL_FRAMES)
        rows = np.flatnonzero(window & np.isin(tracks, tracks[frames == frame]))
        return np.split(rows, np.flatnonzero(np.diff(tracks[rows])) + 1) if len(rows) else []
