"""The report's figures of the geometry: how well every object fits, frame by frame, and what is known of the focal length."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from pipeline.formats.geometry_file import Geometry, ObjectGeometry
from pipeline.reporting.embedding import INK, figure_style, svg
from pipeline.reporting.pictures import hex_colour

STILL_INK = "#8a93a0"  # the background's line
CURVE_INK = "#e8702a"


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


def focal_figure(geometry: Geometry) -> str:
    """How likely each focal length is, by the tracks alone and with what is known of cameras. Empty where a person gave it."""
    curve = geometry.focal_curve
    if curve is None:
        return ""
    focals = np.array(curve.focal_px)
    with figure_style("focal"):
        figure = Figure(figsize=(6, 2.6))
        axes = figure.subplots()
        axes.fill_between(focals, np.exp(curve.log_posterior), color=CURVE_INK, alpha=0.25, linewidth=0)
        axes.plot(focals, np.exp(curve.log_posterior), color=CURVE_INK, linewidth=1.5, label="with the prior")
        likelihood = np.exp(curve.log_likelihood)
        axes.plot(focals, likelihood, color=STILL_INK, linewidth=1.2, linestyle="--", label="tracks alone")
        axes.axvline(geometry.intrinsics[0], color=INK, linewidth=0.8)
        axes.set(xlabel="focal length, pixels", ylabel="likelihood", xscale="log", yticks=[])
        low, high = curve.interval_95
        axes.set_xlim(max(focals[0], 0.6 * low), min(focals[-1], 1.7 * high))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(ScalarFormatter())
        axes.legend(loc="upper right", labelcolor=INK)
        figure.tight_layout()
        return svg(figure)
