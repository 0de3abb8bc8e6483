"""Every dialect of poses means the same, and every disturbance of them is named: their product is tried."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, inverse, rigid
from pipeline.formats.transforms_file import NamedPoses, write_transforms
from pipeline.runtime.errors import StageError
from pipeline.sfm.bundle_adjustment import rotation_exp
from pipeline.sfm.given_poses import check_poses, imported_background
from pipeline.sfm.imported_poses import ImportedPoses, read_poses
from pipeline.sfm.mapping import MappingOptions
from pipeline.sfm.rigid_model import RigidModel
from tests.pipeline.tracked_body import CAMERA, room, tracked
from tests.tool_results import write_megasam, write_vipe

FRAMES = 14
GL = np.diag([1.0, -1.0, -1.0, 1.0])


def wandering(frames: int = FRAMES) -> np.ndarray:
    """world_from_camera of a hand-held camera: neither even nor straight."""
    time = np.linspace(0, 1, frames) ** 1.3
    centre = np.stack([1.2 * time, 0.25 * np.sin(5 * time), 0.4 * time**2], axis=1)
    turn = np.stack([0.1 * np.sin(4 * time), -0.25 * time, 0.05 * np.cos(3 * time)], axis=1)
    return rigid(np.swapaxes(rotation_exp(turn), 1, 2), centre)


TRUE = wandering()
SEEN = tracked(inverse(TRUE), room(140), noise=0.2)[1]
INFO: dict[str, Any] = {
    "frames": [{"file": f"{t:06d}.png", "source_index": t} for t in range(FRAMES)],
    "height": CAMERA.height,
    "width": CAMERA.width,
    "source": {"frames": FRAMES, "height": CAMERA.height, "width": CAMERA.width},
}


def check(poses: np.ndarray, camera: Intrinsics, trusted: bool = False) -> None:
    """Hold poses against the tracks."""
    check_poses(RigidModel(poses, np.full((SEEN.track_count, 3), np.nan), camera, "imported"), SEEN, True, trusted)


def camera_under(found: ImportedPoses) -> tuple[Intrinsics, bool]:
    """The camera that came with poses, and whether one did."""
    return found.camera or Intrinsics.centred(1.0 * CAMERA.width, CAMERA.height, CAMERA.width), found.camera is not None


def entries(matrices: np.ndarray, name: str, first: int = 0) -> list[dict[str, Any]]:
    return [{"file_path": name.format(t + first), "transform_matrix": m.tolist()} for t, m in enumerate(matrices @ GL)]


def nerfstudio(folder: Path, matrices: np.ndarray) -> Path:
    names = [f"images/frame_{t + 1:05d}.png" for t in range(len(matrices))]
    write_transforms(folder / "transforms.json", NamedPoses(names, matrices, None), CAMERA, names)
    return folder / "transforms.json"


def ngp(folder: Path, matrices: np.ndarray) -> Path:
    """With a byte order mark, unpadded names, null coefficients, 3x4 matrices and intrinsics of each frame."""
    own = {"fl_x": CAMERA.fx, "fl_y": CAMERA.fy, "w": CAMERA.width, "h": CAMERA.height, "k1": None, "k3": None}
    frames = [
        {**entry, **own, "transform_matrix": entry["transform_matrix"][:3]} for entry in entries(matrices, "./{}")
    ]
    (folder / "transforms.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"frames": frames}).encode())
    return folder


def dnerf(folder: Path, matrices: np.ndarray) -> Path:
    """A field of view, no size, names without suffix that text order would mix up."""
    angle = 2 * float(np.arctan(CAMERA.width / 2 / CAMERA.fx))
    content = {"camera_angle_x": angle, "frames": entries(matrices, "./train/r_{}")}
    (folder / "transforms_train.json").write_text(json.dumps(content))
    return folder


def colmap(folder: Path, matrices: np.ndarray) -> Path:
    """Text files with names in a folder, and a smaller model beside it."""
    rows = []
    for t, matrix in enumerate(inverse(matrices)):
        x, y, z, w = Rotation.from_matrix(matrix[:3, :3]).as_quat()
        place = " ".join(f"{v:.15g}" for v in (w, x, y, z, *matrix[:3, 3]))
        rows.append(f"{t + 1} {place} 1 cam/frame_{t + 1:05d}.jpg\n\n")
    for model, chosen in (("0", rows[3:5]), ("1", rows)):
        (folder / "sparse" / model).mkdir(parents=True)
        values = " ".join(map(str, CAMERA.values))
        (folder / "sparse" / model / "cameras.txt").write_text(f"1 PINHOLE {CAMERA.width} {CAMERA.height} {values}\n")
        (folder / "sparse" / model / "images.txt").write_text("".join(chosen))
        (folder / "sparse" / model / "points3D.txt").write_text("")
    return folder


def osn(folder: Path, matrices: np.ndarray) -> Path:
    np.save(folder / "pose0.npy", matrices @ GL)
    return folder


def llff(folder: Path, matrices: np.ndarray) -> Path:
    right, down, forward, place = (matrices[:, :3, column] for column in range(4))
    size = np.broadcast_to([CAMERA.height, CAMERA.width, CAMERA.fx], (len(matrices), 3))
    rows = np.stack([down, right, -forward, place, size], axis=2).reshape(len(matrices), 15)
    np.save(folder / "poses_bounds.npy", np.concatenate([rows, np.ones((len(matrices), 2))], axis=1))
    return folder


def tum(folder: Path, matrices: np.ndarray) -> Path:
    rows = np.column_stack(
        [1e9 + np.arange(len(matrices)) / 12, matrices[:, :3, 3], Rotation.from_matrix(matrices[:, :3, :3]).as_quat()]
    )
    np.savetxt(folder / "poses.txt", rows, header="time tx ty tz qx qy qz qw", fmt="%.12f")
    return folder / "poses.txt"


def vipe(folder: Path, matrices: np.ndarray) -> Path:
    return write_vipe(folder, matrices, CAMERA, None)


def megasam(folder: Path, matrices: np.ndarray) -> Path:
    small = np.ones((len(matrices), CAMERA.height, CAMERA.width))
    return write_megasam(folder, matrices, CAMERA, small)


DIALECTS: dict[str, Callable[[Path, np.ndarray], Path]] = {
    function.__name__: function for function in (nerfstudio, ngp, dnerf, colmap, osn, llff, tum, vipe, megasam)
}
WITHOUT_FOCAL = ("osn", "tum")
AS_TEXT = np.array(sorted(range(FRAMES), key=str))
DISTURBANCES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "order": (lambda m: m[AS_TEXT], "order is wrong: sorted as text"),
    "reversed": (lambda m: m[::-1], "order is wrong: reversed in time"),
    "shift": (lambda m: np.roll(m, 2, axis=0), "shifted: each pose is that of a frame 2 earlier"),
    "inverted": (inverse, "inverted"),
    "axes": (lambda m: m @ GL, "axes are wrong: OpenGL's"),
    "inverted axes": (lambda m: GL @ inverse(m), "inverted, and their axes"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_gives_the_same_poses(tmp_path: Path, dialect: str) -> None:
    found = read_poses(DIALECTS[dialect](tmp_path, TRUE), INFO)
    np.testing.assert_allclose(found.camera_from_world, inverse(TRUE), atol=1e-6)
    assert (found.camera is None) == (dialect in WITHOUT_FOCAL)
    if found.camera is not None:
        np.testing.assert_allclose(found.camera.values, CAMERA.values, rtol=1e-6)
    check(found.camera_from_world, found.camera or CAMERA)


@pytest.mark.parametrize("disturbance", DISTURBANCES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_disturbance_is_named(tmp_path: Path, dialect: str, disturbance: str) -> None:
    change, words = DISTURBANCES[disturbance]
    found = read_poses(DIALECTS[dialect](tmp_path, change(TRUE)), INFO)
    camera, known = camera_under(found)
    with pytest.raises(StageError, match=rf"(?s){words}.*trust_poses: true"):
        imported_background(SEEN, found.camera_from_world, MappingOptions(camera, known, 0, 500, 500))


UNITY = np.diag([1.0, -1.0, 1.0, 1.0])  # y up, else as OpenCV: left-handed
ROS = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # x forward, y left, z up
RARE: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "left-handed": (lambda m: UNITY @ m @ UNITY, r"left-handed system.*forward are \+x, -y, \+z"),
    "forward along x": (lambda m: m @ inverse(ROS), r"axes are wrong: right, down and forward are -y, -z, \+x"),
    "rotations inverted": (
        lambda m: rigid(np.swapaxes(m[:, :3, :3], 1, 2), m[:, :3, 3]),
        "rotations are those of camera_from_world beside places",
    ),
    "places inverted": (
        lambda m: rigid(m[:, :3, :3], inverse(m)[:, :3, 3]),
        "places are those of camera_from_world beside rotations",
    ),
    "sign of places": (lambda m: rigid(m[:, :3, :3], -m[:, :3, 3]), "signs of their places are wrong"),
    "every second": (
        lambda m: np.concatenate([m[::2], np.full((FRAMES // 2, 4, 4), np.nan)]),
        "each pose is that of frame 0, 2, 4",
    ),
}


@pytest.mark.parametrize("mistake", RARE)
def test_rare_mistakes_are_named_too(mistake: str) -> None:
    change, words = RARE[mistake]
    with pytest.raises(StageError, match=rf"(?s){words}.*trust_poses: true"):
        check(inverse(change(TRUE)), CAMERA)


def test_poses_that_are_wrong_in_a_few_frames_are_named() -> None:
    """The median over all frames knows nothing of them."""
    wrong = TRUE.copy()
    wrong[5, :3, 3] += [0.5, 0.3, 0.0]
    with pytest.raises(StageError, match=r"given poses of frames 5 by .* leave these frames out"):
        check(inverse(wrong), CAMERA)
    wrong = TRUE.copy()
    wrong[[8, 9]] = wrong[[9, 8]]
    with pytest.raises(StageError, match="given poses of frames 8, 9 by"):
        check(inverse(wrong), CAMERA)


@pytest.mark.parametrize(("dialect", "told"), [("tum", "w x y z where x y z w"), ("colmap", "x y z w where w x y z")])
def test_the_order_of_quaternions_is_named(tmp_path: Path, dialect: str, told: str) -> None:
    """Written as another tool has them: after the place in TUM's lines, before it in COLMAP's."""
    path = DIALECTS[dialect](tmp_path, TRUE)
    first, file = (4, path) if dialect == "tum" else (1, path / "sparse" / "1" / "images.txt")
    moved = []
    for line in file.read_text().splitlines():
        words = line.split()
        if len(words) > 7 and not line.startswith("#"):
            turn = words[first : first + 4]
            words[first : first + 4] = [turn[3], *turn[:3]] if dialect == "tum" else [*turn[1:], turn[0]]
        moved.append(" ".join(words) if not line.startswith("#") else "")
    file.write_text("\n".join(moved) + "\n")
    found = read_poses(path, INFO)
    camera, known = camera_under(found)
    with pytest.raises(StageError, match=rf"(?s)quaternions is wrong: {told} is expected.*trust_poses: true"):
        imported_background(SEEN, found.camera_from_world, MappingOptions(camera, known, 0, 500, 500))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_unit_of_length_contradicts_nothing(tmp_path: Path, dialect: str) -> None:
    """A scene's size cannot be seen."""
    scaled = TRUE.copy()
    scaled[:, :3, 3] *= 7.5
    found = read_poses(DIALECTS[dialect](tmp_path, scaled), INFO)
    check(found.camera_from_world, found.camera or CAMERA)


