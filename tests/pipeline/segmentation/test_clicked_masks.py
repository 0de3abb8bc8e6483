"""What the page shows of clicks is what the stage makes of them, and says how sure it is."""

import numpy as np
import pytest

from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.segmentation.clicked_masks import ClickSegmenter, with_others_beside
from pipeline.segmentation.prompts import mask_from_hint, overlap
from tests.pipeline.segmentation.small_videos import SIZE

ROOM, LEFT, RIGHT = (90, 90, 100), (200, 60, 50), (60, 150, 70)


@pytest.fixture(scope="module")
def segmenter() -> ClickSegmenter:
    """The embedded backends."""
    return ClickSegmenter(None, SegmentObjectsConfig(backend="motion"), EstimateFlowConfig(backend="dis"))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Two grainy squares on a grainy wall; the left one slides by two pixels a frame."""
    rng = np.random.default_rng(0)
    wall, left, right = (
        np.clip(colour + rng.integers(-12, 13, (*size, 1)), 0, 255).astype(np.uint8)
        for colour, size in ((ROOM, SIZE), (LEFT, (20, 20)), (RIGHT, (20, 20)))
    )
    images = np.stack([wall] * 3)
    for t in range(3):
        images[t, 20:40, 12 + 2 * t : 32 + 2 * t], images[t, 20:40, 55:75] = left, right
    return images


def square(left: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[20:40, left : left + 20] = True
    return mask


def test_mask_of_one_frame_is_what_the_stage_cuts_out(segmenter: ClickSegmenter, images: np.ndarray) -> None:
    click = Prompt(object=2, points=[(65, 30)])
    found = segmenter.clicked_masks(images[:1], 2, [click])
    assert (found.masks[0] == mask_from_hint(images[0], click)).all() and overlap(found.masks[0], square(55)) > 0.75
    assert found.confidence > 0.8 and not found.warnings


def test_neighbouring_frames_follow_the_thing(segmenter: ClickSegmenter, images: np.ndarray) -> None:
    found = segmenter.clicked_masks(images, 1, [Prompt(object=1, frame=1, points=[(24, 30)])])
    assert min(overlap(found.masks[t], square(12 + 2 * t)) for t in range(3)) > 0.8


def test_confidence_falls_where_nothing_stands_out(segmenter: ClickSegmenter) -> None:
    bare = np.random.default_rng(0).integers(90, 94, (1, *SIZE, 3)).astype(np.uint8)
    found = segmenter.clicked_masks(bare, 1, [Prompt(object=1, points=[(43, 30)])])
    assert found.confidence < 0.5 and "doubtful" in found.warnings[0]


def test_other_objects_clicks_are_beside_this_one() -> None:
    first, second = Prompt(object=1, points=[(1, 1)]), Prompt(object=2, points=[(5, 5), (9, 9)], labels=[1, 0])
    both = with_others_beside(first, [first, second, Prompt(object=2, frame=1, points=[(7, 7)])])
    assert (both.points, both.labels) == ([(1, 1), (5, 5)], [1, 0])
