"""Pictures made of pictures."""

import numpy as np
import pytest

from pipeline.reporting.embedding import image_uri
from pipeline.reporting.figures import plot_from_object, validity_figure
from pipeline.reporting.pictures import (
    ERROR_RANGE,
    border,
    error_colours,
    fitted,
    flow_colours,
    hex_colour,
    object_colour,
    overlay,
    sheet,
    side_by_side,
)
from tests.analytic_world import world_from_camera

GREY = np.full((12, 16, 3), 100, np.uint8)


def test_objects_are_tinted_in_their_own_colour_and_the_background_is_not() -> None:
    ids = np.zeros((12, 16), np.uint8)
    ids[3:9, 3:9] = 1
    picture = overlay(GREY, ids).astype(int)
    assert np.ptp(picture[0, 0]) == 0
    expected = 0.5 * object_colour(1) + 50
    assert picture[6, 6] == pytest.approx(expected, abs=1)
    assert picture[3, 3].tolist() == object_colour(1).tolist()


def test_borders_lie_between_ids() -> None:
    ids = np.zeros((5, 6), np.uint8)
    ids[:, 3:] = 2
    assert np.flatnonzero(border(ids).all(0)).tolist() == [2, 3]


def test_neighbouring_objects_have_different_colours_and_the_background_none_of_them() -> None:
    colours = [hex_colour(identity) for identity in range(9)]
    assert len(set(colours)) == 9 and all(len(colour) == 7 for colour in colours)


def test_no_flow_is_white_and_opposite_flows_have_opposite_hues() -> None:
    flow = np.array([[[0.0, 0.0], [5.0, 0.0], [-5.0, 0.0]]])
    still, right, left = flow_colours(flow, 5.0)[0]
    assert still.tolist() == [255, 255, 255]
    assert right.tolist() == [255, 0, 0] and left == pytest.approx([0, 255, 255], abs=1)
    valid = np.array([[True, False, True]])
    assert flow_colours(flow, 5.0, valid)[0, 1].max() < 255


def test_the_error_picture_is_black_where_images_agree_and_brightens_with_the_error() -> None:
    brightness = [
        error_colours(GREY, (GREY + step).astype(np.uint8)).astype(int).sum(-1).mean() for step in (0, 15, 40, 100)
    ]
    assert brightness[0] < 10 and brightness == sorted(brightness) and brightness[3] > brightness[1]
    assert 255 * ERROR_RANGE < 100


def test_pictures_stand_in_rows() -> None:
    assert side_by_side(GREY, GREY).shape == (12, 36, 3)
    assert sheet([GREY] * 5, 2).shape == (3 * 12 + 2 * 4, 36, 3)
    assert fitted(GREY, 8).shape == (6, 8, 3)
    assert fitted(GREY, 800).shape == (24, 32, 3)


def test_an_image_becomes_a_data_address() -> None:
    assert image_uri(GREY).startswith("data:image/jpeg;base64,")


def test_two_figures_share_no_ids() -> None:
    entry = {
        "objects": [1, 2],
        "axes": [[0.5, 1.0, 1.5]] * 2,
        "best": [1.0, 1.0],
        "score": [[0.9, 0.8, 0.1]] * 3,
        "true": None,
        "true_scales": None,
    }
    names = {1: "a", 2: "b"}
    figure = validity_figure([entry], [], names)
    assert figure == validity_figure([entry], [], names)
    assert figure.startswith("<svg") and "true region" not in figure


def test_points_are_seen_from_behind_the_camera_with_z_up() -> None:
    poses = np.stack([world_from_camera(frame) for frame in range(8)])
    view = plot_from_object(poses)
    assert np.allclose(view @ view.T, np.eye(3)) and np.linalg.det(view) == pytest.approx(1)
    mean_forward, mean_down = poses[:, :3, 2].mean(0), poses[:, :3, 1].mean(0)
    assert (view @ mean_forward)[1] > 0.9 and (view @ mean_down)[2] < -0.9
