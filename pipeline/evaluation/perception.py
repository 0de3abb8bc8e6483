"""Flow and masks judged by truth."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int, UInt8

from pipeline.evaluation.image_metrics import endpoint_errors
from pipeline.evaluation.known_truth import NO_TRUTH, KnownTruth
from pipeline.evaluation.object_matching import id_switches, in_true_ids, object_ious
from pipeline.formats.flow_file import FlowPair
from pipeline.formats.metrics_table import Findings, Row
from pipeline.truth.correspondences import true_flow
from pipeline.truth.covisibility import GEOMETRY
from pipeline.truth.truth_file import Truth

FLOW_METRICS = ("epe_px", "outliers_1px_percent")
MASK_METRICS = ("miou", "id_switches")


def perception_findings(
    pairs: Iterable[FlowPair], object_ids: UInt8[np.ndarray, "frame height width"], known: KnownTruth | None
) -> Findings:
    """Flow and masks against truth."""
    if known is None:
        absent = Findings.absent("estimate_flow", FLOW_METRICS, NO_TRUTH)
        return absent + Findings.absent("segment_objects", MASK_METRICS, NO_TRUTH)
    train = known.truth.train
    if train.knows(*GEOMETRY):
        found = flow_findings(pairs, known.truth, known.alignment.rows)
    else:
        found = Findings.absent(
            "estimate_flow", FLOW_METRICS, "truth lacks depth, object ids or poses of the video's frames"
        )
    if not train.knows("object_ids"):
        return found + Findings.absent("segment_objects", MASK_METRICS, "truth has no object ids of the video's frames")
    return found + mask_findings(object_ids, known.frame_ids, known.matching)


class FlowErrors:
    """Endpoint errors of forward flow gathered pair by pair, so that no more than one pair is in memory."""

    def __init__(self) -> None:
        self.sum = self.outliers = 0.0
        self.count = 0

    def add(self, errors: Float[np.ndarray, "pixel"]) -> None:
        self.sum += float(errors.sum())
        self.outliers += float((errors > 1.0).sum())
        self.count += errors.size


def flow_errors(pair: FlowPair, truth: Truth, row: int, to: int) -> Float[np.ndarray, "pixel"]:
    """Errors at all pixels that truth sees in both frames, in pixels of the estimated flow."""
    flow, known = true_flow(truth, row, to)
    height, width = pair.forward.shape[:2]
    lines = np.floor((np.arange(height) + 0.5) * flow.shape[0] / height).astype(int)
    columns = np.floor((np.arange(width) + 0.5) * flow.shape[1] / width).astype(int)
    at = np.ix_(lines, columns)
    resized = flow[at] * np.array([width / flow.shape[1], height / flow.shape[0]])
    return endpoint_errors(pair.forward, resized)[known[at]]


def flow_findings(pairs: Iterable[FlowPair], truth: Truth, rows: Int[np.ndarray, "frame"]) -> Findings:
    """Flow of all pairs whose two frames are in truth."""
    errors = FlowErrors()
    for index, pair in enumerate(pairs):
        if rows[index] >= 0 and rows[index + 1] >= 0:
            errors.add(flow_errors(pair, truth, int(rows[index]), int(rows[index + 1])))
    if errors.count == 0:
        return Findings.absent("estimate_flow", FLOW_METRICS, "truth knows no two neighbouring frames")
    return Findings.of(
        [
            Row("estimate_flow", "", "all", "epe_px", errors.sum / errors.count),
            Row("estimate_flow", "", "all", "outliers_1px_percent", 100 * errors.outliers / errors.count),
        ]
    )


def mask_findings(
    ids: UInt8[np.ndarray, "frame height width"],
    target: UInt8[np.ndarray, "frame height width"],
    matching: dict[int, int],
) -> Findings:
    """Masks of all objects; an item is the estimated object's id, or `truth N` for a true object that was not found."""
    item = {true: str(estimated) for estimated, true in matching.items()}
    ious = object_ious(in_true_ids(ids, matching), target)
    switches = id_switches(ids, target)
    rows = [Row("segment_objects", "", item.get(true, f"truth {true}"), "miou", iou) for true, iou in ious.items()]
    rows += [
        Row("segment_objects", "", item.get(true, f"truth {true}"), "id_switches", count)
        for true, count in switches.items()
    ]
    moving = [iou for true, iou in ious.items() if true > 0]
    if moving:
        rows.append(Row("segment_objects", "", "all", "miou", float(np.mean(moving))))
    rows.append(Row("segment_objects", "", "all", "id_switches", float(sum(switches.values()))))
    return Findings.of(rows)
