"""Pixels of videos that do not fit into memory: a part of the frames at a time, chosen by the step alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import TrainOsnConfig
from pipeline.formats.scene_file import read_scene, read_scene_frames
from pipeline.osn import pixels as osn_pixels
from pipeline.osn.pixels import pixel_source
from pipeline.runtime.errors import StageError
from pipeline.scene.frame_windows import window_frames
from tests.synthetic import write_synthetic_scene

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scene_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_scene(tmp_path_factory.mktemp("synthetic")).scene


def test_scene_of_some_frames_is_the_whole_scenes_part(scene_path):
    scene, part = read_scene(scene_path), read_scene_frames(scene_path, [2, 5, 6])
    assert np.array_equal(part.images, scene.images[[2, 5, 6]])
    assert np.array_equal(part.object_from_camera, scene.object_from_camera[:, [2, 5, 6]])
    mine = scene.observation_frame == 5
    assert np.array_equal(part.observation_xy[part.observation_frame == 1], scene.observation_xy[mine])
    assert part.flow_forward.shape[0] == 2 and set(part.observation_frame) <= {0, 1, 2}


def test_long_video_is_drawn_from_a_window_with_the_videos_own_frame_numbers_and_colours(scene_path, monkeypatch):
    scene, fit = read_scene(scene_path), TrainOsnConfig(window_steps=10, pixel_memory_mb=1)
    monkeypatch.setattr(osn_pixels, "BYTES_PER_PIXEL", 1e6 / (3.2 * scene.images[0, ..., 0].size))
    source, frames = pixel_source(scene_path, scene, fit, CPU), set()
    for step in (0, 9, 10, 20, 0):
        batch = source(step).draw(200, torch.Generator().manual_seed(step))
        here = set(batch.frames.tolist())
        assert here <= set(window_frames(scene.frame_count, 3, fit.seed, step // 10))
        frames |= here
        column, row = pixel_of(batch.directions, scene)
        colours = torch.from_numpy(scene.images)[batch.frames, row, column] / 255
        assert torch.allclose(batch.colours, colours)
    assert frames == set(range(scene.frame_count))


def pixel_of(directions: torch.Tensor, scene) -> tuple[torch.Tensor, torch.Tensor]:
    fx, fy, cx, cy = scene.intrinsics.tolist()
    return (directions[:, 0] * fx + cx).floor().long(), (directions[:, 1] * fy + cy).floor().long()


def test_short_video_is_read_once(scene_path):
    source = pixel_source(scene_path, read_scene(scene_path), TrainOsnConfig(), CPU)
    assert source(0) is source(10_000) and len(source(0).images) == read_scene(scene_path).frame_count


def test_object_that_a_window_does_not_show_is_not_drawn(scene_path):
    source = pixel_source(scene_path, read_scene(scene_path), TrainOsnConfig(), CPU)(0)
    without = replace(source, usable=[source.usable[0], source.usable[1][:0], source.usable[2]], shares=[0.6, 0.0, 0.4])
    without = replace(without, depths=without.depths[torch.empty(0, dtype=torch.int64)])
    batch = without.draw(100, torch.Generator().manual_seed(0))
    assert set(batch.objects.tolist()) == {0, 2}


def test_object_without_pixels_is_refused(scene_path):
    scene = read_scene(scene_path)
    visible = scene.visible.copy()
    visible[2] = False
    with pytest.raises(StageError, match="right box has no pixel"):
        pixel_source(scene_path, replace(scene, visible=visible), TrainOsnConfig(), CPU)
