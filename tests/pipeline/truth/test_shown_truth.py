"""Truth in the picture of frames is what the truth of a camera would be that takes such pictures."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import RecordingConfig
from pipeline.formats.lens import Lens, Undistortion, undistortion
from pipeline.formats.source_view import Crop, SourceShape, SourceView
from pipeline.rendering.view_plans import held_out_camera
from pipeline.simulate_scene import film
from pipeline.truth.correspondences import image_directions
from pipeline.truth.shown_truth import shown_truth
from pipeline.truth.truth_file import Truth
from tests.synthetic import FOCAL, HEIGHT, WIDTH, synthetic_truth, synthetic_world

SIZE = (HEIGHT, WIDTH)
CENTRE = (WIDTH / 2, HEIGHT / 2)
LENS = Lens("OPENCV_FISHEYE", (FOCAL * WIDTH, FOCAL * WIDTH, *CENTRE, 0.0, 0.0, 0.0, 0.0), WIDTH, HEIGHT)
RADIAL = Lens("SIMPLE_RADIAL", (FOCAL * WIDTH, *CENTRE, -0.15), WIDTH, HEIGHT)
WHOLE = SourceShape(SIZE, SIZE)


def filmed(recording: RecordingConfig, focal_px: float) -> Truth:
    """One frame of the synthetic world."""
    world, rows = replace(synthetic_world(), recording=recording, focal_px=focal_px), np.array([1])
    train, solo = film(world, world.action.train_cameras, SIZE, "filming", rows, own=True)
    return Truth(train, train, solo, focal_px)


@pytest.fixture(scope="module")
def bent() -> Truth:
    found = filmed(RecordingConfig(lens="fisheye"), FOCAL * WIDTH)
    return replace(found, train=replace(found.train, lens=LENS))


def undone(lens: Lens = LENS) -> SourceView:
    return SourceView(WHOLE, undistortion(lens))


def test_undistorted_truth_is_the_truth_of_the_pinhole(bent: Truth) -> None:
    shown = shown_truth(bent, undone())
    camera = shown.camera(shown.train, 0)
    straight = filmed(RecordingConfig(), camera.fx)
    assert shown.train.lens is None and camera.values == pytest.approx(undistortion(LENS).camera.values)
    same = shown.train.object_ids == straight.train.object_ids
    assert same.mean() > 0.98
    right, wrong = (np.abs(truth.train.depth / straight.train.depth - 1)[same].mean() for truth in (shown, bent))
    assert right < 0.7 * wrong and right < 0.008  # the nearest pixel of these small images is up to half a pixel off
    for k in range(shown.object_count):
        np.testing.assert_array_equal(shown.solo_depth[k][same & (straight.train.object_ids == k)] > 0, True)


def test_a_held_out_camera_is_as_long_as_the_estimate_is_right(bent: Truth) -> None:
    """Undoing a lens changes the focal length of the scene's images; that of a pinhole held out does not follow."""
    taken = replace(bent, train=replace(bent.train, lens=RADIAL), test=synthetic_truth().test)
    scene = undistortion(RADIAL).camera
    held_out = held_out_camera(scene, shown_truth(taken, undone(RADIAL)), 0)
    assert scene.fx < 0.99 * FOCAL * WIDTH
    assert held_out.fx == pytest.approx(FOCAL * WIDTH) and (held_out.width, held_out.height) == (WIDTH, HEIGHT)
    # A lens whose focal length was taken for a tenth too long: what is held out gets that error too.
    longer = Lens("SIMPLE_RADIAL", (1.1 * RADIAL.params[0], *CENTRE, 1.21 * RADIAL.params[3]), WIDTH, HEIGHT)
    found = held_out_camera(undistortion(longer).camera, shown_truth(taken, undone(longer)), 0)
    assert found.fx == pytest.approx(1.1 * FOCAL * WIDTH)


def test_a_lens_told_for_smaller_frames_is_undone_at_the_scale_of_truth(bent: Truth) -> None:
    half = LENS.resized(HEIGHT // 2, WIDTH // 2)
    shape = SourceShape((HEIGHT // 2, WIDTH // 2), (HEIGHT // 2, WIDTH // 2))
    small = shown_truth(bent, SourceView(shape, undistortion(half)))
    whole = shown_truth(bent, undone())
    assert small.size == whole.size
    assert (small.train.object_ids == whole.train.object_ids).mean() > 0.999


def test_cropped_truth_looks_in_the_same_directions(bent: Truth) -> None:
    crop = Crop(4, 6, HEIGHT - 10, WIDTH - 8)
    for truth in (bent, synthetic_truth()):
        shown = shown_truth(truth, SourceView(SourceShape(SIZE, SIZE, crop)))
        expected = image_directions(truth, truth.train, 0)[4 : HEIGHT - 6, 6 : WIDTH - 2]
        np.testing.assert_allclose(image_directions(shown, shown.train, 0), expected, atol=1e-6)
        np.testing.assert_array_equal(shown.train.depth, truth.train.depth[:, 4 : HEIGHT - 6, 6 : WIDTH - 2])


def test_what_is_not_known_stays_unknown(bent: Truth) -> None:
    lacking = replace(bent.train, unknown=frozenset({"depth", "images"}))
    shown = shown_truth(replace(bent, train=lacking, knows_solo_depth=False), undone())
    assert shown.train.unknown == {"depth", "images"} and not shown.knows_solo_depth
    assert shown.train.images.shape == (1, HEIGHT, WIDTH, 3) and shown.solo_depth.shape == bent.solo_depth.shape
    assert shown_truth(bent, None) is bent


def test_the_undistortion_of_a_pinhole_shows_the_same() -> None:
    view: Undistortion = undistortion(Lens.pinhole(synthetic_truth().camera(synthetic_truth().train, 0)))
    shown = shown_truth(synthetic_truth(), SourceView(WHOLE, view))
    np.testing.assert_array_equal(shown.train.object_ids, synthetic_truth().train.object_ids)
