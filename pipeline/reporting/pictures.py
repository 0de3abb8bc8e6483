"""Pictures made of pictures: masks laid over images, flow and error as colours, contact sheets."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID

# Distinct for colour-blind eyes, and on light and dark images alike.
PALETTE = np.array(
    [
        [240, 120, 40],
        [60, 160, 250],
        [60, 200, 120],
        [220, 90, 180],
        [245, 205, 60],
        [140, 110, 240],
        [40, 200, 210],
        [230, 80, 80],
    ],
    np.uint8,
)
BACKGROUND_COLOUR = np.array([130, 138, 150], np.uint8)
OVERLAY_OPACITY = 0.5
ERROR_RANGE = 0.25  # of full scale: larger errors look alike


def object_colour(identity: int) -> UInt8[np.ndarray, "rgb=3"]:
    """The colour of an object, the same in every picture."""
    return BACKGROUND_COLOUR if identity == BACKGROUND_ID else PALETTE[(identity - 1) % len(PALETTE)]


def hex_colour(identity: int) -> str:
    """The colour of an object for HTML."""
    return "#{:02x}{:02x}{:02x}".format(*object_colour(identity).tolist())


def overlay(
    image: UInt8[np.ndarray, "height width rgb=3"], ids: UInt8[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width rgb=3"]:
    """Objects tinted and outlined over a paler background; ignored pixels are hatched away to grey."""
    table = np.stack([object_colour(identity) for identity in range(256)]).astype(np.float32)
    colours = image.astype(np.float32)
    moving = (ids != BACKGROUND_ID) & (ids != IGNORE_ID)
    mixed = colours * 0.75 + 40
    mixed[moving] = (1 - OVERLAY_OPACITY) * colours[moving] + OVERLAY_OPACITY * table[ids[moving]]
    mixed[ids == IGNORE_ID] = 0.3 * colours[ids == IGNORE_ID] + 60
    edge = border(ids) & moving
    mixed[edge] = table[ids[edge]]
    return mixed.clip(0, 255).astype(np.uint8)


def border(ids: UInt8[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Pixels with a neighbour of another id."""
    kernel = np.ones((3, 3), np.uint8)
    return cv2.dilate(ids, kernel) != cv2.erode(ids, kernel)


def label_colours(ids: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width rgb=3"]:
    """Object ids as plain colours."""
    return np.stack([object_colour(identity) for identity in range(256)])[ids]


def flow_colours(
    flow: Float[np.ndarray, "height width xy=2"],
    largest_px: float,
    valid: Bool[np.ndarray, "height width"] | None = None,
) -> UInt8[np.ndarray, "height width rgb=3"]:
    """Direction as hue, length as strength; pixels that are not valid are darkened."""
    angle = np.degrees(np.arctan2(flow[..., 1], flow[..., 0])) % 360
    strength = (np.linalg.norm(flow, axis=-1) / max(largest_px, 1e-6)).clip(0, 1)
    hsv = np.stack([angle, strength, np.ones_like(angle)], axis=-1).astype(np.float32)
    colours = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if valid is not None:
        colours[~valid] *= 0.55
    return (255 * colours).astype(np.uint8)


def error_colours(
    image: UInt8[np.ndarray, "height width rgb=3"], target: UInt8[np.ndarray, "height width rgb=3"]
) -> UInt8[np.ndarray, "height width rgb=3"]:
    """Mean absolute difference from black (none) to yellow."""
    difference = np.abs(image.astype(np.float32) - target).mean(-1) / 255
    level = (255 * (difference / ERROR_RANGE).clip(0, 1)).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1])


def depth_colours(
    depth: Float[np.ndarray, "height width"], near: float, far: float
) -> UInt8[np.ndarray, "height width rgb=3"]:
    """Inverse depth, near bright."""
    inverse = 1 / np.maximum(depth, 1e-6)
    level = ((inverse - 1 / far) / max(1 / near - 1 / far, 1e-9)).clip(0, 1)
    return np.ascontiguousarray(cv2.applyColorMap((255 * level).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1])


def side_by_side(*images: UInt8[np.ndarray, "height width rgb=3"]) -> UInt8[np.ndarray, "height total_width rgb=3"]:
    """Images of one size in a row, with a thin gap."""
    gap = np.full((images[0].shape[0], 4, 3), 128, np.uint8)
    row: list[np.ndarray] = []
    for image in images:
        row += [gap, image] if row else [image]
    return np.concatenate(row, axis=1)


def sheet(
    images: list[UInt8[np.ndarray, "height width rgb=3"]], columns: int
) -> UInt8[np.ndarray, "total_height total_width rgb=3"]:
    """Images of one size in rows; the last row is filled up with grey."""
    blank = np.full_like(images[0], 128)
    padded = images + [blank] * (-len(images) % columns)
    rows = [side_by_side(*padded[start : start + columns]) for start in range(0, len(padded), columns)]
    gap = np.full((4, rows[0].shape[1], 3), 128, np.uint8)
    stacked: list[np.ndarray] = []
    for row in rows:
        stacked += [gap, row] if stacked else [row]
    return np.concatenate(stacked, axis=0)


def fitted(
    image: UInt8[np.ndarray, "height width rgb=3"], width: int
) -> UInt8[np.ndarray, "new_height new_width rgb=3"]:
    """The image at a width, never enlarged more than twice."""
    factor = min(width / image.shape[1], 2.0)
    size = (max(2, round(image.shape[1] * factor)), max(2, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
