"""How well classes are told: mean intersection over union, total and class-average accuracy. Pure functions.

Classes that occur neither in truth nor in prediction have no part; a class that is only predicted counts as 0 in the
mean IoU and not in the average accuracy, which is a mean of recalls.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Shaped

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID


@dataclass(frozen=True)
class SemanticScores:
    """All between 0 and 1."""

    miou: float
    total_accuracy: float
    average_accuracy: float


def confusion(
    predicted: Shaped[np.ndarray, "*batch"], truth: Shaped[np.ndarray, "*batch"], classes: int
) -> Int[np.ndarray, "classes classes"]:
    """Pixels by true class (row) and predicted class (column), without those whose truth is 255 or negative."""
    known = (truth != IGNORE_ID) & (truth >= 0)
    pairs = truth[known].astype(np.int64) * classes + predicted[known].astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def semantic_scores(counts: Int[np.ndarray, "classes classes"]) -> SemanticScores:
    """The three numbers of a confusion matrix; NaN where it is empty."""
    right, true, told = np.diag(counts), counts.sum(1), counts.sum(0)
    if not counts.sum():
        return SemanticScores(float("nan"), float("nan"), float("nan"))
    present, occurs = (true + told) > 0, true > 0
    iou = right[present] / (true + told - right)[present]
    return SemanticScores(
        float(iou.mean()), float(right.sum() / counts.sum()), float((right[occurs] / true[occurs]).mean())
    )


def merged_background(
    ids: Shaped[np.ndarray, "*batch"], moves: Bool[np.ndarray, "classes"]
) -> Shaped[np.ndarray, "*batch"]:
    """Every class that does not move as class 0, as the paper's foreground scores have it; unknown stays unknown."""
    known = (ids != IGNORE_ID) & (ids >= 0)
    still = np.flatnonzero(~moves)
    return np.where(known & np.isin(ids, still), BACKGROUND_ID, ids)


def view_scores(
    predicted: Shaped[np.ndarray, "view height width"], truth: Shaped[np.ndarray, "view height width"], classes: int
) -> tuple[list[SemanticScores], SemanticScores]:
    """Scores of each view, as the paper averages them, and of all pixels together."""
    each = [confusion(one, other, classes) for one, other in zip(predicted, truth, strict=True)]
    return [semantic_scores(counts) for counts in each], semantic_scores(np.sum(each, axis=0))
