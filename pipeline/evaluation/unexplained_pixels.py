"""Where the trained scene shows something else than the video: regions of the observed views with other colours and structure.

No still background shows a moving thing where it was. What masks missed, two things under one mask, or an object in a
wrong pose is a ghost in renders, or is not there; neither flow nor truth is needed to see that. Colours are compared after a blur,
so that a surface which is a little less sharp is no difference. A shadow has other colours, but the structure of what it falls on.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.evaluation.image_metrics import ssim_map, to_unit
from pipeline.evaluation.rendering import STAGE
from pipeline.evaluation.results import Results
from pipeline.formats.metrics_table import Findings, Row
from pipeline.formats.renders_folder import Renders, read_set_images
from pipeline.formats.scene_file import Scene

BLUR = 0.012  # of the width, before colours are compared
OTHER_COLOUR, OTHER_STRUCTURE = 10.0, 0.5  # distance in CIE Lab, at least; SSIM, at most
LEAST_REGION_PERCENT = 0.5  # of a view


@dataclass(frozen=True)
class UnexplainedRegion:
    """A region of a frame that the scene shows otherwise: its middle (pixels), its size, and whose mask is there."""

    frame: int
    x: int
    y: int
    percent: float
    object_id: int


def unexplained_results(folder: Path, renders: Renders, scene: Scene) -> Results:
    """The share of the observed views that is unexplained, and the regions that are large enough to matter, the largest first."""
    shares, regions = [], []
    for entry in renders.of_kind("observed"):
        for image, frame in zip(read_set_images(folder, entry), entry.frames, strict=True):
            other = unexplained(image, scene.images[frame]) & (scene.object_ids[frame] != IGNORE_ID)
            shares.append(100 * float(other.mean()))
            regions += regions_of(other, scene, frame)
    row = Row(STAGE, renders.method, "observed", "unexplained_percent", float(np.mean(shares)))
    regions.sort(key=lambda region: region.percent, reverse=True)
    return Results(renders.method, Findings.of([row]), {"unexplained": [asdict(region) for region in regions]})


def unexplained(
    image: UInt8[np.ndarray, "height width rgb=3"], frame: UInt8[np.ndarray, "height width rgb=3"]
) -> Bool[np.ndarray, "height width"]:
    """Pixels where a render has other colours than the frame, and another structure."""
    width_px = BLUR * frame.shape[1]
    colours = [
        cv2.GaussianBlur(cv2.cvtColor(each.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), (0, 0), width_px)
        for each in (image, frame)
    ]
    structure = ssim_map(to_unit(image), to_unit(frame)).mean(0).numpy()
    other_colour = np.linalg.norm(colours[0] - colours[1], axis=-1) > OTHER_COLOUR
    return other_colour & (cv2.GaussianBlur(structure, (0, 0), width_px / 1.5) < OTHER_STRUCTURE)


def regions_of(other: Bool[np.ndarray, "height width"], scene: Scene, frame: int) -> list[UnexplainedRegion]:
    """The connected regions of a view that are large enough."""
    count, labels, stats, middles = cv2.connectedComponentsWithStats(other.astype(np.uint8))
    found = []
    for k in range(1, count):
        percent = 100 * float(stats[k, cv2.CC_STAT_AREA]) / other.size
        if percent >= LEAST_REGION_PERCENT:
            index = int(np.bincount(scene.object_ids[frame][labels == k]).argmax())
            x, y = middles[k].round().astype(int).tolist()
            found.append(UnexplainedRegion(int(frame), x, y, round(percent, 2), int(scene.objects[index]["id"])))
    return found
