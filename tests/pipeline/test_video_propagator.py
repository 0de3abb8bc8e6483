"""Masks that follow a video model: the merging with a made-up one, and the real networks with random weights."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.estimate_flow import estimate_flow
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.runtime.errors import StageError
from pipeline.segment_objects import segment_objects
from pipeline.segmentation import sam2 as sam2_masks
from pipeline.segmentation.sam2 import (
    Hints,
    Sam2Video,
    VideoModel,
    by_object,
    choose_video_model,
    followed_ids,
    hints_from_ids,
    hints_from_prompts,
    video_model_folder,
)
from tests.pipeline.test_segment_objects import moving_squares
from tests.tiny_sam2 import write_video_model

CPU = torch.device("cpu")
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


@pytest.fixture(params=["sam2_video", "edgetam_video"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    pytest.importorskip("transformers", reason="the sam2 extra is not installed")
    path = tmp_path / "weights" / "tiny"
    write_video_model(path, request.param, seed=1)
    return path


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


def test_without_a_folder_auto_is_the_flow_and_sam2_says_where_to_get_one(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(json.dumps({"model_type": "bert"}))
    for weights in (tmp_path, None):
        assert choose_video_model(weights, "auto", CPU) is None
        with pytest.raises(
            StageError, match=r"holds no folder of SAM 2 or EdgeTAM.*hf download.*or choose auto or flow"
        ):
            choose_video_model(weights, "sam2", CPU)


def test_without_transformers_sam2_says_what_to_install_and_auto_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text(json.dumps({"model_type": "sam2_video"}))
    monkeypatch.setattr(sam2_masks, "find_spec", lambda name: None)
    with pytest.raises(StageError, match="not installed: `pip install transformers`"):
        choose_video_model(tmp_path, "sam2", CPU)
    assert choose_video_model(tmp_path, "auto", CPU) is None
    assert "is not used, because transformers is not installed" in caplog.text
    assert choose_video_model(tmp_path, "flow", CPU) is None


def test_a_config_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text("{")
    with pytest.raises(StageError, match=r"tiny/config.json cannot be read .*; fetch the folder again"):
        video_model_folder(tmp_path)


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
    segment_objects(tmp_path / "frames", tmp_path / "flow.h5", *paths, config)
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
    segment_objects(tmp_path / "frames", tmp_path / "flow.h5", *paths, SegmentObjectsConfig(key_frames=True))
    np.testing.assert_array_equal(read_masks(tmp_path / "masks.h5"), truth)  # without any flow
    assert read_objects(tmp_path / "objects.json")["backend"] == "masks, followed by shifts"


def test_the_real_networks_follow_masks_both_ways_and_keep_what_is_given(folder: Path, images: np.ndarray) -> None:
    model = choose_video_model(folder.parent, "auto", CPU)
    assert model is not None and model.name == "tiny"
    hints = {3: {2: box(3, 8)}, 9: {0: box(22, 30), 3: box(22, 33)}}
    walked = list(model.walk(images, hints))
    visits = sorted((t, k) for t, logits in walked for k in logits)
    assert visits == [(t, k) for t in range(4) for k in (3, 9)]
    assert all(
        np.isfinite(logit).all() and logit.shape == (HEIGHT, WIDTH) for _, own in walked for logit in own.values()
    )
    ids = followed_ids(model, images, hints)
    assert ids.dtype == np.uint8 and ids.shape == (4, HEIGHT, WIDTH) and set(np.unique(ids)) == {0, 3, 9}
    for k, t in ((3, 2), (9, 0), (9, 3)):
        np.testing.assert_array_equal(ids[t] == k, hints[k][t])
    np.testing.assert_array_equal(ids, followed_ids(model, images, hints))


def test_a_mask_lies_where_it_was_given_and_objects_do_not_depend_on_each_other(
    folder: Path, images: np.ndarray
) -> None:
    model = Sam2Video(folder, CPU)
    hints = {3: {1: box(3, 8, 16)}, 9: {0: box(20, 30, 16)}}
    together = {(t, k): logit for t, own in model.walk(images, hints) for k, logit in own.items()}
    found = together[1, 3] > 0
    assert (found & box(3, 8, 16)).sum() > 0.85 * (found | box(3, 8, 16)).sum()
    for t, own in model.walk(images, {9: hints[9]}):
        np.testing.assert_allclose(own[9], together[t, 9], atol=1e-4)


def test_the_real_networks_take_clicks_and_boxes(folder: Path, images: np.ndarray) -> None:
    prompts = [
        Prompt(object=2, frame=3, points=[(20.0, 10.0), (3.0, 3.0)], labels=[1, 0]),
        Prompt(object=5, frame=0, box=(3, 4, 30, 30)),
        Prompt(object=5, frame=0, points=[(20.0, 10.0)]),
    ]
    model = Sam2Video(folder, CPU)
    first = {(t, k): logit for t, own in model.walk(images, hints_from_prompts(prompts)) for k, logit in own.items()}
    moved = [prompts[0].model_copy(update={"points": [(44.0, 33.0), (3.0, 3.0)]}), *prompts[1:]]
    second = {(t, k): logit for t, own in model.walk(images, hints_from_prompts(moved)) for k, logit in own.items()}
    assert len(first) == 8
    assert np.abs(first[3, 2] - second[3, 2]).max() > 0 and np.array_equal(first[3, 5], second[3, 5])


def test_what_is_remembered_does_not_grow_with_the_video(folder: Path) -> None:
    model = Sam2Video(folder, CPU)
    model.window = 3
    images = np.random.default_rng(0).integers(0, 255, (9, HEIGHT, WIDTH, 3)).astype(np.uint8)
    sessions = model.sessions(images, {1: {0: box(3, 8)}})
    for t in range(9):
        model.step(sessions[1], t, reverse=False)
        kept = sessions[1].output_dict_per_obj[0]
        assert len(kept["non_cond_frame_outputs"]) <= 4
        assert not any("high_res_masks" in result for results in kept.values() for result in results.values())


@pytest.mark.parametrize("missing", ["model.safetensors", "processor_config.json", "a weight"])
def test_a_broken_folder_is_named_with_the_way_out(folder: Path, missing: str) -> None:
    if missing == "a weight":
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        weights.pop("no_object_pointer")
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    else:
        (folder / missing).unlink()
    text = "lacks 1 weights, no_object_pointer" if missing == "a weight" else "cannot be read as a video model"
    with pytest.raises(StageError, match=f"tiny {text}.*set segment_objects.propagator to flow"):
        choose_video_model(folder.parent, "sam2", CPU)


def test_the_stage_finds_objects_with_a_real_network(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the sam2 extra is not installed")
    folder = tmp_path / "weights" / "tiny"
    write_video_model(folder, "sam2_video", seed=1)
    moving_squares(tmp_path / "frames", [(3, 0)])
    estimate_flow(tmp_path / "frames", None, tmp_path / "flow.h5", EstimateFlowConfig())
    paths = (None, folder.parent, tmp_path / "masks.h5", tmp_path / "objects.json")
    segment_objects(tmp_path / "frames", tmp_path / "flow.h5", *paths, SegmentObjectsConfig(propagator="sam2"))
    assert read_objects(tmp_path / "objects.json")["backend"] == "motion, followed by tiny"
    assert set(np.unique(read_masks(tmp_path / "masks.h5"))) == {0, 1}
