"""An object that got pixels back is registered in their frames, and what is said of it stays honest."""

import numpy as np
import pytest

from pipeline.formats.geometry_file import ObjectGeometry
from pipeline.refinement.registered_again import registered_again, residual_px
from tests.pipeline.sfm.test_registration import FRAMES, KNOWN, STILL, ball_images, known_part, turn_errors_deg

ENTRY = ObjectGeometry(
    id=1,
    name="ball",
    verdict="weak",
    reason=f"only {KNOWN} of {FRAMES} frames are registered; its points are nearly planar",
    method="global",
    numbers={
        "rotation_std_deg": 0.4,
        "registered_frames": KNOWN,
        "frames_with_tracks": FRAMES,
        "inlier_ratio_percent": 99.0,
    },
)


def test_the_model_is_found_in_the_frames_that_were_given_back_and_the_entry_says_so() -> None:
    images, masks = ball_images()
    shown = masks.any(axis=(1, 2)) & (np.arange(FRAMES) < KNOWN + 2)
    found = registered_again(ENTRY, *known_part(), shown, images, STILL)
    assert found is not None and found.frames == [KNOWN, KNOWN + 1]
    assert turn_errors_deg(found.model, found.frames).max() < 0.8
    entry = found.entry
    assert entry.numbers["registered_frames"] == KNOWN + 2 and entry.numbers["inlier_ratio_percent"] == 99.0
    assert entry.verdict == "weak" and "registered in the first pass; its points" in entry.reason
    assert entry.points[KNOWN] >= 8 and entry.residual_px[-1] is None
    assert KNOWN not in [pose.frame for pose in entry.carried]


@pytest.mark.parametrize(
    "entry",
    [ENTRY.model_copy(update={"numbers": {"tracks": 4.0}}), ENTRY.model_copy(update={"verdict": "failed"})],
    ids=["a flat picture", "failed"],
)
def test_what_has_no_rigid_model_is_not_looked_for(entry: ObjectGeometry) -> None:
    images, masks = ball_images()
    assert registered_again(entry, *known_part(), masks.any(axis=(1, 2)), images, STILL) is None


def test_garbage_where_pixels_were_given_back_changes_nothing() -> None:
    images, _ = ball_images(garbage=(KNOWN,))
    assert registered_again(ENTRY, *known_part(), np.arange(FRAMES) == KNOWN, images, STILL) is None


def test_exact_observations_are_still_not_taken_for_certain() -> None:
    assert residual_px(*known_part()) == 0.1
