"""Semantic Flow judged: are classes right at times whose labels it saw, at others, and from held-out views?"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt8

from pipeline.cameras import IGNORE_ID
from pipeline.metrics_table import Findings, Row
from pipeline.object_matching import resized_ids
from pipeline.renders_folder import Renders, read_set_ids
from pipeline.semantic_metrics import SemanticScores, merged_background, view_scores

STAGE = "train_semantic_flow"
METRICS = ("miou", "total_accuracy", "average_accuracy")
OWN_CLASSES = "the classes are those of label maps, which neither masks nor truth can judge"


def semantic_findings(
    facts: dict[str, Any],
    folder: Path,
    renders: Renders,
    frame_ids: UInt8[np.ndarray, "frame height width"],
    view_ids: UInt8[np.ndarray, "view view_height view_width"] | None,
    matching: dict[int, int] | None,
) -> Findings:
    """Scores of the rendered classes; `facts` are a checkpoint's values beside the model.

    `frame_ids` and `view_ids` are the target's ids, true ones where `matching` (estimated id -> true id) is given, else
    those of the masks. Each set is scored over all its pixels (`held_out_times`) and as the mean over its views
    (`held_out_times_per_view`), with all classes and with the moving ones against one background (`..._foreground`).
    """
    if not facts["classes_are_objects"]:
        return Findings.absent(STAGE, METRICS, OWN_CLASSES, renders.method)
    table = class_table({int(key): int(value) for key, value in facts["class_of"].items()}, None)
    target_table = class_table({int(key): int(value) for key, value in facts["class_of"].items()}, matching)
    moves = np.array(facts["class_moves"], bool)
    findings = Findings()
    for entry in renders.of_kind("observed"):
        told = table[read_set_ids(folder, entry)]
        wanted = target_table[resized_ids(frame_ids[entry.frames], *told.shape[1:])]
        labelled = np.isin(entry.frames, facts["labelled_frames"])
        for item, chosen in (("labelled_times", labelled), ("held_out_times", ~labelled)):
            findings += set_findings(renders.method, item, told[chosen], wanted[chosen], moves)
    for entry in renders.of_kind("held_out")[:1]:
        if view_ids is not None:
            told = table[read_set_ids(folder, entry)]
            wanted = target_table[resized_ids(view_ids[entry.views], *told.shape[1:])]
            findings += set_findings(renders.method, "held_out_views", told, wanted, moves)
    return findings


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
    findings = Findings()
    merged = merged_background(told, moves), merged_background(wanted, moves)
    for suffix, pair in (("", (told, wanted)), ("_foreground", merged)):
        each, together = view_scores(*pair, len(moves))
        mean = SemanticScores(*(float(np.mean([getattr(one, name) for one in each])) for name in METRICS))
        for name, scores in ((item + suffix, together), (f"{item}_per_view{suffix}", mean)):
            findings += Findings.of([Row(STAGE, method, name, metric, getattr(scores, metric)) for metric in METRICS])
    return findings
