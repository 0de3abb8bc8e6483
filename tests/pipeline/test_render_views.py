"""Rendering of a scene that is known exactly."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.rendering import Rendering
from pipeline.formats.renders_folder import read_renders, read_set_depth, read_set_ids, read_set_images
from pipeline.formats.scene_file import write_scene
from pipeline.formats.video_file import read_video
from pipeline.rendering.view_plans import busiest_frame, spread_samples
from pipeline.runtime.errors import StageError
from tests.analytic_world import TRUE_SCALES, UNITS
from tests.pipeline.judged_scene import FEW_VIEWS, AnalyticScene, judged_scene


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        scene = judged_scene(tmp_path_factory.mktemp("scene"), patch)
        scene.render()
        yield scene


def test_observed_views_are_the_videos_own(rendered: AnalyticScene) -> None:
    folder = rendered / "osn/renders"
    entry = read_renders(folder).of_kind("observed")[0]
    images, target = read_set_images(folder, entry), rendered.scene.images[entry.frames]
    assert entry.frames[0] == 0 and entry.frames[-1] == 7
    same = read_set_ids(folder, entry) == rendered.scene.object_ids[entry.frames]
    assert same.mean() > 0.995
    assert np.abs(images.astype(int) - target)[same].max() <= 3


def test_held_out_views_at_the_true_scale_are_the_truths(rendered: AnalyticScene) -> None:
    folder = rendered / "osn/renders"
    first, second = read_renders(folder).of_kind("held_out")
    assert first.scale == pytest.approx(TRUE_SCALES.tolist())
    assert second.scale != first.scale
    truth = rendered.truth.test
    same = read_set_ids(folder, first) == truth.object_ids[first.views]
    assert same.mean() > 0.995
    assert np.abs(read_set_images(folder, first).astype(int) - truth.images[first.views])[same].max() <= 3
    depth = UNITS[0] * read_set_depth(folder, first)
    assert np.median(np.abs(depth - truth.depth[first.views]) / truth.depth[first.views]) < 2e-3


def test_valid_scenes_agree_where_the_camera_was_and_differ_elsewhere(rendered: AnalyticScene) -> None:
    folder = rendered / "osn/renders"
    entries = read_renders(folder).of_kind("scales")
    assert len(entries) == FEW_VIEWS.scale_samples
    pictures = np.stack([read_set_images(folder, entry) for entry in entries]).astype(float)
    observed, new = np.abs(pictures[1:] - pictures[:1]).mean((0, 2, 3, 4))
    assert observed < 0.5 < 3 < new


def test_every_set_has_its_video_and_nothing_else_is_left(rendered: AnalyticScene) -> None:
    folder = rendered / "osn/renders"
    listed = read_renders(folder)
    assert listed.method == "osn" and listed.object_ids == [0, 1, 2]
    for entry in listed.sets:
        assert len(list(read_video(folder / entry.video))) == len(entry.frames)
    expected = {"renders.json"} | {
        name for e in listed.sets for name in (e.name, f"{e.name}_ids", f"{e.name}_depth.npy", f"{e.name}.mp4")
    }
    assert {path.name for path in folder.iterdir()} == expected


def test_rays_are_rendered_in_chunks(rendered: AnalyticScene) -> None:
    assert 0 < rendered.method.largest_chunk <= FEW_VIEWS.rays_per_chunk


def test_pixels_do_not_depend_on_the_number_of_cores(
    rendered: AnalyticScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    threads: set[str] = set()
    render = scene.method.render

    def seen(*arguments: Any) -> Rendering:
        threads.add(threading.current_thread().name)
        return render(*arguments)

    monkeypatch.setattr(scene.method, "render", seen)
    torch.set_num_threads(3)
    try:
        scene.render()
    finally:
        torch.set_num_threads(1)
    assert len(threads) > 1
    alone, together = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*") if path.suffix in (".png", ".npy")}
        for folder in (rendered / "osn/renders", scene / "osn/renders")
    )
    assert len(alone) > 10 and together == alone


def test_without_truth_there_are_no_held_out_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    scene.render(with_truth=False)
    kinds = {entry.kind for entry in read_renders(tmp_path / "osn/renders").sets}
    assert kinds == {"observed", "path", "scales"}


def test_a_scene_without_moving_objects_has_one_valid_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch, objects=1)
    scene.method.scales, scene.method.scores = torch.ones(1, 1), torch.ones(1)
    scene.render()
    assert {entry.kind for entry in read_renders(tmp_path / "osn/renders").sets} == {"observed", "path", "held_out"}


def test_frames_without_a_camera_are_not_rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    visible = scene.scene.visible.copy()
    visible[0, [0, 7]] = False
    write_scene(tmp_path / "scene.h5", replace(scene.scene, visible=visible), {})
    scene.render(config=FEW_VIEWS.model_copy(update={"observed_frames": 99, "held_out_frames": 99}))
    sets = read_renders(tmp_path / "osn/renders").sets
    assert all({0, 7}.isdisjoint(entry.frames) for entry in sets)
    assert next(entry for entry in sets if entry.kind == "held_out").views == [1, 2, 3, 4, 5, 6]


def test_a_scene_without_any_camera_ends_in_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    write_scene(tmp_path / "scene.h5", replace(scene.scene, visible=np.zeros_like(scene.scene.visible)), {})
    with pytest.raises(StageError, match="no frame with a known camera"):
        scene.render()
    assert not (tmp_path / "osn/renders").exists()


def test_a_damaged_scene_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    (tmp_path / "scene.h5").write_bytes(b"HDF")
    with pytest.raises(StageError, match=r"scene\.h5"):
        scene.render()


def test_samples_are_spread_from_the_best_outwards_and_never_repeat() -> None:
    scales = np.array([[1, 1.0], [1, 1.1], [1, 2.0], [1, 1.0], [1, 0.5]])
    unoccluded = np.ones(5, bool)
    assert spread_samples(scales, 3, unoccluded) == [0, 2, 1]
    assert spread_samples(scales, 5, unoccluded) == [0, 2, 4, 1]
    assert spread_samples(np.ones((20, 2)), 4, np.ones(20, bool)) == [0]
    unoccluded[[2, 4]] = False  # those that have begun to fail are shown only where there are too few others
    assert spread_samples(scales, 2, unoccluded) == [0, 1]
    assert spread_samples(scales, 5, unoccluded) == [0, 2, 4, 1]
    far = np.array([[1, 0.3], [1, 2.0], [1, 1.9], [1, 1.2]])
    assert spread_samples(far, 2, np.ones(4, bool)) == [0, 1]  # the first is shown wherever it is


def test_the_busiest_frame_shows_the_object_that_is_hardest_to_see(rendered: AnalyticScene) -> None:
    ids = np.zeros_like(rendered.scene.object_ids)
    ids[:, :20, :20] = 1
    ids[4, 30:, 30:] = 2
    scene = replace(rendered.scene, object_ids=ids)
    assert busiest_frame(scene, np.arange(8)) == 4


def test_the_valid_scene_nearest_to_wanted_scales_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = judged_scene(tmp_path, monkeypatch)
    wanted = scene.method.scales[-1].tolist()
    scene.render(config=FEW_VIEWS.model_copy(update={"scales": wanted[1:]}))
    sets = read_renders(tmp_path / "osn/renders").sets
    for kind in ("observed", "path", "scales"):
        assert next(entry for entry in sets if entry.kind == kind).scale == pytest.approx(wanted)
    with pytest.raises(StageError, match="1 scales, the scene 2 moving objects"):
        scene.render(config=FEW_VIEWS.model_copy(update={"scales": [1.0]}))
