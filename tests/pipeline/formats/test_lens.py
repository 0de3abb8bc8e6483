"""Lenses become pinholes: straight lines come out straight, and nothing is shown that the lens did not see."""

import numpy as np
import pytest

from pipeline.cameras import Intrinsics, directions_at_unit_depth, pixel_centres, project
from pipeline.formats.lens import Lens, make_lens, undistortion
from pipeline.runtime.errors import StageError

SIZE = (160, 120)
CENTRE = [80.0, 60.0]
LENSES = {
    "SIMPLE_RADIAL": [140.0, *CENTRE, -0.15],
    "RADIAL": [140.0, *CENTRE, -0.2, 0.04],
    "OPENCV": [140.0, 142.0, 82.0, 58.0, -0.2, 0.05, 0.002, -0.001],
    "FULL_OPENCV": [140.0, 140.0, *CENTRE, 0.1, 0.02, 0.0, 0.0, 0.01, 0.2, 0.0, 0.0],
    "OPENCV_FISHEYE": [90.0, 90.0, *CENTRE, 0.01, 0.0, 0.0, 0.0],
    "pincushion": [140.0, *CENTRE, 0.2],
}


def lens(name: str) -> Lens:
    return make_lens("SIMPLE_RADIAL" if name == "pincushion" else name, LENSES[name], *SIZE, "here")


@pytest.mark.parametrize("name", LENSES)
def test_a_point_of_the_world_lands_where_the_pinhole_says(name: str) -> None:
    """The pinhole's pixel of a direction holds what the lens saw in that direction."""
    found = undistortion(lens(name))
    directions = np.random.default_rng(0).uniform([-0.3, -0.2, 1], [0.3, 0.2, 1], (200, 3))
    pinhole = project(found.camera, directions)
    inside = (pinhole > 1).all(1) & (pinhole < np.array(SIZE) - 1).all(1)
    column, row = np.floor(pinhole[inside]).astype(int).T
    truth = lens(name).project(directions[inside])
    assert inside.sum() > 50 and np.abs(found.source_xy[row, column] - truth).max() < 1.5
    centres = directions_at_unit_depth(found.camera, pixel_centres(SIZE[1], SIZE[0]))
    np.testing.assert_allclose(found.source_xy, lens(name).project(centres))


@pytest.mark.parametrize("name", LENSES)
def test_the_view_is_as_wide_as_it_can_be_without_blank_pixels(name: str) -> None:
    xy = undistortion(lens(name)).source_xy
    assert xy.min() >= 0 and xy[..., 0].max() <= SIZE[0] and xy[..., 1].max() <= SIZE[1]
    to_border = [xy[..., 0].min(), xy[..., 1].min(), SIZE[0] - xy[..., 0].max(), SIZE[1] - xy[..., 1].max()]
    assert min(to_border) < 1.0


def test_an_image_of_a_lens_is_straightened() -> None:
    """The picture shows the direction itself; what the pinhole shows is its own directions."""
    bent = lens("RADIAL")
    found = undistortion(bent)
    source = undistorted_directions(bent)
    straight = found.apply(source)
    np.testing.assert_allclose(
        straight[5:-5, 5:-5], directions_at_unit_depth(found.camera, pixel_centres(120, 160))[5:-5, 5:-5, :2], atol=2e-3
    )


def undistorted_directions(bent: Lens) -> np.ndarray:
    """The direction that each pixel of a lens shows, by pycolmap's own inverse."""
    xy = pixel_centres(bent.height, bent.width).reshape(-1, 2)
    return np.array(bent.colmap.cam_from_img(xy)).reshape(bent.height, bent.width, -1)[..., :2].astype(np.float32)


def test_ids_stay_ids() -> None:
    ids = np.random.default_rng(0).choice([0, 3, 200], (120, 160)).astype(np.uint8)
    assert set(np.unique(undistortion(lens("OPENCV")).apply(ids, exact=True))) == {0, 3, 200}


def test_a_pinhole_is_left_as_it_is_and_small_terms_count_as_none() -> None:
    camera = Intrinsics(140.0, 141.0, 79.0, 61.0, 160, 120)
    assert Lens.pinhole(camera).camera == camera and not Lens.pinhole(camera).distorted
    assert not make_lens("SIMPLE_RADIAL", [140.0, *CENTRE, 1e-4], *SIZE, "here").distorted
    assert all(lens(name).distorted for name in LENSES)
    assert lens("OPENCV_FISHEYE").displacement_px > 5


def test_resizing_keeps_the_view() -> None:
    large = lens("OPENCV").resized(240, 320)
    directions = np.random.default_rng(1).uniform([-0.3, -0.2, 1], [0.3, 0.2, 1], (20, 3))
    np.testing.assert_allclose(large.project(directions), 2 * lens("OPENCV").project(directions))


def test_values_make_the_same_lens() -> None:
    assert Lens.of_values(lens("OPENCV").values) == lens("OPENCV")


@pytest.mark.parametrize(
    ("model", "params", "words"),
    [
        ("EQUIRECTANGULAR", [160.0, 120.0], "perspective views first"),
        ("MY_LENS", [1.0], "not known; known are SIMPLE_PINHOLE"),
        ("OPENCV", [140.0], "needs the parameters fx, fy, cx, cy, k1"),
    ],
)
def test_what_has_no_pinhole_view_is_refused(model: str, params: list[float], words: str) -> None:
    with pytest.raises(StageError, match=words):
        make_lens(model, params, *SIZE, "poses.json")


@pytest.mark.parametrize("name", ["SIMPLE_RADIAL", "pincushion", "OPENCV_FISHEYE"])
def test_image_points_go_to_the_pinhole_and_back(name: str) -> None:
    view = undistortion(lens(name))
    np.testing.assert_allclose(view.points(view.source_xy), pixel_centres(120, 160), atol=1e-6)


def test_flow_through_a_lens_becomes_that_of_the_pinhole() -> None:
    """A camera that turns about its axis moves every direction by a known rotation, whatever the lens."""
    bent = lens("SIMPLE_RADIAL")
    view = undistortion(bent)
    turn = np.array([[np.cos(0.03), -np.sin(0.03), 0], [np.sin(0.03), np.cos(0.03), 0], [0, 0, 1.0]])

    def turned(rays: np.ndarray) -> np.ndarray:
        return np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=-1) @ turn.T

    seen = bent.project(turned(undistorted_directions(bent))) - pixel_centres(120, 160)
    valid = np.ones((120, 160), bool)
    valid[:, :30] = False
    flow, known = view.flow(seen.astype(np.float32), valid)
    straight = directions_at_unit_depth(view.camera, pixel_centres(120, 160))
    expected = project(view.camera, straight @ turn.T) - pixel_centres(120, 160)
    # The nearest pixel's own flow is taken: at most 0.7 px away, where flow differs by 0.03 a pixel.
    assert np.abs(flow - expected).max() < 0.03
    np.testing.assert_array_equal(known, view.apply(valid.astype(np.uint8), exact=True) > 0)


def test_flow_to_where_the_lens_has_no_direction_is_not_valid() -> None:
    view = undistortion(lens("SIMPLE_RADIAL"))
    flow, known = view.flow(np.full((120, 160, 2), 500, np.float32), np.ones((120, 160), bool))
    assert not known.any() and (flow == 0).all()
