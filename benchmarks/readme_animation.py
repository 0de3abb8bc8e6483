"""The README's moving picture: one video, two valid scenes of OSN, from the results of the demo.

    python -m benchmarks.readme_animation results/demo docs/valid_scales.gif

Columns: the valid scene that is shown first, and one whose objects are about half as large and as far. Rows: rendered from
the video's camera, where both look alike, and from one that moves along beside it, where they do not.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from pipeline.cameras import inverse, project, transform
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.geometry.camera_paths import evenly_chosen, moved_aside
from pipeline.rendering.trained_method import TrainedMethod, load_method
from pipeline.rendering.view_pictures import as_picture, render_chunks, view_rays
from pipeline.rendering.view_plans import viewing_depth
from pipeline.truth.alignment import nearest_scales

TIMES = 16
SMALLER = 0.6  # the other scene's scales, as a share of the first one's
ASIDE, UP = 0.2, 0.1  # of the depth looked at: far enough to tell the scenes apart, near enough to see no holes
CHUNK = 16384
STRIP, GAP, TEXT = 22, 4, 14  # pixels
MILLISECONDS = 120
COLOURS = 256  # as many as a GIF has


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    scene = read_scene(arguments.results / "scene.h5")
    method = load_method(arguments.results / "osn" / "checkpoint.pt", scene, torch.device("cpu"))
    chosen = two_valid_scales(method)
    poses, aside = scene.object_from_camera[0].astype(np.float64), cameras_aside(scene, chosen)
    frames = np.flatnonzero(scene.visible.all(0))
    times = frames[evenly_chosen(len(frames), TIMES)]
    pictures = [
        labelled(
            [[view(method, pose, time, scales) for scales in chosen] for pose in (poses[time], aside[time])],
            chosen,
        )
        for time in times.tolist()
    ]
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    write_animation(arguments.picture, pictures)


def two_valid_scales(method: TrainedMethod) -> Float[np.ndarray, "scene=2 object"]:
    """The valid scales shown first, and those nearest to a share of them."""
    scales = method.scales.numpy()
    wanted = np.concatenate([[1.0], SMALLER * scales[0, 1:]])
    return scales[[0, nearest_scales(scales, wanted, 1)[0]]]


def cameras_aside(scene: Scene, chosen: Float[np.ndarray, "scene object"]) -> Float[np.ndarray, "frame 4 4"]:
    """Cameras left or right of the video's, on the side that keeps moving objects farther from the picture's borders."""
    depth, poses = viewing_depth(scene), scene.object_from_camera[0].astype(np.float64)
    sides = [
        np.stack([moved_aside(pose, depth, side * ASIDE * depth, -UP * depth) for pose in poses]) for side in (-1, 1)
    ]
    return max(sides, key=lambda cameras: float(margins_px(scene, chosen, cameras).min()))


def margins_px(
    scene: Scene, chosen: Float[np.ndarray, "scene object"], world_from_camera: Float[np.ndarray, "frame 4 4"]
) -> Float[np.ndarray, "scene moving frame"]:
    """How far moving objects, taken for balls, are inside the pictures of some cameras; those never seen do not count."""
    poses, camera = scene.object_from_camera.astype(np.float64), scene.camera
    centres = inverse(poses[1:])[..., :3, 3] * chosen[:, 1:, None, None]
    points = transform(inverse(world_from_camera) @ poses[0], centres)
    xy, radius = project(camera, points), chosen[:, 1:] * scene.box_half_extent[1:].max(1)
    inside = np.minimum(xy, np.array([camera.width, camera.height]) - xy).min(-1)
    return np.where(scene.visible[1:], inside - camera.fx * radius[..., None] / points[..., 2], np.inf)


def view(
    method: TrainedMethod,
    world_from_camera: Float[np.ndarray, "4 4"],
    frame: int,
    scales: Float[np.ndarray, "object"],
) -> UInt8[np.ndarray, "height width rgb=3"]:
    """The scene at one time, under one scale vector."""
    rendering = render_chunks(
        method, view_rays(method.scene.camera, world_from_camera, frame), torch.from_numpy(scales), CHUNK
    )
    return as_picture(rendering, method.scene.camera, np.array(method.object_ids, np.uint8))[0]


def labelled(
    rows: list[list[UInt8[np.ndarray, "height width rgb=3"]]], chosen: Float[np.ndarray, "scene=2 object"]
) -> Image.Image:
    """One picture of the animation: a column per scene, a row per camera, and what they are."""
    height, width = rows[0][0].shape[:2]
    size = STRIP + len(chosen) * (width + GAP), STRIP + len(rows) * (height + GAP)
    page = Image.new("RGB", size, "white")
    for j, scales in enumerate(chosen):
        text = strip(f"valid scales {', '.join(f'{scale:.2f}' for scale in scales[1:])}", width)
        page.paste(text, (STRIP + j * (width + GAP), 0))
    for i, (name, images) in enumerate(zip(("from the camera", "from the side"), rows, strict=True)):
        page.paste(strip(name, height).rotate(90, expand=True), (0, STRIP + i * (height + GAP)))
        for j, image in enumerate(images):
            page.paste(Image.fromarray(image), (STRIP + j * (width + GAP), STRIP + i * (height + GAP)))
    return page


def strip(text: str, length: int) -> Image.Image:
    """A line of text in the middle of a white strip."""
    image = Image.new("RGB", (length, STRIP), "white")
    ImageDraw.Draw(image).text((length / 2, STRIP / 2), text, "black", ImageFont.load_default(TEXT), anchor="mm")
    return image


def write_animation(path: Path, pictures: list[Image.Image]) -> None:
    """A GIF that repeats, with the same colours in all pictures, so that what rests does not flicker."""
    sample = Image.fromarray(np.concatenate([np.asarray(picture) for picture in pictures[::4]]))
    palette = sample.quantize(
        COLOURS, kmeans=2, dither=Image.Dither.NONE
    )  # without k-means small things lose their colour
    first, *others = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures)
    first.save(path, save_all=True, append_images=others, duration=MILLISECONDS, loop=0, optimize=False)


if __name__ == "__main__":
    main()
