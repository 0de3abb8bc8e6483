"""What a camera, an editor and a network make of clean pictures: exposure, noise, bars, text, palettes, low rates."""

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from pipeline.config import SimulateSceneConfig
from pipeline.simulation.motion import clip_times, random_wave

Images = UInt8[np.ndarray, "frame height width rgb=3"]
GIF_COLOURS = 256
MESSENGER_RATE = 36  # x264's rate factor
TITLE, FONT = "HOLIDAY CLIP", cv2.FONT_HERSHEY_SIMPLEX


def focal_lengths(config: SimulateSceneConfig, focal_px: float) -> Float[np.ndarray, "frame"]:
    """The focal length of each frame: `focal_px` in the middle of a zoom, which is even in ratio."""
    return focal_px * config.recording.zoom ** (clip_times(config.frames) - 0.5)


def gains(random: np.random.Generator, config: SimulateSceneConfig) -> Float[np.ndarray, "frame rgb=3"]:
    """What the camera's exposure and white balance make of linear light: they wander, and jump once as cameras do."""
    u = clip_times(config.frames)
    jump = 0.5 * np.tanh((u - random.uniform(0.35, 0.65)) / 0.03)
    stops = config.recording.exposure * (0.5 * random_wave(random, 1.0)(u) + random.choice([-0.5, 0.5]) * jump)
    warmth = config.recording.white_balance * random_wave(random, 1.0)(0.8 * u)
    return 2 ** np.stack([stops + 0.5 * warmth, stops, stops - 0.5 * warmth], axis=-1)


def overlaid(images: Images, config: SimulateSceneConfig) -> tuple[Images, Bool[np.ndarray, "frame height width"]]:
    """The images under bars and burnt-in text, and the pixels that show these."""
    shown = images.copy()
    drawn = np.zeros(images.shape[:3], bool)
    for number, image in enumerate(shown):
        if config.recording.overlay:
            drawn[number] |= burn_text(image, number / config.fps)
        bar = round(config.recording.bars * len(image))
        for rows in (slice(0, bar), slice(len(image) - bar, None)):
            image[rows], drawn[number, rows] = 0, True
    return shown, drawn


def burn_text(image: UInt8[np.ndarray, "height width rgb=3"], time_s: float) -> Bool[np.ndarray, "height width"]:
    """Draw a title with a dark border and a clock that runs; the pixels that they change."""
    height, width = image.shape[:2]
    before, size = image.copy(), width / 480
    thick = max(1, round(2 * size))
    clock = f"{int(time_s) // 60:02d}:{int(time_s) % 60:02d}.{int(100 * time_s) % 100:02d}"
    for text, place in ((TITLE, (0.06, 0.9)), (clock, (0.68, 0.12))):
        origin = (round(place[0] * width), round(place[1] * height))
        for colour, line in ((0, thick + 2), (255, thick)):
            cv2.putText(image, text, origin, FONT, size, (colour, colour, colour), line, cv2.LINE_AA)
    return (image != before).any(-1)


def compressed(images: Images, config: SimulateSceneConfig) -> tuple[Iterator[Images], int]:
    """What the video is made of and H.264's rate factor for it."""
    if config.recording.compression == "gif":
        return gif_frames(images), config.quality
    if config.recording.compression == "messenger":
        return (halved(image) for image in images), MESSENGER_RATE
    return iter(images), config.quality


def gif_frames(images: Images) -> Iterator[UInt8[np.ndarray, "height width rgb=3"]]:
    """Every image in one palette of 256 colours, dithered (Floyd and Steinberg)."""
    some = np.concatenate(list(images[:: max(1, len(images) // 4)]))
    palette = Image.fromarray(some).quantize(GIF_COLOURS, method=Image.Quantize.MEDIANCUT)
    for image in images:
        reduced = Image.fromarray(image).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        yield np.asarray(reduced.convert("RGB"))


def halved(image: UInt8[np.ndarray, "height width rgb=3"]) -> UInt8[np.ndarray, "half_height half_width rgb=3"]:
    """Half the size, by area."""
    return cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)


def enlarged_middle(
    image: UInt8[np.ndarray, "height width rgb=3"], factor: float
) -> UInt8[np.ndarray, "height width rgb=3"]:
    """The middle of an image, `factor` times as large: what a digital zoom shows."""
    height, width = image.shape[:2]
    # A pixel centre x of the result lies at (x - w/2) / factor + w/2; OpenCV counts from centres.
    shift = [(size / 2 - 0.5) * (1 - 1 / factor) for size in (width, height)]
    warp = np.array([[1 / factor, 0, shift[0]], [0, 1 / factor, shift[1]]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, warp, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
