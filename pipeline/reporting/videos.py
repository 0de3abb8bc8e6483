"""The report's videos and sheets, ready to be put into the page."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

from pipeline.evaluation.image_metrics import psnr_db, to_unit
from pipeline.evaluation.rendering import resized_images
from pipeline.formats.flow_file import read_flow_attributes, read_flow_pairs
from pipeline.formats.renders_folder import Renders, RenderSet, read_set_depth, read_set_ids, read_set_images
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.reporting.embedding import image_uri, video_uri
from pipeline.reporting.pictures import (
    depth_colours,
    error_colours,
    fitted,
    flow_colours,
    label_colours,
    overlay,
    sheet,
    side_by_side,
)
from pipeline.truth.truth_file import Truth

MOST_VIDEO_FRAMES = 150
SHEET_PICTURES, SHEET_COLUMNS = 12, 4
FLOW_SAMPLES = 10
POSTER_QUALITY = 70


class Picture(NamedTuple):
    """An image or a video with the captions of its panels."""

    uri: str
    captions: list[str]
    poster: str = ""


def moving_picture(
    panels: Iterable[UInt8[np.ndarray, "height width rgb=3"]], fps: float, captions: list[str]
) -> Picture:
    """A video, with its first frame for as long as it does not play."""
    rest = iter(panels)
    first = next(rest)
    return Picture(video_uri(chain([first], rest), fps), captions, image_uri(first, POSTER_QUALITY))


def masks_video(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    fps: float,
    width: int,
) -> Picture:
    """The input beside the masks."""
    frames = evenly_chosen(len(images), MOST_VIDEO_FRAMES)
    panels = (side_by_side(fitted(images[t], width), fitted(overlay(images[t], ids[t]), width)) for t in frames)
    return moving_picture(panels, fps * len(frames) / len(images), ["Input", "Objects found"])


def masks_sheet(
    images: UInt8[np.ndarray, "frame height width rgb=3"], ids: UInt8[np.ndarray, "frame height width"], width: int
) -> Picture:
    """Masks at even times: one look shows where a mask fails."""
    frames = evenly_chosen(len(images), SHEET_PICTURES)
    small = [numbered(fitted(overlay(images[t], ids[t]), width), t) for t in frames]
    return Picture(image_uri(sheet(small, SHEET_COLUMNS)), [])


def numbered(image: UInt8[np.ndarray, "height width rgb=3"], frame: int) -> UInt8[np.ndarray, "height width rgb=3"]:
    """The image with its frame index in the corner."""
    text, place = str(frame), (8, image.shape[0] - 9)
    marked = np.ascontiguousarray(image)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(marked, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness, cv2.LINE_AA)
    return marked


def flow_video(
    images: UInt8[np.ndarray, "frame height width rgb=3"], flow: Path, fps: float, width: int
) -> tuple[Picture | None, float, float]:
    """Flow as colours, the length at full strength in pixels, and the share of pixels that are consistent."""
    count = int(read_flow_attributes(flow)["pairs"])
    if count == 0:
        return None, 0.0, 0.0
    samples = list(read_flow_pairs(flow, evenly_chosen(count, FLOW_SAMPLES)))
    largest = max(float(np.percentile(np.linalg.norm(pair.forward, axis=-1), 98)) for pair in samples)
    consistent = float(np.mean([pair.forward_valid.mean() for pair in samples]))
    frames = evenly_chosen(count, MOST_VIDEO_FRAMES)
    panels = (
        side_by_side(
            *(fitted(panel, width) for panel in (images[t], flow_colours(pair.forward, largest, pair.forward_valid)))
        )
        for t, pair in zip(frames, read_flow_pairs(flow, frames), strict=True)
    )
    captions = ["Input", "Flow to the next frame"]
    return moving_picture(panels, fps * len(frames) / count, captions), largest, consistent


def flow_wheel(size: int = 96) -> str:
    """What colour stands for what direction."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    colours = flow_colours(np.stack([x, y], axis=-1), 1.0)
    colours[np.hypot(x, y) > 1] = 255
    return image_uri(colours, 92)


def observed_video(
    folder: Path, entry: RenderSet, images: UInt8[np.ndarray, "frame height width rgb=3"], width: int
) -> Picture:
    """The video's own views, rendered, and the difference."""
    return compared(
        read_set_images(folder, entry), images[entry.frames], entry.fps, ["Video", "Rendered", "Error"], width
    )


def held_out_video(folder: Path, entry: RenderSet, truth: Truth, width: int) -> Picture:
    """Held-out views, rendered, and the difference."""
    rendered = read_set_images(folder, entry)
    target = resized_images(truth.test.images[entry.views], *rendered.shape[1:3])
    return compared(rendered, target, entry.fps, ["Truth (never seen)", "Rendered", "Error"], width)


def compared(
    rendered: UInt8[np.ndarray, "view height width rgb=3"],
    target: UInt8[np.ndarray, "view height width rgb=3"],
    fps: float,
    captions: list[str],
    width: int,
) -> Picture:
    """Target, render and difference beside each other."""
    panels = (
        side_by_side(*(fitted(panel, width) for panel in (wanted, image, error_colours(image, wanted))))
        for image, wanted in zip(rendered, target, strict=True)
    )
    return moving_picture(panels, fps, captions)


def edited_video(
    folder: Path, entry: RenderSet, images: UInt8[np.ndarray, "frame height width rgb=3"], width: int
) -> Picture:
    """The video beside the scene as it was changed."""
    rendered, ids = read_set_images(folder, entry), read_set_ids(folder, entry)
    panels = (
        side_by_side(*(fitted(panel, width) for panel in (wanted, image, label_colours(labels))))
        for wanted, image, labels in zip(images[entry.frames], rendered, ids, strict=True)
    )
    return moving_picture(panels, entry.fps, ["Video", entry.caption, "Objects"])


def path_video(folder: Path, entry: RenderSet, width: int) -> Picture:
    """The way around the scene: colour, depth and objects."""
    images, ids, depth = read_set_images(folder, entry), read_set_ids(folder, entry), read_set_depth(folder, entry)
    near, far = (float(value) for value in np.percentile(depth, [1, 99]))
    panels = (
        side_by_side(
            fitted(image, width), fitted(depth_colours(z, near, far), width), fitted(label_colours(labels), width)
        )
        for image, labels, z in zip(images, ids, depth, strict=True)
    )
    return moving_picture(panels, entry.fps, ["Rendered", "Depth (near is bright)", "Objects"])


def valid_scenes(folder: Path, renders: Renders, names: dict[int, str], width: int) -> list[dict[str, Any]]:
    """Each valid scene from the observed view and from the new one, with its scales."""
    shown: list[dict[str, Any]] = []
    first = [to_unit(read_set_images(folder, entry)) for entry in renders.of_kind("scales")[:1]]
    for entry in renders.of_kind("scales"):
        images = read_set_images(folder, entry)
        observed, new = (fitted(image, width) for image in images)
        same, other = (psnr_db(*pair) for pair in zip(to_unit(images), first[0], strict=True))
        scales = list(zip(renders.object_ids, entry.scale, strict=True))[1:]
        shown.append(
            {
                "observed": image_uri(observed),
                "new": image_uri(new),
                "scales": [f"{names[identity]} × {scale:.2f}" for identity, scale in scales],
                "likeness": f"PSNR to the first: {same:.1f} dB above, {other:.1f} dB below" if shown else "",
            }
        )
    return shown
