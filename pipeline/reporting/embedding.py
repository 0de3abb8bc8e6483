"""Files as text inside one HTML page: images, videos and figures that need nothing from outside."""

import base64
import io
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from pipeline.formats.video_file import write_video

PIXELS_PER_POINT = 1.4
INK = "#0a0b0c"  # drawn with this colour, replaced by the page's own: figures follow light and dark
FIGURE_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "axes.grid": True,
}


def image_uri(image: UInt8[np.ndarray, "height width rgb=3"], quality: int = 85) -> str:
    """An image as a JPEG data address."""
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data_uri(data.tobytes(), "image/jpeg")


def video_uri(images: Iterable[UInt8[np.ndarray, "height width rgb=3"]], fps: float, quality: int = 24) -> str:
    """Frames as an H.264 data address."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write_video(path, images, fps, quality)
        return data_uri(path.read_bytes(), "video/mp4")


def data_uri(data: bytes, kind: str) -> str:
    """Bytes as a data address."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@contextmanager
def figure_style(name: str) -> Iterator[None]:
    """Figures drawn inside share one look; the name keeps the ids of two figures on a page apart."""
    with mpl.rc_context({**FIGURE_STYLE, "svg.hashsalt": name}):
        yield


def svg(figure: Figure) -> str:
    """A figure as SVG to put into a page, in the page's own ink, as wide as there is room up to its own size."""
    text = io.StringIO()
    nothing = dict.fromkeys(["Creator", "Date", "Format", "Type"])
    figure.savefig(text, format="svg", bbox_inches="tight", metadata=nothing)
    body = text.getvalue()
    body = body[body.index("<svg") :].replace(INK, "currentColor")
    shape = re.match(r'<svg ([^>]*?)width="([\d.]+)pt" height="[\d.]+pt"', body)
    assert shape, "matplotlib writes the size of a figure into its first tag"
    width = PIXELS_PER_POINT * float(shape[2])
    content = re.sub(r'<g id="[^"]*"', "<g", body[shape.end() :])  # two figures share them, and nothing refers to them
    return f'<svg style="max-width: {width:.0f}px" {shape[1]}{content}'
