"""A method with classes judged: are they right at times whose labels it saw, at others, and from held-out views?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.evaluation.known_truth import KnownTruth
from pipeline.evaluation.object_matching import resized_ids
from pipeline.evaluation.results import Results, training_stage
from pipeline.evaluation.semantic_metrics import SemanticScores, merged_background, view_scores
from pipeline.formats.metrics_table import Findings, Row
from pipeline.formats.renders_folder import Renders, read_set_ids
from pipeline.rendering.trained_method import Classes, TrainedMethod

PROTOCOL = "semantic_flow"
PAPERS_ITEMS = {
    "held_out_views_per_view_foreground": "held_out_views",
    "held_out_views_and_times_per_view_foreground": "held_out_views_and_times",
}
METRICS = ("miou", "total_accuracy", "average_accuracy")
OWN_CLASSES = "the classes are those of label maps, which neither masks nor truth can judge; evaluate was given none"


@dataclass(frozen=True)
class ClassTargets:
    """The right class (a column) of every pixel of the video, and of held-out views where truth has them; -1 unknown."""

    frames: Int[np.ndarray, "frame height width"]
    views: Int[np.ndarray, "view view_height view_width"] | None = None


def class_targets(
    method: TrainedMethod,
    classes: Classes,
    object_ids: UInt8[np.ndarray, "frame height width"],
    labels: Path | None,
    known: KnownTruth | None,
) -> ClassTargets | None:
    """What classes are judged by: label maps where the classes are theirs, else truth, else the masks."""
    if not classes.of_objects:
        return ClassTargets(method.label_map_classes(labels)) if labels else None
    if known is None or not known.truth.train.knows("object_ids"):
        return object_targets(classes, object_ids)
    test = known.truth.test
    return object_targets(
        classes, known.frame_ids, test.object_ids if test.knows("object_ids") else None, known.matching
    )


def object_targets(
    classes: Classes,
    frame_ids: UInt8[np.ndarray, "frame height width"],
    view_ids: UInt8[np.ndarray, "view view_height view_width"] | None = None,
    matching: dict[int, int] | None = None,
) -> ClassTargets:
    """Targets from object ids: true ones where `matching` (estimated id -> true id) is given, else those of the masks."""
    table = class_table(classes.class_of, matching)
    return ClassTargets(table[frame_ids], None if view_ids is None else table[view_ids])


def semantic_results(classes: Classes, folder: Path, renders: Renders, targets: ClassTargets | None) -> Results:
    """Scores of the rendered classes, and the mean IoU of every rendered frame for the report's curve.

    Each set is scored over all its pixels (`held_out_times`) and as the mean over its views (`held_out_times_per_view`),
    with all classes and with the moving ones against one background (`..._foreground`). Held-out views are also scored
    at the times whose labels training never saw.
    """
    if targets is None:
        absent = Findings.absent(training_stage(renders.method), METRICS, OWN_CLASSES, renders.method)
        return Results(renders.method, absent, {"semantics": {}})
    table, moves = class_table(classes.class_of, None), np.array(classes.moves, bool)
    findings, curve = Findings(), {}
    for entry in renders.of_kind("observed"):
        told = table[read_set_ids(folder, entry)]
        wanted = resized_classes(targets.frames[entry.frames], *told.shape[1:])
        labelled = np.isin(entry.frames, classes.labelled_frames)
        for item, chosen in (("labelled_times", labelled), ("held_out_times", ~labelled)):
            findings += set_findings(renders.method, item, told[chosen], wanted[chosen], moves)
        each, _ = view_scores(told, wanted, len(moves))
        curve = {"frames": entry.frames, "miou": [one.miou for one in each], "labelled": labelled.tolist()}
    for entry in renders.of_kind("held_out")[:1]:
        if targets.views is not None:
            told = table[read_set_ids(folder, entry)]
            wanted = resized_classes(targets.views[entry.views], *told.shape[1:])
            findings += set_findings(renders.method, "held_out_views", told, wanted, moves)
            unseen = ~np.isin(entry.frames, classes.labelled_frames)
            findings += set_findings(renders.method, "held_out_views_and_times", told[unseen], wanted[unseen], moves)
    return Results(renders.method, findings, {"semantics": curve})


def protocol_class_findings(method: str, found: Findings) -> Findings:
    """Class scores as Semantic Flow's paper takes them: what does not move is one background, mean over held-out views."""
    stage = training_stage(method)
    rows = [
        row._replace(item=PAPERS_ITEMS[row.item], protocol=PROTOCOL) for row in found.rows if row.item in PAPERS_ITEMS
    ]
    if rows:
        return Findings.of(rows)
    reason = "the method tells no classes, or no held-out view has known ones"
    return Findings.absent(stage, METRICS, reason, method, "held_out_views", PROTOCOL)


def resized_classes(
    classes: Int[np.ndarray, "view old_height old_width"], height: int, width: int
) -> Int[np.ndarray, "view height width"]:
    """Classes at another size, of the nearest pixel; -1 stays unknown."""
    ids = np.where(classes < 0, IGNORE_ID, classes).astype(np.uint8)
    small = resized_ids(ids, height, width).astype(np.int64)
    return np.where(small == IGNORE_ID, -1, small)


def class_table(class_of: dict[int, int], matching: dict[int, int] | None) -> Int[np.ndarray, "id"]:
    """Class of every id, -1 where it has none; of true ids where a matching of estimated to true ones is given."""
    table = np.full(256, -1, np.int64)
    for identity, column in class_of.items():
        key = identity if matching is None or identity == 0 else matching.get(identity, IGNORE_ID)
        if key != IGNORE_ID:
            table[key] = column
    return table


def set_findings(
    method: str,
    item: str,
    told: Int[np.ndarray, "view height width"],
    wanted: Int[np.ndarray, "view height width"],
    moves: Bool[np.ndarray, "classes"],
) -> Findings:
    """All numbers of one set of views; none of an empty one."""
    if not len(told):
        return Findings()
    findings, stage = Findings(), training_stage(method)
    merged = merged_background(told, moves), merged_background(wanted, moves)
    for suffix, pair in (("", (told, wanted)), ("_foreground", merged)):
        each, together = view_scores(*pair, len(moves))
        mean = SemanticScores(*(float(np.mean([getattr(one, name) for one in each])) for name in METRICS))
        for name, scores in ((item + suffix, together), (f"{item}_per_view{suffix}", mean)):
            findings += Findings.of([Row(stage, method, name, metric, getattr(scores, metric)) for metric in METRICS])
    return findings
