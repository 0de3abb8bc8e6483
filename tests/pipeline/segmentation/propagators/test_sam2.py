"""SAM 2 and EdgeTAM: folders that are not there or broken, and the real networks with random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.estimate_flow import estimate_flow
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.runtime.errors import StageError
from pipeline.segment_objects import segment_objects
from pipeline.segmentation import sam_video
from pipeline.segmentation.propagators.sam2 import TRACKER
from pipeline.segmentation.sam_video import SamVideo
from pipeline.segmentation.video_model import choose_video_model, followed_ids, hints_from_prompts
from tests.pipeline.segmentation.test_video_model import HEIGHT, WIDTH, box
from tests.pipeline.test_segment_objects import moving_squares
from tests.tiny_sam2 import write_video_model

CPU = torch.device("cpu")


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (4, HEIGHT, WIDTH, 3)).astype(np.uint8)


@pytest.fixture(params=["sam2_video", "edgetam_video"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    pytest.importorskip("transformers", reason="the sam2 extra is not installed")
    path = tmp_path / "weights" / "tiny"
    write_video_model(path, request.param, seed=1)
    return path


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
    monkeypatch.setattr(sam_video, "find_spec", lambda name: None)
    with pytest.raises(StageError, match="not installed: `pip install transformers`"):
        choose_video_model(tmp_path, "sam2", CPU)
    assert choose_video_model(tmp_path, "auto", CPU) is None
    assert "is not used, because transformers is not installed" in caplog.text
    assert choose_video_model(tmp_path, "flow", CPU) is None


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
    model = SamVideo(folder, TRACKER, CPU)
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
    model = SamVideo(folder, TRACKER, CPU)
    first = {(t, k): logit for t, own in model.walk(images, hints_from_prompts(prompts)) for k, logit in own.items()}
    moved = [prompts[0].model_copy(update={"points": [(44.0, 33.0), (3.0, 3.0)]}), *prompts[1:]]
    second = {(t, k): logit for t, own in model.walk(images, hints_from_prompts(moved)) for k, logit in own.items()}
    assert len(first) == 8
    assert np.abs(first[3, 2] - second[3, 2]).max() > 0 and np.array_equal(first[3, 5], second[3, 5])


def test_what_is_remembered_does_not_grow_with_the_video(folder: Path) -> None:
    model = SamVideo(folder, TRACKER, CPU)
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
    segment_objects(tmp_path / "frames", None, tmp_path / "flow.h5", *paths, SegmentObjectsConfig(propagator="sam2"))
    assert read_objects(tmp_path / "objects.json")["backend"] == "motion, followed by tiny"
    assert set(np.unique(read_masks(tmp_path / "masks.h5"))) == {0, 1}
