"""The second pass gives back what the first one lost, and leaves alone what it cannot know better."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.cameras import IGNORE_ID, inverse, transform, unproject
from pipeline.config import RefineMasksConfig
from pipeline.formats.flow_file import write_flow
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.geometry_file import Geometry, ObjectGeometry, read_geometry, write_geometry
from pipeline.formats.lens import Lens, changes_in_frames, undistortion
from pipeline.formats.masks_file import read_masks, read_objects, write_masks, write_objects
from pipeline.refine_masks import known_camera, refine_masks, why_unchanged
from pipeline.segmentation.mask_warnings import NOTHING_FOUND
from pipeline.sfm.colmap import read_tracked_model, write_model
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors
from pipeline.sfm.verdicts import judge
from tests.pipeline.refinement.sliding_square import (
    CAMERA,
    DEPTH,
    FRAMES,
    HEIGHT,
    WALL_PX,
    WIDTH,
    flow_pairs,
    images,
    true_ids,
    world_from_camera,
)

LOST = (4, 5)
NAMES = ("masks.h5", "objects.json", "reconstruction", "geometry.json")


def damaged() -> np.ndarray:
    """The true masks, without the square in two frames."""
    ids = true_ids()
    ids[list(LOST)] = 0
    return ids


def wall_model() -> tuple[RigidModel, Observations]:
    """The wall as structure from motion has it: a grid of its points, seen in all frames."""
    xy = np.stack(np.meshgrid(np.arange(25.0, WIDTH, 8), np.arange(4.0, HEIGHT, 8)), -1).reshape(-1, 2)
    points = unproject(CAMERA, xy, np.full(len(xy), DEPTH))
    track, frame = np.repeat(np.arange(len(xy)), FRAMES), np.tile(np.arange(FRAMES), len(xy))
    seen = Observations(
        track, frame, xy[track] + [WALL_PX, 0] * frame[:, None], equal_errors(np.ones(len(track))), len(xy), FRAMES
    )
    return RigidModel(inverse(world_from_camera()), points, CAMERA, "true"), seen


def geometry() -> Geometry:
    """A wall and a square that stands for a flat picture."""
    told = {"verdict": "ok", "reason": "well determined", "method": "global", "numbers": {"tracks": 9.0}}
    objects = [
        ObjectGeometry.model_validate({"id": k, "name": name, **told}) for k, name in enumerate(("wall", "square"))
    ]
    values = tuple(CAMERA.values.tolist())
    return Geometry(intrinsics=values, intrinsics_source="given", focal_std_px=None, camera="moving", objects=objects)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages before write of the square before the wall."""
    folder = tmp_path_factory.mktemp("scene")
    for t, image in enumerate(images()):
        write_image(folder / "frames" / frame_name(t), image)
    write_flow(folder / "flow.h5", flow_pairs(), FRAMES - 1, (HEIGHT, WIDTH), {"backend": "truth"})
    write_masks(folder / "masks.h5", damaged(), {"backend": "motion"})
    rows = [{"id": k, "name": name, "evidence": {"frames": 8}, "confidence": 0.9} for k, name in enumerate("ws")]
    write_objects(folder / "objects.json", "motion", rows, ["one word"])
    for k in (0, 1):
        write_model(folder / "reconstruction" / str(k), *wall_model())
    write_geometry(folder / "geometry.json", geometry())
    return folder


def run(scene: Path, folder: Path, objects: Path | None = None, **settings: bool) -> list[Path]:
    """Masks, objects, reconstruction and geometry after the stage."""
    made = [folder / name for name in NAMES]
    inputs = [scene / "frames", None, *(scene / name for name in ("flow.h5", *NAMES))]
    inputs[4] = objects or inputs[4]
    refine_masks(*inputs, *made, RefineMasksConfig(**settings))
    return made


def test_a_square_that_was_lost_is_given_back_and_all_else_stays(scene: Path, tmp_path: Path) -> None:
    masks, objects, reconstruction, judged = run(scene, tmp_path)
    ids, truth = read_masks(masks), true_ids()
    for t in range(FRAMES):
        assert (ids[t] != truth[t]).sum() < (0.12 if t in LOST else 0.02) * (truth[t] == 1).sum()
    square = read_objects(objects)["objects"][1]
    assert square["evidence"] == {"frames": 8, "frames_regained": len(LOST), "poses_regained": 0}
    assert read_objects(objects)["warnings"] == ["one word"]
    assert read_geometry(judged) == geometry()  # a flat picture is looked for nowhere
    model, _ = read_tracked_model(reconstruction / "1", FRAMES)
    np.testing.assert_allclose(model.points, wall_model()[0].points)


def test_switched_off_it_copies(scene: Path, tmp_path: Path) -> None:
    masks, objects, _, judged = run(scene, tmp_path, enabled=False)
    np.testing.assert_array_equal(read_masks(masks), damaged())
    assert read_objects(objects) == read_objects(scene / "objects.json") and read_geometry(judged) == geometry()


