"""The stage estimate_depth on a scene whose depth is known: its maps are in the scene's units, and a failure is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import estimate_depth as stage
from pipeline.config import EstimateDepthConfig
from pipeline.depth.depth_network import DepthNetwork
from pipeline.estimate_depth import estimate_depth
from pipeline.formats.frames_folder import write_image
from pipeline.formats.scene_file import Scene, read_scene
from pipeline.runtime.errors import StageError
from pipeline.scene.depth_alignment import ANY_KIND, MapKind, aligned_depths
from pipeline.scene.depth_maps import given_scales, read_depths
from pipeline.truth.truth_file import Truth, read_truth
from tests.synthetic import SyntheticScene, unit_of_scene, write_synthetic_scene


class Network(DepthNetwork):
    """A network that gives what a test says; it knows a frame by its first pixel."""

    kind = "disparity"

    def __init__(self, maps: np.ndarray) -> None:
        self.name, self.given = "made_up", maps

    def maps(self, images: np.ndarray) -> np.ndarray:
        return self.given[images[:, 0, 0, 0]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("estimated"))


@pytest.fixture(scope="module")
def scene(written: SyntheticScene) -> Scene:
    return read_scene(written.scene)


@pytest.fixture(scope="module")
def truth(written: SyntheticScene) -> Truth:
    return read_truth(written.truth)


@pytest.fixture(scope="module")
def frames(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for index in range(scene.frame_count):
        write_image(folder / f"{index:06d}.png", np.full((*scene.size, 3), index, np.uint8))
    return folder


@pytest.mark.parametrize(
    ("form", "kinds"),
    [("depth", ANY_KIND), ("inverse", ANY_KIND), ("disparity", ANY_KIND), ("disparity", ("disparity",))],
)
def test_maps_known_up_to_scale_and_shift_become_true_depth(
    scene: Scene, truth: Truth, form: str, kinds: tuple[MapKind, ...]
) -> None:
    true = unit_of_scene(scene, truth) * truth.train.depth.astype(np.float64)
    rng = np.random.default_rng(0)
    scale, shift = rng.uniform(0.2, 9, (len(true), 1, 1)), rng.uniform(0.01, 0.05, (len(true), 1, 1))
    forms = {"depth": scale * true + shift, "inverse": 1 / (scale / true + shift), "disparity": scale / true + shift}
    aligned = aligned_depths(forms[form].astype(np.float32), scene, kinds)
    assert aligned.used.all() and (aligned.errors < 0.02).all()
    assert np.median(np.abs(aligned.maps / true - 1)) < 0.02


def test_what_a_network_is_known_to_tell_is_not_taken_for_something_else(scene: Scene, truth: Truth) -> None:
    near_is_large = 1 / truth.train.depth
    assert aligned_depths(near_is_large, scene, ("disparity",)).used.all()
    assert not aligned_depths(near_is_large, scene, ("depth",)).used.any()


def test_a_map_of_something_else_is_not_believed(scene: Scene) -> None:
    noise = np.random.default_rng(0).uniform(0.1, 20, scene.object_ids.shape)
    assert not aligned_depths(noise, scene).used.any()
    assert not aligned_depths(noise**3, scene).used.all()


def run(monkeypatch: pytest.MonkeyPatch, written: SyntheticScene, frames: Path, depth: Path, maps: np.ndarray) -> None:
    monkeypatch.setattr(stage, "depth_model", lambda weights, name: Path("weights/made_up"))
    monkeypatch.setattr(stage, "DepthNetwork", lambda folder, device: Network(maps))
    estimate_depth(frames, written.scene, None, depth, EstimateDepthConfig(batch_frames=3))


def test_disparity_of_unknown_scale_becomes_depth_that_the_methods_read(
    monkeypatch: pytest.MonkeyPatch, written: SyntheticScene, frames: Path, scene: Scene, truth: Truth, tmp_path: Path
) -> None:
    scales = np.linspace(1, 5, scene.frame_count)[:, None, None]
    disparity = (scales / truth.train.depth + 0.3).astype(np.float32)
    disparity[1] = np.random.default_rng(0).uniform(0.1, 9, scene.size)
    depth = tmp_path / "depth"
    run(monkeypatch, written, frames, depth, disparity)
    maps = read_depths(depth, scene).maps
    right = np.arange(scene.frame_count) != 1
    expected = unit_of_scene(scene, truth) * truth.train.depth
    assert np.median(np.abs(maps / expected - 1)[right]) < 0.02
    assert (maps[1] == 0).all()
    note = json.loads((depth / "alignment.json").read_text())
    assert note["model"] == "made_up" and note["used"] == right.tolist()
    assert len(given_scales(depth, scene)) == len(scene.objects)
    assert not list(tmp_path.glob("*.partial*"))


def test_maps_that_fit_no_frame_are_refused_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, written: SyntheticScene, frames: Path, scene: Scene, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).uniform(0.1, 9, (scene.frame_count, *scene.size)).astype(np.float32)
    with pytest.raises(StageError, match=r"maps of made_up fit the sparse points of no frame .*or leave depth out"):
        run(monkeypatch, written, frames, tmp_path / "depth", noise)
    assert not list(tmp_path.iterdir())