@pytest.mark.parametrize(
    ("dialect", "k1", "words"),
    [
        ("nerfstudio", -0.08, "barrel"),
        ("colmap", -0.25, "barrel"),
        ("llff", 0.15, "pincushion"),
        ("osn", -0.25, "barrel"),
        ("tum", 0.15, "pincushion"),
    ],
)
def test_a_lens_that_the_poses_do_not_tell_is_named(tmp_path: Path, dialect: str, k1: float, words: str) -> None:
    found = read_poses(DIALECTS[dialect](tmp_path, TRUE), INFO)
    centred = (SEEN.xy - [CAMERA.cx, CAMERA.cy]) / CAMERA.fx
    bent = centred * (1 + k1 * (centred**2).sum(1, keepdims=True)) * CAMERA.fx + [CAMERA.cx, CAMERA.cy]
    camera, known = camera_under(found)
    with pytest.raises(StageError, match=rf"(?s){words} distortion.*trust_poses: true"):
        imported_background(replace(SEEN, xy=bent), found.camera_from_world, MappingOptions(camera, known, 0, 500, 500))


def test_a_focal_length_of_other_images_is_named(tmp_path: Path) -> None:
    """The file is of images of half the size, but says it is of the whole."""
    path = nerfstudio(tmp_path, TRUE)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "fl_x": CAMERA.fx / 2, "fl_y": CAMERA.fy / 2}))
    found = read_poses(path, INFO)
    assert found.camera is not None
    with pytest.raises(StageError, match="focal length is about 250 px and not 125 px"):
        check(found.camera_from_world, found.camera)


