"""Scores of hand-made confusion matrices."""

import numpy as np
import pytest

from pipeline.evaluation.semantic_metrics import confusion, merged_background, semantic_scores, view_scores


def test_a_confusion_matrix_counts_pairs_and_skips_unknown_truth() -> None:
    truth = np.array([0, 0, 1, 1, 2, 255, -1], np.int16)
    predicted = np.array([0, 1, 1, 1, 0, 2, 2], np.int16)
    assert confusion(predicted, truth, 3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_scores_agree_with_numbers_worked_out_by_hand() -> None:
    scores = semantic_scores(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]))
    assert scores.miou == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert scores.total_accuracy == pytest.approx(9 / 12)
    assert scores.average_accuracy == pytest.approx((6 / 8 + 3 / 4) / 2)


def test_a_class_that_is_only_predicted_counts_as_zero_in_the_mean_iou() -> None:
    scores = semantic_scores(np.array([[8, 2], [0, 0]]))
    assert scores.miou == pytest.approx(8 / 10 / 2)
    assert scores.average_accuracy == pytest.approx(0.8)


def test_nothing_known_gives_no_number() -> None:
    assert np.isnan(semantic_scores(np.zeros((2, 2), int)).miou)


def test_still_classes_merge_into_the_background() -> None:
    ids = np.array([0, 1, 2, 255])
    assert merged_background(ids, np.array([False, False, True])).tolist() == [0, 0, 2, 255]


def test_views_are_scored_alone_and_together() -> None:
    truth = np.array([[[0, 1]], [[0, 0]]])
    predicted = np.array([[[0, 1]], [[0, 1]]])
    each, together = view_scores(predicted, truth, 2)
    assert [scores.miou for scores in each] == [1.0, pytest.approx(0.25)]
    assert together.miou == pytest.approx((2 / 3 + 1 / 2) / 2)
