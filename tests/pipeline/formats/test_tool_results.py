"""ViPE, Depth Anything 3 and MegaSaM: their folders are known by layout, and mean what their authors say they mean."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, rigid
from pipeline.formats.depth_anything_results import became, multiple
from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.megasam_results import whole_size
from pipeline.formats.source_view import SourceShape
from pipeline.formats.tool_results import tool_depth, tool_poses
from pipeline.runtime.errors import StageError
from pipeline.scene.depth_maps import given_depths, given_scales
from pipeline.sfm.imported_poses import lens_of_poses, read_poses
from tests.analytic_world import CAMERA, FRAMES, HEIGHT, TRUE_SCALES, WIDTH, analytic_scene, analytic_truth
from tests.analytic_world import world_from_camera as camera_at
from tests.tool_results import write_da3, write_megasam, write_tracking, write_vipe

TRUTH = analytic_truth()
SCENE = analytic_scene(TRUTH)
DEPTH = np.stack([np.where(np.isfinite(depth), depth, 0) for depth in TRUTH.train.depth])
POSES = np.stack([camera_at(frame) for frame in range(FRAMES)])
INFO: dict[str, Any] = {
    "frames": [{"file": f"{t:06d}.png", "source_index": t} for t in range(FRAMES)],
    "height": HEIGHT,
    "width": WIDTH,
    "source": {"frames": FRAMES, "height": HEIGHT, "width": WIDTH},
}


def sampled(depth: np.ndarray, height: int, width: int) -> np.ndarray:
    """Maps at another size, by the nearest pixel."""
    rows = ((np.arange(height) + 0.5) * depth.shape[1] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * depth.shape[2] / width).astype(int)
    return depth[:, rows[:, None], columns]


def vipe(folder: Path, factor: float) -> Path:
    return write_vipe(folder, POSES, CAMERA, np.where(DEPTH > 0, factor * DEPTH, np.nan))


def da3(folder: Path, factor: float) -> Path:
    """98 px wide, and 70 high where 73.5 would keep the shape."""
    camera = Intrinsics(CAMERA.fx * 98 / 48, CAMERA.fy * 70 / 36, 49.0, 35.0, 98, 70)
    return write_da3(folder, POSES, camera, factor * sampled(DEPTH, 70, 98))


def megasam(folder: Path, factor: float) -> Path:
    camera = CAMERA.resized(384, 512)
    return write_megasam(
        folder, POSES, camera, np.where(sampled(DEPTH, 384, 512) > 0, factor * sampled(DEPTH, 384, 512), 0)
    )


TOOLS: dict[str, Callable[[Path, float], Path]] = {"ViPE": vipe, "Depth Anything 3": da3, "MegaSaM": megasam}


@pytest.mark.parametrize("tool", TOOLS)
def test_poses_cameras_and_depth_of_a_tool_are_those_that_it_found(
    tmp_path: Path, tool: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = TOOLS[tool](tmp_path / "found", 0.7)
    found = read_poses(folder, INFO)
    np.testing.assert_allclose(np.linalg.inv(found.camera_from_world), POSES, atol=1e-5)
    assert found.camera is not None and found.origin == f"{tool} (found)"
    np.testing.assert_allclose(found.camera.values, CAMERA.values, rtol=1e-5)
    assert given_scales(folder, SCENE) == pytest.approx(TRUE_SCALES, rel=6e-3)
    assert "larger is nearer" not in caplog.text
    words = given_depths(folder, SCENE.kept, SCENE.size).how
    assert words.startswith(tool) and ("metres" if tool == "ViPE" else "up to one scale") in words


def test_tracking_of_megasam_has_the_inverse_of_a_networks_disparity(tmp_path: Path) -> None:
    """By one scale and shift too few: 1 / (2 / depth + .1) is straightened by the sparse points of each frame."""
    bent = np.where(DEPTH > 0, 1 / (2 / np.maximum(DEPTH, 0.1) + 0.1), 0)
    folder = write_tracking(tmp_path / "clip", POSES, CAMERA.resized(384, 512), sampled(bent, 384, 512))
    np.testing.assert_allclose(np.linalg.inv(read_poses(folder, INFO).camera_from_world), POSES, atol=1e-5)
    assert given_scales(folder, SCENE) == pytest.approx(TRUE_SCALES, rel=1e-2)


def test_monocular_depth_anything_has_no_poses_and_depth_by_a_scale_and_a_shift(tmp_path: Path) -> None:
    shifted = sampled(np.where(DEPTH > 0, 3 * DEPTH + 1, 0), 70, 98)
    folder = write_da3(tmp_path / "mono", None, CAMERA, shifted)
    assert given_scales(folder, SCENE) == pytest.approx(TRUE_SCALES, rel=1e-2)
    with pytest.raises(StageError, match=r"monocular models .* tell none; take another model"):
        tool_poses(folder, (HEIGHT, WIDTH))


def test_sizes_are_those_of_the_tools_own_resizing() -> None:
    """854x480: of Depth Anything 3 504 x 283 -> 280; of MegaSaM sqrt(196608 / 409920) = .69255: 591 x 332 -> 584 x 328."""
    assert [multiple(side) for side in (283, 287, 294, 7)] == [280, 294, 294, 14]
    assert became((280, 504), (480, 854)) and became((378, 504), (480, 640)) and not became((308, 504), (480, 854))
    assert whole_size((328, 584), (480, 854)) == (332, 591) and whole_size((384, 512), (36, 48)) == (384, 512)
    assert whole_size((384, 512), (480, 854)) is None


def test_the_camera_of_cut_images_keeps_its_focal_length(tmp_path: Path) -> None:
    """591 / 854 of the focal length, although 584 columns are left: 500 px are 500 again."""
    camera = Intrinsics(500 * 591 / 854, 500 * 332 / 480, 427 * 591 / 854, 240 * 332 / 480, 584, 328)
    write_megasam(tmp_path, POSES, camera, np.ones((FRAMES, 328, 584)))
    found = tool_poses(tmp_path, (480, 854))
    assert found is not None and found.lens is not None
    np.testing.assert_allclose(found.lens.resized(480, 854).camera.values, [500, 500, 427, 240], rtol=1e-9)
    depth = tool_depth(tmp_path)
    assert depth is not None
    whole = depth.whole(depth.read([0])[0], (480, 854))
    assert whole.shape == (332, 591) and (whole[:328, :584] == 1).all() and (whole[328:] == 0).all()


def test_depth_where_megasam_cuts_it_off_says_nothing(tmp_path: Path) -> None:
    maps = np.full((FRAMES, 384, 512), 5.0)
    maps[:, 0], maps[:, 1] = 1e3, 1e-5
    depth = tool_depth(write_megasam(tmp_path, POSES, CAMERA, maps))
    assert depth is not None
    assert np.unique(depth.read([0])[0][:2]).tolist() == [0] and (depth.read([1])[0][2:] == 5).all()


def test_a_wide_lens_of_vipe_is_the_unified_camera(tmp_path: Path) -> None:
    """x = fx X / (Z + xi r) + cx, by hand for (1, 0, 2): r = sqrt 5."""
    folder = write_vipe(tmp_path, POSES, CAMERA, None)
    values = np.tile([90.0, 90.0, 24.0, 18.0, 0.5], (FRAMES, 1))
    np.savez(folder / "intrinsics" / "clip.npz", data=values, inds=np.arange(FRAMES))
    (folder / "intrinsics" / "clip_camera.txt").write_text("".join(f"{t}: MEI\n" for t in range(FRAMES)))
    found = tool_poses(folder, (HEIGHT, WIDTH))
    assert found is not None and found.lens is not None and found.lens.distorted
    x = found.lens.project(np.array([[1.0, 0.0, 2.0]]))[0, 0]
    assert x == pytest.approx(90 / (2 + 0.5 * np.sqrt(5)) + 24, rel=1e-9)
    (folder / "intrinsics" / "clip_camera.txt").write_text("0: PANORAMA\n")
    with pytest.raises(StageError, match="ViPE's camera PANORAMA; PINHOLE and MEI can be used"):
        tool_poses(folder, (HEIGHT, WIDTH))


def test_names_of_a_persons_images_are_not_taken_for_numbers_of_frames(tmp_path: Path) -> None:
    """Images 000001 to 000008: a pose without a name is of the first by its place, not of that called 000000."""
    named = {**INFO, "source": {**INFO["source"], "names": [f"{t + 1:06d}.png" for t in range(FRAMES)]}}
    np.testing.assert_allclose(
        np.linalg.inv(read_poses(vipe(tmp_path, 1.0), named).camera_from_world), POSES, atol=1e-5
    )


def test_a_file_of_vipe_is_told_from_anothers_by_its_arrays(tmp_path: Path) -> None:
    file = vipe(tmp_path / "v", 1.0) / "pose" / "clip.npz"
    np.testing.assert_allclose(np.linalg.inv(read_poses(file, INFO).camera_from_world), POSES, atol=1e-5)
    assert given_depths(file, SCENE.kept, SCENE.size).how.startswith("ViPE")
    np.savez(file, c2w=POSES)
    assert tool_poses(file, None) is None and read_poses(file, INFO).known == FRAMES


def test_depth_of_the_video_is_that_of_its_kept_frames(tmp_path: Path) -> None:
    kept = KeptFrames([f"{t:06d}.png" for t in range(4)], [0, 2, 4, 6], FRAMES)
    found = given_depths(vipe(tmp_path / "v", 1.0), kept, (HEIGHT, WIDTH))
    np.testing.assert_allclose(found.maps[2], DEPTH[4].astype(np.float16), rtol=1e-6)
    few = KeptFrames([f"{t:06d}.png" for t in range(3)], [0, 2, 4], 20)
    with pytest.raises(StageError, match=r"ViPE's depth of 8 frames, the scene has 3 .*run it on the whole video"):
        given_depths(tmp_path / "v", few, (HEIGHT, WIDTH))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no depth": (lambda p: write_vipe(p, POSES, CAMERA, None), "pose_only writes none"),
    "two videos": (
        lambda p: (vipe(p, 1.0) / "depth" / "other.zip").write_bytes(b""),
        "depth of 2 videos .*a folder of their own",
    ),
    "cut archive": (lambda p: (vipe(p, 1.0) / "depth" / "clip.zip").write_bytes(b"PK"), "not a readable archive"),
    "other shape": (
        lambda p: write_da3(p, POSES, CAMERA, np.ones((FRAMES, 70, 70))),
        "maps of 70x70, which images of 48x36 do not become",
    ),
    "other video": (
        lambda p: write_megasam(p, POSES, CAMERA, np.ones((FRAMES, 328, 584))),
        "maps of 584x328, which images of 48x36 do not become",
    ),
    "fewer maps": (lambda p: write_megasam(p, POSES, CAMERA, np.ones((5, 384, 512))), "and 8 poses; it needs one map"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_not_understood_is_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    BROKEN[case][0](tmp_path)
    with pytest.raises(StageError, match=BROKEN[case][1]):
        given_depths(tmp_path, SCENE.kept, SCENE.size)


def test_a_lens_is_known_before_frames_are_extracted(tmp_path: Path) -> None:
    lens = lens_of_poses(da3(tmp_path, 1.0), SourceShape((HEIGHT, WIDTH), (HEIGHT, WIDTH)))
    assert lens is not None and not lens.distorted
    np.testing.assert_allclose(lens.camera.values, CAMERA.values, rtol=1e-6)


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_tracking_tells_the_camera_from_the_world(tmp_path: Path, turn: float) -> None:
    """One pose by hand: turned about y and one to the right."""
    pose = rigid(Rotation.from_euler("y", turn).as_matrix()[None], np.array([[1.0, 0, 0]]))
    found = tool_poses(write_tracking(tmp_path / "c", pose, CAMERA, np.ones((1, HEIGHT, WIDTH))), None)
    assert found is not None
    np.testing.assert_allclose(found.world_from_camera, pose, atol=1e-6)
