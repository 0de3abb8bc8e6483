"""Masks given by a person, hints, and motion found in scenes whose truth is known."""

import json
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.correspondence.flow_chain import FlowChain, Step
from pipeline.estimate_flow import estimate_flow
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.mask_folder import read_key_masks, read_mask_folder
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.runtime.errors import StageError
from pipeline.segment_objects import segment_objects
from pipeline.segmentation import backends
from pipeline.segmentation.boundary_refinement import main_body, temporal_vote
from pipeline.segmentation.camera_motion_residual import background_residuals, camera_motion_residual, filled_in
from pipeline.segmentation.prompts import check_prompts
from pipeline.segmentation.tubes import attached, taken_over

FRAMES, HEIGHT, WIDTH = 12, 96, 128


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


def segmented(tmp_path: Path, config: SegmentObjectsConfig) -> tuple[np.ndarray, dict]:
    """Masks and objects of the frames in `tmp_path`, by flow and motion."""
    estimate_flow(tmp_path / "frames", None, tmp_path / "flow.h5", EstimateFlowConfig())
    arguments = (
        tmp_path / "frames",
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
    ids, _ = segmented(tmp_path, SegmentObjectsConfig(max_objects=1))
    assert sorted(np.unique(ids)) == [0, 1]
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


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(object=1, frame=99, points=[(1, 1)]), "12 frames"),
        (Prompt(object=1, points=[(400, 1)]), r"\(400, 1\) is outside"),
        (Prompt(object=1), "neither points nor a box"),
        (Prompt(object=1, points=[(1, 1), (2, 2)], labels=[1]), "2 points and 1 labels"),
        (Prompt(object=1, points=[(1, 1)], labels=[0]), "only points beside the object"),
        (Prompt(object=1, box=(60, 60, 20, 80)), "is empty; a box is x0, y0, x1, y1"),
        (Prompt(object=1, points=[(float("nan"), 1)]), r"\(nan, 1\) is outside"),
    ],
)
def test_hints_that_cannot_be_meant_are_refused(prompt: Prompt, message: str) -> None:
    with pytest.raises(StageError, match=message):
        check_prompts([prompt], (FRAMES, HEIGHT, WIDTH))


def test_two_things_under_one_id_are_refused() -> None:
    first = Prompt(object=1, points=[(1, 1)], name="cup")
    with pytest.raises(StageError, match="object 1 has two prompts on frame 0"):
        check_prompts([first, Prompt(object=1, points=[(9, 9)])], (FRAMES, HEIGHT, WIDTH))
    with pytest.raises(StageError, match="object 1 is called cup and jar"):
        check_prompts([first, Prompt(object=1, frame=2, points=[(9, 9)], name="jar")], (FRAMES, HEIGHT, WIDTH))
    check_prompts([first, Prompt(object=1, frame=2, points=[(9, 9)])], (FRAMES, HEIGHT, WIDTH))


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
    estimate_flow(tmp_path / "frames", None, tmp_path / "flow.h5", EstimateFlowConfig())
    (tmp_path / "frames" / frame_name(FRAMES - 1)).unlink()
    arguments = (tmp_path / "frames", tmp_path / "flow.h5", None, None, tmp_path / "m.h5", tmp_path / "o.json")
    with pytest.raises(StageError, match="run estimate_flow again"):
        segment_objects(*arguments, SegmentObjectsConfig())


def test_a_given_folder_is_used_exactly(tmp_path: Path) -> None:
    moving_squares(tmp_path / "frames", [(1, 0)])
    given = np.random.default_rng(0).choice([0, 5, 9, 255], (FRAMES, HEIGHT, WIDTH)).astype(np.uint8)
    for t, ids in enumerate(given):
        write_image(tmp_path / "mine" / f"mask {t}.png", ids)
    arguments = (tmp_path / "frames", tmp_path / "none.h5", tmp_path / "mine", None)
    segment_objects(*arguments, tmp_path / "masks.h5", tmp_path / "objects.json", SegmentObjectsConfig())
    expected = np.select([given == 5, given == 9, given == 255], [1, 2, 255], 0)
    np.testing.assert_array_equal(read_masks(tmp_path / "masks.h5"), expected)
    rows = json.loads((tmp_path / "objects.json").read_text())["objects"]
    assert [row.get("source_id") for row in rows] == [None, "5", "9"]


