"""The frames of a scene: PNG files 000000.png, 000001.png, ... and frames.json, which says where they came from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.runtime.errors import StageError


def frame_name(index: int) -> str:
    """File name of a frame."""
    return f"{index:06d}.png"


def frame_paths(frames: Path) -> list[Path]:
    """The frames' files in the order of time."""
    paths = sorted(frames.glob("[0-9]*.png"))
    if not paths:
        raise StageError(f"{frames} holds no frames (000000.png, ...); run extract_frames")
    missing = [frame_name(t) for t, path in enumerate(paths) if path.name != frame_name(t)]
    if missing:
        raise StageError(f"{frames} lacks {missing[0]}, though later frames are there; run extract_frames again")
    return paths


def read_frame(path: Path) -> UInt8[np.ndarray, "height width rgb=3"]:
    """One image as sRGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise StageError(f"{path} is not a readable image; delete it and run extract_frames again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class FrameFiles:
    """The frames of a folder, each read when it is asked for."""

    folder: Path
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "height width rgb=3"]:
        return read_frame(self.folder / frame_name(index))


def read_frames(frames: Path) -> UInt8[np.ndarray, "frame height width rgb=3"]:
    """All images of a scene."""
    paths = frame_paths(frames)
    shape = read_frame(paths[0]).shape
    return np.stack([read_sized(path, shape) for path in paths])


def read_sized(path: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, "height width rgb=3"]:
    """A frame, which must have the size of the others."""
    image = read_frame(path)
    if image.shape != shape:
        raise StageError(
            f"{path} is {image.shape[1]}x{image.shape[0]}, frames before it {shape[1]}x{shape[0]}; "
            "run extract_frames again"
        )
    return image


def read_holes(frames: Path) -> Bool[np.ndarray, "frame height width"]:
    """Where the images of a scene are transparent: they show nothing there."""
    return np.stack([holes_of(path) for path in frame_paths(frames)])


def holes_of(path: Path) -> Bool[np.ndarray, "height width"]:
    """Where one image is transparent; nowhere in an image without transparency."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise StageError(f"{path} cannot be read; run extract_frames again")
    return image[..., 3] == 0 if image.shape[2:] == (4,) else np.zeros(image.shape[:2], np.bool_)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image (sRGB, with transparency or without, or one channel) in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    swapped = image[..., [2, 1, 0, *range(3, image.shape[2])]] if image.ndim == 3 else image
    done, encoded = cv2.imencode(path.suffix, swapped)
    if not done:
        raise StageError(f"an image of shape {image.shape} and {image.dtype} cannot be written as {path}")
    path.write_bytes(encoded.tobytes())


def read_frames_info(path: Path) -> dict[str, Any]:
    """The contents of frames.json."""
    return read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that a stage wrote."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StageError(f"{path} does not exist; run the stage that writes it") from error
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, a number of thousands of digits
        raise StageError(f"{path} is damaged ({error}); delete it and run again") from error
    if not isinstance(content, dict):
        raise StageError(f"{path} is damaged (it holds no JSON object); delete it and run again")
    return content
