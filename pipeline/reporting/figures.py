"""The report's figures: cameras and points, training, time and memory, maps of valid scales. Each returns SVG."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from pipeline.cameras import Intrinsics, directions_at_unit_depth, transform, unproject
from pipeline.formats.scene_file import Scene
from pipeline.reporting.embedding import INK, figure_style, svg
from pipeline.reporting.pictures import hex_colour

MOST_POINTS = 2500  # drawn per object
NOT_CURVES = ("seconds", "time_s", "step")
MAP_INK = "#15181d"  # on the map, which is bright on light and dark pages alike
ACCENT, SECOND = "#e8702a", "#3c8ff0"
PLOT_FROM_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # OpenCV: y down, z forward; plots: z up
VALID_COLOURS = LinearSegmentedColormap.from_list("valid", ["#8a93a0", "#c9d4e2", "#58b98a"])


def geometry_figure(scene: Scene) -> str:
    """Each object's points in its own frame, with the camera's path as the object sees it."""
    count = scene.object_count
    with figure_style("geometry"):
        columns = min(count, 3)
        rows = -(-count // columns)
        figure = Figure(figsize=(4.2 * columns, 3.9 * rows))
        for index in range(count):
            axes = figure.add_subplot(rows, columns, index + 1, projection="3d")
            draw_object(axes, scene, index)
        figure.tight_layout()
        return svg(figure)


def draw_object(axes: Any, scene: Scene, index: int) -> None:
    """One object's points and the cameras around it."""
    points, colours = object_points(scene, index)
    entry, frames = scene.objects[index], np.flatnonzero(scene.visible[index])
    view = plot_from_object(scene.object_from_camera[index, frames])
    points = points @ view.T
    if len(points):
        axes.scatter(*points.T, c=colours, s=3, linewidths=0, alpha=0.9, rasterized=True)
    centres = scene.object_from_camera[index, frames, :3, 3] @ view.T
    axes.plot(*centres.T, color=hex_colour(int(entry["id"])) if index else ACCENT, linewidth=1.8)
    depths = scene.observation_depth[scene.observation_object == index]
    reach = 0.12 * float(np.median(depths)) if len(depths) else 0.12
    for frame in frames[:: max(1, len(frames) // 10)]:
        draw_camera(axes, scene.camera, scene.object_from_camera[index, frame].astype(np.float64), reach, view)
    count = int((scene.observation_object == index).sum())
    axes.set_title(f"{entry['name']}: {len(frames)} cameras, {count} observations", color=INK)
    set_limits(axes, np.concatenate([points, centres]))


def draw_camera(
    axes: Any, camera: Intrinsics, pose: Float[np.ndarray, "4 4"], reach: float, view: Float[np.ndarray, "3 3"]
) -> None:
    """A camera as the pyramid that it sees."""
    corners = np.array([[0, 0], [camera.width, 0], [camera.width, camera.height], [0, camera.height]], float)
    ends = transform(pose, reach * directions_at_unit_depth(camera, corners)) @ view.T
    centre = view @ pose[:3, 3]
    for start, end in [*((centre, end) for end in ends), *zip(ends, np.roll(ends, -1, axis=0), strict=True)]:
        axes.plot(*np.stack([start, end]).T, color=INK, linewidth=0.6, alpha=0.6)


def plot_from_object(object_from_camera: Float[np.ndarray, "frame 4 4"]) -> Float[np.ndarray, "3 3"]:
    """Turns an object so that it is seen from behind its mean camera: that looks along the plot's y, with z up."""
    if len(object_from_camera) == 0:
        return PLOT_FROM_CAMERA
    u, _, vt = np.linalg.svd(object_from_camera[:, :3, :3].astype(np.float64).mean(0))
    u[:, 2] *= np.linalg.det(u @ vt)
    return PLOT_FROM_CAMERA @ (u @ vt).T


def set_limits(axes: Any, points: Float[np.ndarray, "point xyz=3"]) -> None:
    """Equal axes around nearly all points, without the box that matplotlib draws."""
    low, high = np.percentile(points, [1, 99], axis=0)
    middle, reach = (low + high) / 2, max(float((high - low).max()) / 2, 1e-6)
    for set_range, centre in zip((axes.set_xlim, axes.set_ylim, axes.set_zlim), middle, strict=True):
        set_range(centre - reach, centre + reach)
    axes.set_box_aspect((1, 1, 1), zoom=1.15)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_ticklabels([])
        axis.pane.set_visible(False)
        axis.line.set_alpha(0.25)
        axis._axinfo["tick"].update(inward_factor=0, outward_factor=0)
        axis._axinfo["grid"].update(linewidth=0.4, color=(0.5, 0.5, 0.5, 0.25))
    axes.view_init(elev=28, azim=-65)


def object_points(
    scene: Scene, index: int
) -> tuple[Float[np.ndarray, "point xyz=3"], Float[np.ndarray, "point rgb=3"]]:
    """Sparse points of an object in its own frame, with the colours that the images have there."""
    chosen = np.flatnonzero(scene.observation_object == index)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_POINTS)).astype(int)]
    frames, xy = scene.observation_frame[chosen], scene.observation_xy[chosen].astype(np.float64)
    local = unproject(scene.camera, xy, scene.observation_depth[chosen])
    columns = xy[:, 0].astype(int).clip(0, scene.camera.width - 1)
    lines = xy[:, 1].astype(int).clip(0, scene.camera.height - 1)
    points = transform(scene.object_from_camera[index, frames].astype(np.float64), local)
    return points, scene.images[frames, lines, columns] / 255


