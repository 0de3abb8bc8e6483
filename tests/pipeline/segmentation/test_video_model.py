"""Objects that follow a video model, a made-up one: what it is told, and how its answers are merged."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.estimate_flow import estimate_flow
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.segment_objects import segment_objects
from pipeline.segmentation import propagators
from pipeline.segmentation.video_model import (
    Hints,
    VideoModel,
    by_object,
    choose_video_model,
    followed_ids,
    hints_from_ids,
    hints_from_prompts,
)
from tests.pipeline.test_segment_objects import moving_squares

HEIGHT, WIDTH = 40, 56


class Shifts:
    """Takes every object one column to the right from frame to frame, surer of the object with the higher id."""

    name = "shifts"

    def __init__(self) -> None:
        self.hints: Hints = {}

    def walk(self, images: np.ndarray, hints: Hints) -> Iterator[tuple[int, dict[int, np.ndarray]]]:
        self.hints = hints
        for t in reversed(range(len(images))):
            yield t, {k: self.logits(own, t, k) for k, own in hints.items()}

    def logits(self, own: dict, t: int, k: int) -> np.ndarray:
        first = min(own)
        return np.where(np.roll(own[first], t - first, 1), float(k), -1.0).astype(np.float32)


def box(top: int, left: int, size: int = 10) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top : top + size, left : left + size] = True
    return mask


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (4, HEIGHT, WIDTH, 3)).astype(np.uint8)


def test_the_surer_object_wins_where_two_claim_a_pixel(images: np.ndarray) -> None:
    model = Shifts()
    assert isinstance(model, VideoModel)
    ids = followed_ids(model, images, {2: {0: box(5, 5)}, 6: {1: box(10, 10)}})
    assert set(np.unique(ids)) == {0, 2, 6}
    np.testing.assert_array_equal(ids[2] == 6, box(10, 11))
    np.testing.assert_array_equal(ids[2] == 2, box(5, 7) & ~box(10, 11))


def test_given_masks_stay_exactly_as_they_are(images: np.ndarray) -> None:
    hints = {2: {0: box(5, 5), 3: box(20, 30)}, 6: {1: box(10, 10)}}
    ids = followed_ids(Shifts(), images, hints)
    for t, k in ((0, 2), (3, 2), (1, 6)):
        np.testing.assert_array_equal(ids[t] == k, hints[k][t])


def test_moving_regions_are_given_on_key_frames_and_short_ones_where_they_are_largest() -> None:
    ids = np.zeros((7, HEIGHT, WIDTH), np.uint8)
    ids[:, 5:15, 5:15] = 1
    ids[4, 20:26, 20:26], ids[5, 20:28, 20:28] = 3, 3
    hints = hints_from_ids(ids, 3)
    assert {k: sorted(own) for k, own in hints.items()} == {1: [0, 3, 6], 3: [5]}
    assert hints[3][5].sum() == 64


def test_a_key_frame_without_an_object_says_that_it_is_gone() -> None:
    hints = by_object({0: {1: box(0, 0), 2: box(20, 20)}, 3: {1: box(0, 9)}})
    assert sorted(hints[2]) == [0, 3] and not hints[2][3].any() and hints[2][0].any()


def test_clicks_go_to_the_model_itself(images: np.ndarray, tmp_path: Path) -> None:
    prompts = [
        Prompt(object=4, frame=1, points=[(3.0, 4.0)]),
        Prompt(object=4, frame=1, box=(0, 0, 9, 9)),
        Prompt(object=1, frame=0, points=[(5.0, 5.0)]),
    ]
    assert hints_from_prompts(prompts) == {4: {1: prompts[:2]}, 1: {0: prompts[2:]}}


@pytest.mark.parametrize("with_prompts", [False, True])
def test_what_moves_is_followed_by_the_model_under_its_own_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_prompts: bool
) -> None:
    truth = moving_squares(tmp_path / "frames", [(3, 0)])
    estimate_flow(tmp_path / "frames", None, tmp_path / "flow.h5", EstimateFlowConfig())
    model = Shifts()
    monkeypatch.setattr("pipeline.segment_objects.choose_video_model", lambda *_: model)
    monkeypatch.setattr(model, "logits", lambda own, t, k: np.where(truth[t] == 1, 1.0, -1.0).astype(np.float32))
    prompts = [Prompt(object=7, frame=3, points=[(50.0, 29.0)])] if with_prompts else []
    paths = (None, None, tmp_path / "masks.h5", tmp_path / "objects.json")
    config = SegmentObjectsConfig(prompts=prompts, sam_stride=5)
    segment_objects(tmp_path / "frames", None, tmp_path / "flow.h5", *paths, config)
    ids, facts = read_masks(tmp_path / "masks.h5"), read_objects(tmp_path / "objects.json")
    k = 7 if with_prompts else 1
    assert facts["backend"] == ("prompts" if with_prompts else "motion") + ", followed by shifts"
    assert model.hints.keys() == {k} and sorted(model.hints[k]) == ([3] if with_prompts else [0, 5, 10])
    np.testing.assert_array_equal(ids[4] == k, truth[4] == 1)


def test_key_frames_of_a_folder_are_followed_by_the_model_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = moving_squares(tmp_path / "frames", [(1, 0)])
    (tmp_path / "given").mkdir()
    for t in (0, 6):
        Image.fromarray(truth[t]).save(tmp_path / "given" / f"{t:06d}.png")
    monkeypatch.setattr("pipeline.segment_objects.choose_video_model", lambda *_: Shifts())
    paths = (tmp_path / "given", None, tmp_path / "masks.h5", tmp_path / "objects.json")
    segment_objects(tmp_path / "frames", None, tmp_path / "flow.h5", *paths, SegmentObjectsConfig(key_frames=True))
    np.testing.assert_array_equal(read_masks(tmp_path / "masks.h5"), truth)  # without any flow
    assert read_objects(tmp_path / "objects.json")["backend"] == "masks, ids, numbered by frame, followed by shifts"


def test_a_propagator_is_one_file_and_one_name_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "still.py").write_text(
        "class Still:\n    def walk(self, images, hints):\n        pass\n"
        "def load(weights, device, required):\n"
        "    model = Still()\n    model.name = f'{weights.name} {required}'\n    return model\n"
    )
    monkeypatch.setattr(propagators, "__path__", [*propagators.__path__, str(tmp_path)])
    model = choose_video_model(tmp_path, "still", torch.device("cpu"))
    assert model is not None and model.name == f"{tmp_path.name} True"


def test_the_settings_name_every_propagator() -> None:
    modules = {path.stem for path in Path(propagators.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(get_args(SegmentObjectsConfig.model_fields["propagator"].annotation)) == {"auto", "flow", *modules}
