"""Masks given by a person, hints, and motion found in scenes whose truth is known."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest

import pipeline.segment_objects as stage
from pipeline.config import (
    EstimateFlowConfig,
    ExtractFramesConfig,
    Prompt,
    SegmentObjectsConfig,
    SimulateSceneConfig,
)
from pipeline.estimate_flow import estimate_flow
from pipeline.extract_frames import extract_frames
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import frame_name, frame_paths, write_image
from pipeline.formats.mask_folder import read_key_masks, read_mask_folder
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.runtime.errors import StageError
from pipeline.segment_objects import segment_objects
from pipeline.segmentation import backends
from pipeline.segmentation.text_objects import Instance
from pipeline.simulate_scene import simulate_scene
from pipeline.truth.truth_file import read_truth

FRAMES, HEIGHT, WIDTH = 12, 96, 128
FLOWS: dict[bytes, bytes] = {}  # of frames


def texture(seed: int, size: tuple[int, int], tint: tuple[int, int, int]) -> np.ndarray:
    """Smooth random colours around a tint."""
    noise = np.random.default_rng(seed).normal(0, 1, (*size, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.6)
    return np.clip(np.array(tint) + 38 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def moving_squares(folder: Path, speeds: list[tuple[int, int]], stop: int = FRAMES) -> np.ndarray:
    """Frames of squares that move over a still wall until `stop`, and their true ids."""
    wall = texture(0, (HEIGHT, WIDTH), (90, 90, 110))
    ids = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for t in range(FRAMES):
        image = wall.copy()
        for k, (x, y) in enumerate(speeds, start=1):
            top, left = 16 + 34 * (k - 1) + y * min(t, stop), 30 + x * min(t, stop)
            image[top : top + 26, left : left + 26] = texture(k, (26, 26), [(190, 70, 60), (60, 160, 70)][k - 1])
            ids[t, top : top + 26, left : left + 26] = k
        write_image(folder / frame_name(t), image)
    return ids


def write_flow_of_frames(folder: Path) -> None:
    """flow.h5 beside frames/; several tests show the same frames, whose flow is estimated once."""
    frames = b"".join(path.read_bytes() for path in frame_paths(folder / "frames"))
    if frames not in FLOWS:
        estimate_flow(folder / "frames", None, folder / "flow.h5", EstimateFlowConfig())
        FLOWS[frames] = (folder / "flow.h5").read_bytes()
    (folder / "flow.h5").write_bytes(FLOWS[frames])


def segmented(tmp_path: Path, config: SegmentObjectsConfig) -> tuple[np.ndarray, dict]:
    """Masks and objects of the frames in `tmp_path`, by flow and motion."""
    write_flow_of_frames(tmp_path)
    arguments = (
        tmp_path / "frames",
        None,
        tmp_path / "flow.h5",
        None,
        None,
        tmp_path / "masks.h5",
        tmp_path / "objects.json",
    )
    segment_objects(*arguments, config)
    return read_masks(tmp_path / "masks.h5"), read_objects(tmp_path / "objects.json")


def overlap(found: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union."""
    return float((found & true).sum() / (found | true).sum())


def test_two_things_that_move_differently_are_two_objects_all_the_time(tmp_path: Path) -> None:
    truth = moving_squares(tmp_path / "frames", [(3, 0), (-2, 0)])
    ids, objects = segmented(tmp_path, SegmentObjectsConfig())
    assert sorted(np.unique(ids)) == [0, 1, 2]
    for k in (1, 2):
        found = np.bincount(ids[truth == k]).argmax()
        assert found > 0
        assert overlap(ids == found, truth == k) > 0.8
    rows = objects["objects"]
    assert [row["id"] for row in rows] == [0, 1, 2] and rows[0]["name"] == "background"
    assert all(row["evidence"]["frames_moving"] >= 10 and row["confidence"] > 0.5 for row in rows[1:])
    assert objects["backend"] == "motion" and objects["warnings"] == []


def test_an_object_that_stops_keeps_its_mask(tmp_path: Path) -> None:
    truth = moving_squares(tmp_path / "frames", [(4, 1)], stop=6)
    ids, _ = segmented(tmp_path, SegmentObjectsConfig())
    assert overlap(ids[-1] > 0, truth[-1] > 0) > 0.8


def test_a_still_scene_has_no_object_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    moving_squares(tmp_path / "frames", [(0, 0), (0, 0)])
    ids, objects = segmented(tmp_path, SegmentObjectsConfig())
    assert not ids.any()
    assert objects["warnings"] == ["no moving object was found"]
    assert "no moving object was found" in caplog.text


def test_max_objects_keeps_one_whole_object_of_two(tmp_path: Path) -> None:
    truth = moving_squares(tmp_path / "frames", [(4, 0), (-1, 0)])
    ids, objects = segmented(tmp_path, SegmentObjectsConfig(max_objects=1))
    limit, ignored = objects["warnings"]
    assert "max_objects" in limit and "belong to no object, and are ignored" in ignored
    assert sorted(np.unique(ids)) == [0, 1, 255]
    kept, other = (1, 2) if overlap(ids == 1, truth == 1) > 0.5 else (2, 1)
    assert overlap(ids == 255, truth == other) > 0.6 and not (ids[truth == kept] == 255).any()
    assert max(overlap(ids == 1, truth == k) for k in (1, 2)) > 0.8


