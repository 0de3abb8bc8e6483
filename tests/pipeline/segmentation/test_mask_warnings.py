"""What is asked for and not there is said, in words that name the way out."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.estimate_flow import estimate_flow
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.segment_objects import segment_objects
from pipeline.segmentation.mask_warnings import (
    background_warnings,
    doubt_warnings,
    found_warnings,
    given_warnings,
    unsteady_warnings,
)

NOTHING = SegmentObjectsConfig()


def ids_with(*values: int, frames: int = 8) -> np.ndarray:
    """Masks in which each id has a row of ten pixels, and the rest is background."""
    ids = np.zeros((frames, 10, 10), np.uint8)
    for row, value in enumerate(values):
        ids[:, row] = value
    return ids


def test_sound_masks_raise_no_doubt() -> None:
    prompts = [Prompt(object=1, points=[(1, 1)]), Prompt(object=2, points=[(1, 1)])]
    assert given_warnings(ids_with(1, 255), Path("mine"), NOTHING) == []
    assert found_warnings(ids_with(1, 2), NOTHING) == []
    assert found_warnings(ids_with(1, 2), SegmentObjectsConfig(prompts=prompts)) == []


def test_as_many_objects_as_are_kept_may_not_be_all() -> None:
    (doubt,) = found_warnings(ids_with(1, 2), SegmentObjectsConfig(max_objects=2))
    assert "max_objects keeps, 2:" in doubt


def test_masks_in_black_and_white_are_no_object_and_that_is_said() -> None:
    (doubt,) = given_warnings(ids_with(255), Path("mine"), NOTHING)
    assert "mine has no id but 255, which means ignore" in doubt and "save it as 1" in doubt
    (doubt,) = given_warnings(ids_with(), Path("mine"), NOTHING)
    assert "mine shows no object" in doubt


def test_settings_that_change_nothing_are_named() -> None:
    config = SegmentObjectsConfig(key_frames=True, prompts=[Prompt(object=1, points=[(1, 1)])])
    assert any("prompts are not" in doubt for doubt in given_warnings(ids_with(1), Path("mine"), config))
    assert any("key_frames is true" in doubt for doubt in found_warnings(ids_with(1), config))


def test_a_hinted_object_without_pixels_is_named_with_its_frame() -> None:
    hints = [Prompt(object=1, points=[(1, 1)]), Prompt(object=2, frame=3, points=[(1, 1)])]
    (doubt,) = found_warnings(ids_with(1), SegmentObjectsConfig(prompts=hints))
    assert doubt.startswith("object 2 has no pixels") and "frame 3" in doubt and "draw a box" in doubt


def test_a_hinted_object_that_is_lost_or_doubtful_is_named_with_its_frames() -> None:
    ids = ids_with(1)
    ids[5:] = 0
    (doubt,) = found_warnings(ids, SegmentObjectsConfig(prompts=[Prompt(object=1, points=[(1, 1)])]))
    assert doubt.startswith("object 1 is held in 5 of 8 frames, 0 to 4") and "click it again" in doubt
    (doubt,) = doubt_warnings({1: 0.9, 2: 0.31})
    assert "object 2 is doubtful (confidence 0.31)" in doubt


def test_few_frames_are_given_as_the_reason_that_nothing_was_found() -> None:
    assert found_warnings(ids_with(), NOTHING) == ["no moving object was found"]
    assert "3 frames are too few" in found_warnings(ids_with(frames=3), NOTHING)[1]


def test_masks_without_background_are_doubted() -> None:
    (doubt,) = background_warnings(np.full((2, 10, 10), 1, np.uint8))
    assert "0.0 % of the pixels are background" in doubt


@pytest.mark.parametrize("count", [1, 2, 3])
def test_videos_of_a_few_black_frames_have_no_object_and_a_warning(tmp_path: Path, count: int) -> None:
    for t in range(count):
        write_image(tmp_path / "frames" / frame_name(t), np.zeros((24, 32, 3), np.uint8))
    estimate_flow(tmp_path / "frames", None, tmp_path / "flow.h5", EstimateFlowConfig())
    arguments = (tmp_path / "frames", None, tmp_path / "flow.h5", None, None, tmp_path / "m.h5", tmp_path / "o.json")
    segment_objects(*arguments, NOTHING)
    assert not read_masks(tmp_path / "m.h5").any()
    assert any(f"{count} frames are too few" in text for text in read_objects(tmp_path / "o.json")["warnings"])


def test_a_thing_in_a_single_frame_can_be_clicked(tmp_path: Path) -> None:
    image = np.full((96, 128, 3), (40, 60, 90), np.uint8)
    image[30:60, 40:80] = (220, 60, 30)
    image = (image + np.random.default_rng(0).integers(0, 12, image.shape)).astype(np.uint8)
    write_image(tmp_path / "frames" / frame_name(0), image)
    estimate_flow(tmp_path / "frames", None, tmp_path / "flow.h5", EstimateFlowConfig())
    arguments = (tmp_path / "frames", None, tmp_path / "flow.h5", None, None, tmp_path / "m.h5", tmp_path / "o.json")
    segment_objects(*arguments, SegmentObjectsConfig(prompts=[Prompt(object=1, points=[(60, 45)])]))
    found = read_masks(tmp_path / "m.h5")[0] == 1
    true = np.zeros_like(found)
    true[30:60, 40:80] = True
    assert (found & true).sum() / (found | true).sum() > 0.8


def test_a_mask_that_jumps_is_named_with_how_much_of_it_lasts() -> None:
    (warning,) = unsteady_warnings({1: 0.9, 2: 0.31})
    assert "object 2 is doubtful" in warning and "0.31" in warning and "pick_prompts" in warning
    assert not unsteady_warnings({1: 0.6})
