"""Pixels of videos that do not fit into memory, as Semantic Flow draws them."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from pipeline.formats.scene_file import FLOW_FIELDS, SceneFlow, read_scene, stored_flow
from pipeline.scene.region import scene_cameras
from pipeline.semantic_flow import pixels as module
from pipeline.semantic_flow.data import Pixels, draw, points_in, training_points
from pipeline.semantic_flow.labels import training_labels
from pipeline.semantic_flow.pixels import PixelSource, PointSource, Video, joined_frames
from pipeline.semantic_flow.training import active_points
from tests.models.semantic_flow.tiny_model import tiny_model
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import SyntheticScene, write_synthetic_scene

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> SyntheticScene:
    return write_synthetic_scene(tmp_path_factory.mktemp("pixels"))


def video_of(written: SyntheticScene, **settings: object) -> Video:
    """With flow that stays in the file."""
    scene, config = read_scene(written.scene, without=FLOW_FIELDS), small(**settings)
    return Video.of(scene, stored_flow(written.scene), training_labels(scene, None, config), config)


def test_flow_from_the_file_is_the_scene_s_own(written: SyntheticScene) -> None:
    scene, video = read_scene(written.scene), video_of(written, task="tracking", labelled_fraction=0.4)
    in_memory = Video.of(scene, SceneFlow.of(scene), video.labels, video.config)
    pixels, same = (one.pixels(list(range(scene.frame_count))) for one in (video, in_memory))
    for field in fields(Pixels):
        assert torch.equal(getattr(pixels, field.name), getattr(same, field.name)), field.name
    flow = pixels.flow.view(2, scene.frame_count, *scene.size, 2).numpy()
    np.testing.assert_array_equal(flow[0, :-1], scene.flow_forward)
    np.testing.assert_array_equal(flow[1, 1:], scene.flow_backward)
    assert not pixels.flow_valid.view(2, scene.frame_count, -1)[[0, 1], [-1, 0]].any()


def test_a_window_draws_what_the_whole_video_shows_in_its_frames(
    written: SyntheticScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = video_of(written, pixel_memory_mb=1, window_steps=10)
    scene = video.scene
    monkeypatch.setattr(module, "BYTES_PER_PIXEL", 1e6 / (3.2 * scene.images[0, ..., 0].size))
    source, frames = PixelSource(video, CPU), set()
    points = PointSource(training_points(scene, video.labels, np.ones(scene.object_count)))
    assert source.windows == 3
    for step in (0, 9, 10, 20):
        pixels = source(step)
        own = points(pixels)
        batch = draw(pixels, own, scene_cameras(scene), 60, 0.5, 20, torch.Generator().manual_seed(step))
        here = set(batch.rays.frames.tolist())
        assert here <= set(pixels.numbers.tolist()) and points(pixels) is own and len(own.frame) > 0
        frames |= here
        column, row = batch.xy.long().unbind(-1)
        seen = torch.from_numpy(scene.images)[batch.rays.frames, row, column] / 255
        assert len(batch.xy) == 80 and torch.equal(batch.colour, seen)
    assert frames == set(range(scene.frame_count)) and source(3) is source(7)


def test_parts_that_are_joined_are_the_whole(written: SyntheticScene) -> None:
    """As they are brought to a GPU with more memory than the host gives."""
    video = video_of(written, task="tracking", labelled_fraction=0.4)
    frames = [1, 2, 4, 5, 8]
    parts, whole = [video.pixels(part) for part in (frames[:2], frames[2:4], frames[4:])], video.pixels(frames)
    joined = joined_frames(parts)
    for field in fields(Pixels):
        assert torch.equal(getattr(joined, field.name), getattr(whole, field.name)), field.name


def test_what_moves_is_found_in_all_windows(written: SyntheticScene, monkeypatch: pytest.MonkeyPatch) -> None:
    video = video_of(written, pixel_memory_mb=1)
    monkeypatch.setattr(module, "BYTES_PER_PIXEL", 1e6 / (3.2 * video.scene.images[0, ..., 0].size))
    source, seen = PixelSource(video, CPU), []
    window = source.window
    monkeypatch.setattr(source, "window", lambda number: (seen.append(number), window(number))[1])
    model = tiny_model()
    model.bounds.cameras.__dict__.update(vars(scene_cameras(video.scene)))
    active_points(model, source, torch.Generator().manual_seed(0))
    assert seen == [0, 1, 2]


def test_points_of_absent_frames_are_not_drawn(written: SyntheticScene) -> None:
    video = video_of(written)
    points = training_points(video.scene, video.labels, np.ones(video.scene.object_count))
    assert set(points_in(points, video.pixels([3, 6])).frame.tolist()) == {3, 6}