def test_a_click_names_the_object_under_it(tmp_path: Path) -> None:
    truth = moving_squares(tmp_path / "frames", [(3, 0), (-2, 0)])
    hints = [
        Prompt(object=7, frame=0, points=[(43.0, 63.0)], name="green"),
        Prompt(object=3, frame=0, points=[(43.0, 29.0)]),
    ]
    ids, objects = segmented(tmp_path, SegmentObjectsConfig(prompts=hints))
    assert overlap(ids == 3, truth == 1) > 0.8 and overlap(ids == 7, truth == 2) > 0.8
    assert [(row["id"], row["name"]) for row in objects["objects"][1:]] == [(3, "object 3"), (7, "green")]


def test_a_click_on_a_thing_that_never_moves_is_cut_by_colour_and_carried(tmp_path: Path) -> None:
    truth = moving_squares(tmp_path / "frames", [(0, 0), (-2, 0)])
    ids, _ = segmented(tmp_path, SegmentObjectsConfig(prompts=[Prompt(object=1, frame=5, points=[(43.0, 29.0)])]))
    assert overlap(ids == 1, truth == 1) > 0.7


def test_a_backend_is_one_file_and_one_name_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = moving_squares(tmp_path / "frames", [(3, 0)])
    (tmp_path / "backends").mkdir()
    (tmp_path / "backends" / "told.py").write_text(
        "import numpy as np\n"
        "def load(checkpoint, device):\n    return 26\n"
        "def find(model, video, config):\n"
        "    ids = np.zeros(video.images.shape[:3], np.uint8)\n"
        "    for t in range(len(ids)):\n"
        "        ids[t, 16:16 + model, 30 + 3 * t:30 + 3 * t + model] = config.prompts[0].object if config.prompts else 1\n"
        "    return ids\n"
    )
    monkeypatch.setattr(backends, "__path__", [*backends.__path__, str(tmp_path / "backends")])
    for prompts, k, name in (([], 1, "told"), ([Prompt(object=6, points=[(43.0, 29.0)])], 6, "told, prompts")):
        config = SegmentObjectsConfig(prompts=prompts).model_copy(update={"backend": "told"})
        ids, objects = segmented(tmp_path, config)
        np.testing.assert_array_equal(ids, k * truth)
        assert objects["backend"] == name and [row["id"] for row in objects["objects"]] == [0, k]
        assert objects["objects"][1]["evidence"]["frames_moving"] == FRAMES