def training_figure(history: pd.DataFrame) -> str:
    """Every number of a training history over its steps, one small panel each."""
    step = history.columns[0]
    names = [name for name in history.columns[1:] if name not in NOT_CURVES and is_curve(history[name])]
    if not names:
        return ""
    with figure_style("training"):
        columns = min(len(names), 4)
        rows = -(-len(names) // columns)
        figure = Figure(figsize=(3.0 * columns, 2.1 * rows))
        for number, name in enumerate(names):
            axes = figure.add_subplot(rows, columns, number + 1)
            known = history[name].notna()
            axes.plot(history.loc[known, step], history.loc[known, name], color=ACCENT, linewidth=1.3)
            if (history.loc[known, name] > 0).all() and "loss" in name:
                axes.set_yscale("log")
            axes.set_title(name.replace("_", " "))
            axes.set_xlabel(step if number + columns >= len(names) else "")
        figure.tight_layout()
        return svg(figure)


def is_curve(values: pd.Series) -> bool:
    """Whether a column is numeric and changes."""
    return pd.api.types.is_numeric_dtype(values) and values.nunique(dropna=True) > 1


def cost_figure(stages: Sequence[str], seconds: Sequence[float], memory_mb: Sequence[float]) -> str:
    """Time and peak memory of every stage."""
    with figure_style("cost"):
        figure = Figure(figsize=(9, 0.34 * len(stages) + 0.9))
        for number, (values, title, colour) in enumerate(
            [(seconds, "seconds", ACCENT), ([value / 1024 for value in memory_mb], "peak memory, GB", SECOND)]
        ):
            axes = figure.add_subplot(1, 2, number + 1)
            bars = axes.barh(range(len(stages)), values, color=colour, height=0.62)
            axes.bar_label(bars, fmt="%.1f" if number else "%.0f", padding=3, color=INK)
            axes.set_yticks(range(len(stages)), stages if number == 0 else [""] * len(stages))
            axes.invert_yaxis()
            axes.margins(x=0.15)
            axes.grid(axis="y", visible=False)
            axes.set_title(title, loc="left")
        figure.tight_layout()
        return svg(figure)


def validity_figure(slices: list[dict[str, Any]], limits: list[dict[str, Any]], names: dict[int, str]) -> str:
    """Maps of the scale network's score, with the limit of the valid region and the true one where it is known.

    Where a line through the first scene leaves the region, the map says who would hide whom there.
    """
    with figure_style("validity"):
        columns = min(len(slices), 3)
        rows = -(-len(slices) // columns)
        figure = Figure(figsize=(4.6 * columns, (4.1 if len(slices[0]["objects"]) == 2 else 3.0) * rows))
        for number, entry in enumerate(slices):
            axes = figure.add_subplot(rows, columns, number + 1)
            (draw_map if len(entry["objects"]) == 2 else draw_curve)(axes, entry, names)
            if len(entry["objects"]) == 2:
                draw_limits(axes, entry, limits, names)
        figure.legend(handles=validity_legend(slices), loc="outside lower center", ncols=4, bbox_to_anchor=(0.5, -0.06))
        figure.tight_layout()
        return svg(figure)


def draw_map(axes: Any, entry: dict[str, Any], names: dict[int, str]) -> None:
    """Two objects' scales."""
    x, y = (np.array(values) for values in entry["axes"])
    score = np.array(entry["score"]).T
    axes.pcolormesh(x, y, score, cmap=VALID_COLOURS, vmin=0, vmax=1, shading="gouraud", rasterized=True)
    if score.min() < 0.5 < score.max():
        axes.contour(x, y, score, [0.5], colors=[MAP_INK], linewidths=1.6)
    if entry["true"] is not None:
        true = np.array(entry["true"], float).T
        if true.min() < 0.5 < true.max():
            axes.contour(x, y, true, [0.5], colors=[ACCENT], linewidths=1.8, linestyles="--")
        axes.plot(*entry["true_scales"], "*", color=ACCENT, markersize=13, clip_on=False)
    axes.plot(*entry["best"], "o", color=MAP_INK, markersize=6)
    first, second = (names[identity] for identity in entry["objects"])
    mark_scales(axes, "x", "y")
    axes.set(xlabel=f"scale of {first}", ylabel=f"scale of {second}", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    axes.grid(visible=False)


def draw_limits(axes: Any, entry: dict[str, Any], limits: list[dict[str, Any]], names: dict[int, str]) -> None:
    """Lines through the first scene as far as it stays valid, and what stops them."""
    for limit in limits:
        if limit["object"] not in entry["objects"]:
            continue
        axis, sign = entry["objects"].index(limit["object"]), 1 if limit["above"] else -1
        end = list(entry["best"])
        end[axis] = limit["scale"]
        axes.plot(*zip(entry["best"], end, strict=True), color=MAP_INK, linewidth=0.9, linestyle=":")
        if not limit["frames"]:
            continue
        axes.plot(*end, "_|"[1 - axis], color=MAP_INK, markersize=9, markeredgewidth=1.6)
        axes.annotate(
            f"{names[limit['shown']]} would hide\n{names[limit['seen']]} in frames {frames_text(limit['frames'])}",
            end,
            xytext=(0, 7 * sign) if axis else (7 * sign, 0),
            textcoords="offset points",
            rotation=0 if axis else 90,
            ha="center" if axis else ("left" if sign > 0 else "right"),
            va=("bottom" if sign > 0 else "top") if axis else "center",
            fontsize=7,
            color=MAP_INK,
        )


def mark_scales(axes: Axes, *which: Literal["x", "y"]) -> None:
    """Logarithmic axes, as those of the sliders: twice and half a scale are as far from it; marks like 0.7, not powers of ten."""
    for name in which:
        axes.set(**{f"{name}scale": "log"})
        axis = getattr(axes, f"{name}axis")
        axis.set_major_locator(MaxNLocator(6))
        axis.set_major_formatter(FuncFormatter(lambda scale, _: f"{scale:g}"))
        axis.set_minor_locator(NullLocator())


def frames_text(frames: list[int]) -> str:
    """The first few frames."""
    return ", ".join(str(frame) for frame in frames[:4]) + (" …" if len(frames) > 4 else "")


def draw_curve(axes: Any, entry: dict[str, Any], names: dict[int, str]) -> None:
    """One object's scale."""
    x, score = np.array(entry["axes"][0]), np.array(entry["score"])
    axes.fill_between(x, score, color="#58b98a", alpha=0.35, linewidth=0)
    axes.plot(x, score, color=INK, linewidth=1.6)
    axes.axhline(0.5, color=INK, linewidth=0.8, linestyle=":")
    if entry["true"] is not None:
        axes.plot(x, np.array(entry["true"], float), color=ACCENT, linestyle="--", drawstyle="steps-mid")
        axes.plot(entry["true_scales"][0], 1.0, "*", color=ACCENT, markersize=13, clip_on=False)
    axes.plot(entry["best"][0], 0.0, "o", color=INK, markersize=6, clip_on=False)
    mark_scales(axes, "x")
    axes.set(xlabel=f"scale of {names[entry['objects'][0]]}", ylabel="score", ylim=(0, 1.05), xlim=(x[0], x[-1]))


def validity_legend(slices: list[dict[str, Any]]) -> list[Line2D]:
    """What the marks on the maps are."""
    handles = [
        Line2D([], [], color=INK, label="limit of the predicted region"),
        Line2D([], [], color=INK, marker="o", linestyle="", label="the scene shown first"),
    ]
    if any(entry["true"] is not None for entry in slices):
        handles.append(Line2D([], [], color=ACCENT, linestyle="--", label="limit of the true region"))
        handles.append(Line2D([], [], color=ACCENT, marker="*", linestyle="", markersize=11, label="true scales"))
    return handles