def test_masks_of_key_frames_are_used_exactly_and_filled_in_between(tmp_path: Path) -> None:
    truth = moving_squares(tmp_path / "frames", [(3, 0)])
    estimate_flow(tmp_path / "frames", None, tmp_path / "flow.h5", EstimateFlowConfig())
    for t in (0, 11):
        write_image(tmp_path / "mine" / f"key_{t:03d}.png", 40 * truth[t])
    arguments = (tmp_path / "frames", tmp_path / "flow.h5", tmp_path / "mine", None)
    config = SegmentObjectsConfig(key_frames=True)
    segment_objects(*arguments, tmp_path / "masks.h5", tmp_path / "objects.json", config)
    ids = read_masks(tmp_path / "masks.h5")
    np.testing.assert_array_equal(ids[[0, 11]], truth[[0, 11]])
    assert overlap(ids > 0, truth > 0) > 0.85
    with pytest.raises(StageError, match="key_frames: true"):
        read_mask_folder(tmp_path / "mine", truth.shape)
    write_image(tmp_path / "mine" / "key_99.png", truth[0])
    with pytest.raises(StageError, match="named after its frame, 0 to 11"):
        read_key_masks(tmp_path / "mine", truth.shape)


def test_sixteen_bit_palette_colour_and_npy_masks_mean_the_same(tmp_path: Path) -> None:
    ids = np.zeros((20, 30), np.uint16)
    ids[5:9, 5:9], ids[12:15, 20:25] = 300, 1000
    colours = np.zeros((20, 30, 3), np.uint8)
    colours[ids == 300], colours[ids == 1000] = (10, 200, 30), (200, 10, 30)
    palette = Image.fromarray(np.select([ids == 300, ids == 1000], [1, 2], 0).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    for name in ("ids", "colour", "palette", "npy"):
        (tmp_path / name).mkdir()
    write_image(tmp_path / "ids" / "0.png", ids)
    write_image(tmp_path / "colour" / "0.png", colours)
    palette.save(tmp_path / "palette" / "0.png")
    np.save(tmp_path / "npy" / "0.npy", ids.astype(np.int32))
    expected = np.select([ids == 300, ids == 1000], [1, 2], 0)[None]
    for name in ("ids", "colour", "palette", "npy"):
        np.testing.assert_array_equal(read_mask_folder(tmp_path / name, (1, 20, 30)).object_ids, expected)
    assert read_mask_folder(tmp_path / "colour", (1, 20, 30)).names == ["#0ac81e", "#c80a1e"]


def test_masks_of_the_videos_size_are_reduced_without_mixing_ids(tmp_path: Path) -> None:
    large = np.kron(np.array([[0, 3], [9, 0]], np.uint8), np.ones((20, 30), np.uint8))
    write_image(tmp_path / "0.png", large)
    given = read_mask_folder(tmp_path, (1, 20, 30))
    np.testing.assert_array_equal(given.object_ids[0], np.kron([[0, 1], [2, 0]], np.ones((10, 15))))


def test_a_wrong_count_or_shape_of_masks_names_the_numbers(tmp_path: Path) -> None:
    for t in range(3):
        write_image(tmp_path / f"{t}.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(StageError, match="holds 3 masks, but the scene has 4 frames"):
        read_mask_folder(tmp_path, (4, 20, 30))
    with pytest.raises(StageError, match="is 30x20, the frames are 30x30"):
        read_mask_folder(tmp_path, (3, 30, 30))
    (tmp_path / "2.png").write_text("text")
    with pytest.raises(StageError, match=r"2\.png is not a readable mask"):
        read_mask_folder(tmp_path, (3, 20, 30))
    with pytest.raises(StageError, match="is not a folder"):
        read_mask_folder(tmp_path / "absent", (3, 20, 30))


def steps_of_a_moving_camera(along_the_line: float, across: float) -> tuple[list[Step], np.ndarray]:
    """Exact flow to four views of a still relief, in which one block moves; and which pixels those are."""
    rng = np.random.default_rng(0)
    depth = cv2.GaussianBlur(rng.uniform(2, 8, (60, 80)).astype(np.float32), (0, 0), 4)
    depth = (5 + 2 * (depth - depth.mean()) / depth.std()).clip(2, 9)
    x, y = np.meshgrid(np.arange(80) - 40.0, np.arange(60) - 30.0)
    moving = np.zeros((60, 80), bool)
    moving[20:40, 30:50] = True
    steps = []
    for number in (1, 2, 3, 4):
        points = np.stack([x / 70 * depth, y / 70 * depth, depth], -1) - number * np.array([0.15, 0, 0])
        landed = 70 * points[..., :2] / points[..., 2:]
        flow = (landed - np.stack([x, y], -1)).astype(np.float32)
        flow[moving] += [along_the_line * number**2, across * number]
        steps.append(Step(number, number, flow, np.ones((60, 80), bool)))
    return steps, moving


def test_what_leaves_its_epipolar_line_moves_and_a_still_world_does_not() -> None:
    steps, moving = steps_of_a_moving_camera(0.0, 3.0)
    everywhere = np.broadcast_to(np.eye(2, dtype=np.float32), (60, 80, 2, 2))
    residual = np.mean(background_residuals(steps, everywhere), axis=0)
    assert np.percentile(residual[~moving], 99) < 0.5
    assert np.median(residual[moving]) > 2


def test_what_speeds_up_along_its_epipolar_line_fits_no_depth() -> None:
    steps, moving = steps_of_a_moving_camera(1.0, 0.0)
    everywhere = np.broadcast_to(np.eye(2, dtype=np.float32), (60, 80, 2, 2))
    residual = np.mean(background_residuals(steps, everywhere), axis=0)
    assert np.percentile(residual[~moving], 99) < 1, "more than noise explains"
    assert np.median(residual[moving]) > 3


def still_chain(count: int, size: tuple[int, int]) -> FlowChain:
    """A video in which nothing moves."""
    flow, valid = np.zeros((count - 1, *size, 2), np.float16), np.ones((count - 1, *size), bool)
    return FlowChain(flow, flow, valid, valid)


def test_evidence_of_a_still_video_is_negative_everywhere() -> None:
    images = np.zeros((10, 40, 60, 3), np.uint8)
    assert (camera_motion_residual(images, still_chain(10, (40, 60))) < 0).all()


def test_an_id_that_goes_on_where_another_ends_is_the_same_thing() -> None:
    labels = np.zeros((10, 20, 40), np.uint8)
    labels[:5, 5:15, 5:15], labels[5:, 5:15, 5:15] = 1, 2
    labels[:, 5:15, 15:25] = 3
    joined = taken_over(labels, still_chain(10, (20, 40)))
    assert len(np.unique(joined[:, 5:15, 5:15])) == 1
    assert joined[0, 10, 10] != joined[0, 10, 20], "what only touches stays another thing"


def test_frames_outvote_a_frame_with_a_torn_mask() -> None:
    ids = np.zeros((7, 20, 20), np.uint8)
    ids[:, 5:15, 5:15] = 1
    ids[3, 8:12, 8:12] = 0
    assert (temporal_vote(ids, still_chain(7, (20, 20)))[3, 8:12, 8:12] == 1).all()


def test_crumbs_go_and_holes_close() -> None:
    core = np.zeros((40, 40), bool)
    core[10:30, 10:30] = True
    inside = core.copy()
    inside[18:20, 18:20] = False
    inside[35:37, 2:4] = True
    np.testing.assert_array_equal(main_body(inside, core)[12:28, 12:28], True)
    assert not main_body(inside, core)[34:38, 1:5].any()


def test_a_region_without_texture_takes_the_evidence_of_its_border() -> None:
    image = texture(0, (60, 80), (90, 90, 110))
    image[20:40, 30:50], image[5:15, 5:25] = (200, 60, 50), (60, 160, 70)
    residual = np.full((60, 80, 2), -0.2, np.float32)
    residual[17:43, 27:53, 1] = 0.9
    residual[24:36, 34:46] = -0.2
    filled = filled_in(residual, image)
    assert (filled[22:38, 32:48] > 0.8).all(), "all of what is bordered by motion"
    assert (filled[5:15, 5:25] < 0).all(), "what is bordered by stillness stays still"


def test_a_small_part_that_always_touches_is_a_limb_and_a_passer_by_is_not() -> None:
    body, leg, away = np.zeros((3, 60, 80), bool)
    body[10:30, 20:60], leg[31:42, 24:30], away[45:56, 70:76] = True, True, True
    assert attached([(t, body, leg) for t in range(6)])
    assert not attached([(t, body, leg if t < 3 else away) for t in range(6)])
    assert not attached([(t, body, np.roll(body, 21, axis=0)) for t in range(6)]), "as large as the other"