@pytest.mark.parametrize("backend", ["prompts", "masks", "masks, followed by EdgeTAM", "sam, prompts"])
def test_what_a_person_gave_is_not_changed(scene: Path, tmp_path: Path, backend: str) -> None:
    rows = read_objects(scene / "objects.json")["objects"]
    write_objects(tmp_path / "given.json", backend, rows, [])
    masks = run(scene, tmp_path, tmp_path / "given.json")[0]
    np.testing.assert_array_equal(read_masks(masks), damaged())


def test_nothing_is_changed_where_the_background_is_not_known_and_the_reason_is_told(scene: Path) -> None:
    listed, judged, config = read_objects(scene / "objects.json"), geometry(), RefineMasksConfig()
    assert why_unchanged(listed, judged, FRAMES, config) is None
    wall, square = judged.objects
    weak = wall.model_copy(update={"verdict": "weak", "reason": "too little parallax"})
    cases = {
        "camera is rotating": judged.model_copy(update={"camera": "rotating"}),
        "too little parallax": judged.model_copy(update={"objects": [weak, square]}),
    }
    for words, case in cases.items():
        assert words in str(why_unchanged(listed, case, FRAMES, config))
    assert "2 frames" in str(why_unchanged(listed, judged, 2, config))
    sure = {"registered_frames": 8, "frames_with_tracks": 8, "points": 400, "inlier_ratio_percent": 97.0}
    sure |= {"normalised_residual": 0.7, "reprojection_error_px": 0.1, "triangulation_angle_deg": 8.0, "planarity": 0.5}
    stretched = judge(sure | {"focal_std_percent": 14.0})
    only_focal = wall.model_copy(update=vars(stretched) | {"numbers": dict(stretched.numbers)})
    assert stretched.verdict == "weak"
    assert why_unchanged(listed, judged.model_copy(update={"objects": [only_focal]}), FRAMES, config) is None
    doubted = only_focal.model_copy(update={"reason": stretched.doubted("a lens").reason})
    assert "a lens" in str(why_unchanged(listed, judged.model_copy(update={"objects": [doubted]}), FRAMES, config))


def test_what_the_first_pass_never_found_becomes_an_object_with_a_model_and_is_said(
    scene: Path, tmp_path: Path
) -> None:
    """The stage without the square: it comes back under a new number, in all four outputs."""
    rows = read_objects(scene / "objects.json")["objects"][:1]
    alone = tmp_path / "alone"
    write_masks(alone / "masks.h5", np.zeros_like(true_ids()), {"backend": "motion"})
    write_objects(alone / "objects.json", "motion", rows, [NOTHING_FOUND, "one word"])
    write_model(alone / "reconstruction" / "0", *wall_model())
    write_geometry(alone / "geometry.json", geometry().model_copy(update={"objects": geometry().objects[:1]}))
    made = [tmp_path / name for name in NAMES]
    inputs = [scene / "frames", None, scene / "flow.h5", *(alone / name for name in NAMES)]
    refine_masks(*inputs, *made, RefineMasksConfig())
    ids, listed, judged = read_masks(made[0]), read_objects(made[1]), read_geometry(made[3])
    assert set(np.unique(ids)) <= {0, 1, IGNORE_ID} and (ids[true_ids() == 1] == 1).mean() > 0.8
    assert [row["id"] for row in listed["objects"]] == [0, 1] == [entry.id for entry in judged.objects]
    assert 0.5 < listed["objects"][1]["confidence"] <= 1
    assert listed["warnings"][0] == "one word" and "object 1 was found in the second pass" in listed["warnings"][1]
    assert read_tracked_model(made[2] / "1", FRAMES)[0].registered.any()


def test_the_camera_is_the_backgrounds() -> None:
    known = known_camera(wall_model()[0], CAMERA)
    np.testing.assert_allclose(known.world_from_camera, world_from_camera(), atol=1e-12)
    assert known.nearest == pytest.approx(DEPTH)
    ahead = transform(inverse(known.world_from_camera[3]), np.array([[0.0, 0.0, DEPTH]]))
    assert ahead[0, 2] == pytest.approx(DEPTH)


def test_changes_come_back_to_frames_of_a_lens_and_nothing_else_does() -> None:
    lens = Lens("SIMPLE_RADIAL", (CAMERA.fx, CAMERA.cx, CAMERA.cy, -0.1), WIDTH, HEIGHT)
    view, first = undistortion(lens), np.ones((1, HEIGHT, WIDTH), np.uint8)
    before = np.stack([view.apply(ids, exact=True) for ids in first])
    after = before.copy()
    after[0, 10:30, 20:50] = 7
    back = changes_in_frames(view, before, after, first)
    assert set(np.unique(back)) == {1, 7}
    again = view.apply(back[0], exact=True)
    assert (again != after[0]).sum() < 0.1 * (after[0] == 7).sum()  # borders, by the nearest pixel
    np.testing.assert_array_equal(changes_in_frames(None, first, 3 * first, first), 3 * first)
