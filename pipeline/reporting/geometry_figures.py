"""The report's figure of how well every object's reconstruction fits, frame by frame."""

import numpy as np
from matplotlib.figure import Figure

from pipeline.formats.geometry_file import Geometry, ObjectGeometry
from pipeline.reporting.embedding import INK, figure_style, svg
from pipeline.reporting.pictures import hex_colour

STILL_INK = "#8a93a0"  # the background's line


def fit_figure(geometry: Geometry) -> str:
    """Residuals and points of every object over time; lines break where an object has no pose. Empty without numbers."""
    known = [entry for entry in geometry.objects if entry.points]
    if not known:
        return ""
    with figure_style("fit"):
        figure = Figure(figsize=(9, 2.8))
        residuals, points = figure.subplots(1, 2)
        for entry in known:
            colour = hex_colour(entry.id) if entry.id else STILL_INK
            residuals.plot(
                frame_values(entry), color=colour, linewidth=1.5, marker=".", markersize=3, label=legend(entry)
            )
            points.plot(entry.points, color=colour, linewidth=1.5)
        residuals.set(xlabel="frame", title="median residual, pixels")
        residuals.set_ylim(bottom=0)
        points.set(xlabel="frame", title="points seen", yscale="symlog")
        points.set_ylim(bottom=0)
        figure.legend(loc="outside lower center", ncols=min(len(known), 3), bbox_to_anchor=(0.5, -0.12), labelcolor=INK)
        figure.tight_layout()
        return svg(figure)


def frame_values(entry: ObjectGeometry) -> np.ndarray:
    """Residuals with gaps as NaN, which no line is drawn through."""
    return np.array([np.nan if value is None else value for value in entry.residual_px], dtype=float)


def legend(entry: ObjectGeometry) -> str:
    """Name, frames with a pose, and how far the poses may be off."""
    registered = sum(value is not None for value in entry.residual_px)
    text = f"{entry.name}: {registered} of {len(entry.residual_px)} frames"
    deviation = entry.numbers.get("rotation_std_deg")
    return (
        text if deviation is None else f"{text}, ± {deviation:.2f}°, ± {entry.numbers['trajectory_std_percent']:.1f} %"
    )