def test_the_settings_name_every_backend() -> None:
    modules = {path.stem for path in Path(backends.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(get_args(SegmentObjectsConfig.model_fields["backend"].annotation)) == {"auto", *modules}


def test_sam_without_its_weights_says_what_to_do(tmp_path: Path) -> None:
    moving_squares(tmp_path / "frames", [(0, 0)])
    with pytest.raises(StageError, match="holds no SAM weights"):
        segmented(tmp_path, SegmentObjectsConfig(backend="sam"))


def test_flow_of_other_frames_is_refused(tmp_path: Path) -> None:
    moving_squares(tmp_path / "frames", [(1, 0)])
    write_flow_of_frames(tmp_path)
    (tmp_path / "frames" / frame_name(FRAMES - 1)).unlink()
    arguments = (tmp_path / "frames", None, tmp_path / "flow.h5", None, None, tmp_path / "m.h5", tmp_path / "o.json")
    with pytest.raises(StageError, match="run estimate_flow again"):
        segment_objects(*arguments, SegmentObjectsConfig())


def test_a_given_folder_is_used_exactly(tmp_path: Path) -> None:
    moving_squares(tmp_path / "frames", [(1, 0)])
    given = np.random.default_rng(0).choice([0, 5, 9, 255], (FRAMES, HEIGHT, WIDTH)).astype(np.uint8)
    for t, ids in enumerate(given):
        write_image(tmp_path / "mine" / f"mask {t}.png", ids)
    arguments = (tmp_path / "frames", None, tmp_path / "none.h5", tmp_path / "mine", None)
    segment_objects(*arguments, tmp_path / "masks.h5", tmp_path / "objects.json", SegmentObjectsConfig())
    expected = np.select([given == 5, given == 9, given == 255], [1, 2, 255], 0)
    np.testing.assert_array_equal(read_masks(tmp_path / "masks.h5"), expected)
    rows = json.loads((tmp_path / "objects.json").read_text())["objects"]
    assert [row.get("source_id") for row in rows] == [None, "5", "9"]


def test_masks_of_key_frames_are_used_exactly_and_filled_in_between(tmp_path: Path) -> None:
    truth = moving_squares(tmp_path / "frames", [(3, 0)])
    write_flow_of_frames(tmp_path)
    for t in (0, 11):
        write_image(tmp_path / "mine" / f"key_{t:03d}.png", 40 * truth[t])
    arguments = (tmp_path / "frames", None, tmp_path / "flow.h5", tmp_path / "mine", None)
    config = SegmentObjectsConfig(key_frames=True)
    segment_objects(*arguments, tmp_path / "masks.h5", tmp_path / "objects.json", config)
    ids = read_masks(tmp_path / "masks.h5")
    np.testing.assert_array_equal(ids[[0, 11]], truth[[0, 11]])
    assert overlap(ids > 0, truth > 0) > 0.85
    with pytest.raises(StageError, match="key_frames: true"):
        read_mask_folder(tmp_path / "mine", KeptFrames.all_of(FRAMES), (HEIGHT, WIDTH))
    write_image(tmp_path / "mine" / "key_99.png", truth[0])
    with pytest.raises(StageError, match="named after its frame, 0 to 11"):
        read_key_masks(tmp_path / "mine", KeptFrames.all_of(FRAMES), (HEIGHT, WIDTH))


def test_what_is_drawn_over_the_video_is_ignored_and_no_object(tmp_path: Path) -> None:
    moving_squares(tmp_path / "frames", [(3, 0)])
    frames = [{"file": frame_name(t), "source_index": t} for t in range(FRAMES)]
    overlays = [
        {"box": [0, 60, 128, 96], "first": 0, "last": FRAMES - 1},
        {"box": [40, 10, 60, 30], "first": 3, "last": 5},
    ]
    (tmp_path / "frames.json").write_text(
        json.dumps({"frames": frames, "height": HEIGHT, "width": WIDTH, "overlays": overlays})
    )
    write_flow_of_frames(tmp_path)
    inputs = (tmp_path / "frames", tmp_path / "frames.json", tmp_path / "flow.h5", None, None)
    segment_objects(*inputs, tmp_path / "masks.h5", tmp_path / "objects.json", SegmentObjectsConfig())
    ids = read_masks(tmp_path / "masks.h5")
    drawn = np.zeros(ids.shape, bool)
    drawn[:, 60:], drawn[3:6, 10:30, 40:60] = True, True
    assert (ids[drawn] == 255).all() and set(np.unique(ids[~drawn])) <= {0, 1, 255}
    assert (ids[[2, 6], 10:30, 40:60] != 255).any()


class Named:
    """Stands for SAM 3: knows where the first square is, and that it is red."""

    name = "made up"

    def __init__(self, folder: Path, device: object) -> None:
        self.truth = moving_squares(folder, [(3, 0), (-2, 0)])

    def instances(self, images: np.ndarray, texts: list[str]) -> Iterator[tuple[int, list[Instance]]]:
        for t, ids in enumerate(self.truth):
            yield t, [Instance(1, texts.index("red square"), 0.9, ids == 1)]


def test_things_that_are_named_and_things_that_are_clicked_are_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = moving_squares(tmp_path / "frames", [(3, 0), (-2, 0)])
    monkeypatch.setattr(stage, "text_model", lambda weights: tmp_path / "other")
    monkeypatch.setattr(stage, "TextModel", Named)
    clicked = np.where(truth == 2, 1, 0).astype(np.uint8)
    monkeypatch.setattr(stage, "found_ids", lambda video, weights, config: (clicked, config.prompts[0].name))
    click = Prompt(object=1, frame=0, name="prompts", points=[(43.0, 63.0)])
    asked = SegmentObjectsConfig(prompts=[Prompt(text="dog"), Prompt(text="red square"), click])
    ids, objects = segmented(tmp_path, asked)
    assert objects["backend"].startswith("text by made up, prompts")
    assert [row["name"] for row in objects["objects"]] == ["background", "prompts", "red square"]
    assert not ((ids == 2) & (truth != 1)).any()
    assert ((ids == 2) & (truth == 1)).sum() > 0.9 * (truth == 1).sum()
    assert ((ids == 1) & (truth == 2)).sum() > 0.8 * (truth == 2).sum()
    assert any('nothing was found that is called "dog"' in text for text in objects["warnings"])


def test_a_cylinder_that_turns_end_over_end_is_one_object_and_smear_beside_a_ball_is_none(tmp_path: Path) -> None:
    scene = {"width": 256, "height": 192, "frames": 24, "held_out_views": 1}  # the demo's, with fewer frames
    simulate_scene(tmp_path / "video.mp4", tmp_path / "truth.h5", SimulateSceneConfig.model_validate(scene))
    extract_frames(tmp_path / "video.mp4", None, tmp_path / "frames", tmp_path / "frames.json", ExtractFramesConfig())
    ids, _ = segmented(tmp_path, SegmentObjectsConfig())
    truth = read_truth(tmp_path / "truth.h5").train.object_ids
    assert sorted(np.unique(ids)) == [0, 1, 2]
    for k in (1, 2):
        assert max(overlap(ids == found, truth == k) for found in (1, 2)) > 0.8
