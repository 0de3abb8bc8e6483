"""The report's figure of a lens that was undistorted: the frames' straight grid, as it lay in the images of the lens."""

from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.cameras import Intrinsics, directions_at_unit_depth
from pipeline.formats.geometry_file import Geometry
from pipeline.formats.lens import Lens
from pipeline.reporting.embedding import INK, figure_style, svg

LINES, POINTS = 9, 60
GRID_INK = "#e8702a"
Line = Float[np.ndarray, "point xy=2"]


def lens_figure(info: dict[str, Any], frame: UInt8[np.ndarray, "height width rgb=3"]) -> str:
    """The grid in the lens's image and in a frame, of what frames.json says; empty where no lens was undistorted."""
    if not info.get("lens") or not info.get("camera"):
        return ""
    camera = Intrinsics.from_values(np.array(info["camera"], float), *frame.shape[:2])
    return drawn_lens(Lens.of_values(info["lens"]), camera, frame)


def calibrated_lens_figure(geometry: Geometry, image: UInt8[np.ndarray, "height width rgb=3"]) -> str:
    """The same of the lens that the tracks told, and of an image of the scene; empty where none was undone."""
    if geometry.lens is None:
        return ""
    camera = Intrinsics.from_values(np.array(geometry.intrinsics), *image.shape[:2])
    return drawn_lens(Lens.of_values(geometry.lens), camera, image)


def drawn_lens(lens: Lens, camera: Intrinsics, image: UInt8[np.ndarray, "height width rgb=3"]) -> str:
    """The grid that is straight in an image of the pinhole, in the lens's image and there."""
    width, height = camera.width, camera.height
    straight = grid(width, height)
    with figure_style("lens"):
        figure = Figure(figsize=(9, 9 / 2 * height / width + 0.6))
        seen, shown = figure.subplots(1, 2)
        draw(seen, [lens.project(directions_at_unit_depth(camera, line)) for line in straight], lens.width, lens.height)
        seen.set(title=f"as the lens saw it ({lens.model})")
        shown.imshow(image, extent=(0, width, height, 0))
        draw(shown, straight, width, height)
        shown.set(title="undistorted")
        figure.tight_layout()
        return svg(figure)


def grid(width: int, height: int) -> list[Line]:
    """Lines that are straight in the frames, upright ones first, each as points along it."""
    along = np.linspace(0, 1, POINTS)
    upright = [np.column_stack([np.full(POINTS, x), along * height]) for x in np.linspace(0, width, LINES)]
    level = [np.column_stack([along * width, np.full(POINTS, y)]) for y in np.linspace(0, height, LINES)]
    return upright + level


def draw(axes: Axes, lines: list[Line], width: int, height: int) -> None:
    """Lines within the outline of an image."""
    for line in lines:
        axes.plot(*line.T, color=GRID_INK, linewidth=0.9)
    axes.plot([0, width, width, 0, 0], [0, 0, height, height, 0], color=INK, linewidth=1.2)
    axes.set(
        xlim=(-0.02 * width, 1.02 * width), ylim=(1.02 * height, -0.02 * height), aspect="equal", xticks=[], yticks=[]
    )