def test_trusted_poses_go_on_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    check(inverse(TRUE)[::-1], CAMERA, trusted=True)
    assert "reversed in time" in caplog.text and "because of trust_poses" in caplog.text


def test_poses_of_another_video_are_refused_without_a_cause() -> None:
    random = np.random.default_rng(5)
    other = rigid(rotation_exp(0.4 * random.standard_normal((FRAMES, 3))), random.standard_normal((FRAMES, 3)))
    with pytest.raises(StageError, match="no common mistake"):
        check(other, CAMERA)


@pytest.mark.parametrize("noise", [0.0, 0.002, 0.004])
def test_small_errors_of_poses_contradict_nothing(noise: float) -> None:
    """Half a pixel and a pixel of random error: what visual odometry leaves."""
    random = np.random.default_rng(2)
    jitter = rigid(rotation_exp(noise * random.standard_normal((FRAMES, 3))), np.zeros((FRAMES, 3)))
    check(jitter @ inverse(TRUE), CAMERA)


def test_a_focal_length_that_came_without_is_calibrated_under_the_poses() -> None:
    guess = Intrinsics.centred(1.0 * CAMERA.width, CAMERA.height, CAMERA.width)
    found, motion = imported_background(SEEN, inverse(TRUE), MappingOptions(guess, False, 0, 500, 500))
    assert motion == "moving" and found.focal_std_px is not None and found.focal_std_px < 2
    assert abs(found.model.camera.fx - CAMERA.fx) < 4 * found.focal_std_px


def test_frames_without_a_pose_are_registered_against_the_others(caplog: pytest.LogCaptureFixture) -> None:
    poses = inverse(TRUE)
    poses[[0, 5, 6, 13]] = np.nan
    found, _ = imported_background(SEEN, poses, MappingOptions(CAMERA, True, 0, 500, 500))
    assert found.model.registered.all() and "4 frames without a given pose" in caplog.text
    error = found.model.camera_from_object @ TRUE - np.eye(4)
    assert np.abs(error[[0, 5, 6, 13]]).max() < 5e-3 and np.abs(np.delete(error, [0, 5, 6, 13], 0)).max() < 1e-9


@pytest.mark.parametrize("dialect", ["osn", "llff", "tum", "megasam"])
def test_some_poses_without_names_are_refused(tmp_path: Path, dialect: str) -> None:
    """Nine poses of fourteen frames: taken in order they would be of the first nine, whatever they are of."""
    path = DIALECTS[dialect](tmp_path, TRUE[5:])
    with pytest.raises(StageError, match="9 poses without names of images, the scene has 14 frames"):
        read_poses(path, INFO)
