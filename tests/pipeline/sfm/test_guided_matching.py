"""Points are found again where a model has them, in the shape that it gives them, in more frames than before."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.cameras import Intrinsics, directions_at_unit_depth, inverse, pixel_centres, project, rigid, transform
from pipeline.correspondence.lucas_kanade import cut_patches
from pipeline.sfm.bundle_adjustment import rotation_exp
from pipeline.sfm.guided_matching import (
    ObjectImages,
    Templates,
    guided_adjustment,
    matched,
    predicted_patches,
    surface_normals,
)
from pipeline.sfm.rigid_model import Observations, RigidModel, equal_errors

SIZE, FRAMES = 96, 6
CAMERA = Intrinsics.centred(110.0, SIZE, SIZE)
NORMAL = np.array([0.0, 0.0, -1.0])


def wall_poses() -> np.ndarray:
    """camera_from_object of a textured wall z = 0 that turns before the camera."""
    steps = np.linspace(-0.4, 0.4, FRAMES)
    turn = rotation_exp(steps[:, None] * np.array([0.2, 1.0, 0.1]))
    return rigid(turn, np.stack([0.1 * steps, 0.2 * steps, 2.0 + 0.1 * steps], axis=1))


def wall_image(pose: np.ndarray) -> torch.Tensor:
    """What a camera sees of the wall's waves."""
    rays = directions_at_unit_depth(CAMERA, pixel_centres(SIZE, SIZE))
    back = inverse(pose)
    towards = rays @ back[:3, :3].T
    hit = back[:3, 3] - towards * (back[2, 3] / towards[..., 2])[..., None]
    u, v = 14 * hit[..., 0], 14 * hit[..., 1]
    waves = [120 + 60 * np.sin(u + k) * np.cos(0.8 * v - k) + 30 * np.sin(0.6 * u - 1.1 * v + k) for k in range(3)]
    return torch.from_numpy(np.stack(waves).astype(np.float32))


def wall_model() -> RigidModel:
    grid = np.stack(np.meshgrid(np.linspace(-0.4, 0.4, 7), np.linspace(-0.4, 0.4, 7)), axis=-1).reshape(-1, 2)
    points = np.concatenate([grid, np.zeros((len(grid), 1))], axis=1)
    return RigidModel(wall_poses(), points, CAMERA, "true")


def short_tracks(model: RigidModel, length: int = 3) -> Observations:
    """Exact observations of every point in a few frames from some frame on."""
    count = len(model.points)
    start = np.arange(count) % (FRAMES - length + 1)
    track, frame = np.repeat(np.arange(count), length), (start[:, None] + np.arange(length)).ravel()
    xy = project(CAMERA, transform(model.camera_from_object[frame], model.points[track]))
    return Observations(track, frame, xy, equal_errors(np.full(len(track), 0.2)), count, FRAMES)


def wall_images() -> ObjectImages:
    images = [wall_image(pose) for pose in wall_poses()]
    return ObjectImages(lambda frame: images[frame], lambda frame: torch.ones((SIZE, SIZE), dtype=torch.uint8), 1, 4)


def templates_of(seen: Observations) -> Templates:
    start = np.searchsorted(seen.track, np.arange(seen.track_count))
    return Templates(seen.frame[start], seen.xy[start])


def test_points_are_found_in_every_frame_to_a_tenth_of_a_pixel() -> None:
    model, images = wall_model(), wall_images()
    seen = short_tracks(model)
    templates = templates_of(seen)
    patches = [
        cut_patches(images.image(f), images.inner(f), torch.from_numpy(templates.xy).float(), 4) for f in range(FRAMES)
    ]
    own = type(patches[0]).all_of([patches[frame][torch.tensor([t])] for t, frame in enumerate(templates.frame)])
    found = matched(model, seen, templates, own, images)
    expected = project(CAMERA, transform(model.camera_from_object[found.frame], model.points[found.track]))
    assert np.median(found.lengths) == FRAMES
    assert np.percentile(np.linalg.norm(found.xy - expected, axis=1), 90) < 0.1


def test_the_shape_of_a_patch_is_the_slope_of_where_its_plane_goes() -> None:
    model = wall_model()
    templates = Templates(
        np.zeros(len(model.points), int), project(CAMERA, transform(model.camera_from_object[0], model.points))
    )
    place, shape, cosine = predicted_patches(model, np.tile(NORMAL, (len(model.points), 1)), templates, 5)
    first, last = model.camera_from_object[0], model.camera_from_object[5]
    for axis in range(2):
        back, step = inverse(first), 1e-4 * np.eye(2)[axis]
        towards = directions_at_unit_depth(CAMERA, templates.xy + step) @ back[:3, :3].T
        hit = back[:3, 3] - towards * (back[2, 3] / towards[:, 2])[:, None]
        slope = (project(CAMERA, transform(last, hit)) - place) / 1e-4
        np.testing.assert_allclose(shape[..., axis], slope, atol=1e-3)
    assert (cosine > 0.8).all()


def test_what_faces_away_is_not_looked_for() -> None:
    model = wall_model()
    templates = templates_of(short_tracks(model))
    turned = model.camera_from_object.copy()
    turned[5] = rigid(rotation_exp(np.array([0, np.pi, 0])), np.array([0, 0, 2.0]))
    normals = np.tile(NORMAL, (len(model.points), 1))
    cosine = predicted_patches(replace(model, camera_from_object=turned), normals, templates, 5)[2]
    assert (cosine == 0).all()


def test_normals_are_those_of_the_faces_of_a_box() -> None:
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9)), axis=-1).reshape(-1, 2)
    top, side = np.insert(grid, 2, 1.0, axis=1), np.insert(grid, 0, 1.0, axis=1)
    normals = surface_normals(np.concatenate([top, side]))
    inner = np.abs(grid).max(1) < 0.6
    assert np.abs(normals[:81][inner][:, 2]).min() > 0.99 and np.abs(normals[81:][inner][:, 0]).min() > 0.99


def test_a_model_without_points_stays_as_it_is() -> None:
    true, seen = wall_model(), short_tracks(wall_model())
    adjusted, kept = guided_adjustment(replace(true, points=np.full_like(true.points, np.nan)), seen, wall_images(), 2)
    assert adjusted.cost == np.inf and kept.track_count == seen.track_count
    np.testing.assert_array_equal(adjusted.model.camera_from_object, true.camera_from_object)


@pytest.mark.parametrize("degrees", [1.0])
def test_a_model_that_is_a_little_off_is_put_right(degrees: float) -> None:
    true, images = wall_model(), wall_images()
    bumps = np.random.default_rng(0).uniform(-0.001, 0.001, true.points.shape)
    random = np.random.default_rng(1)
    shake = rigid(rotation_exp(np.radians(degrees) * random.standard_normal((FRAMES, 3)) / 2), np.zeros((FRAMES, 3)))
    off = replace(true, camera_from_object=shake @ true.camera_from_object, points=true.points + bumps)
    adjusted, seen = guided_adjustment(off, short_tracks(true), images, 2)
    assert seen.lengths.mean() > 1.5 * 3
    assert adjusted.cost < 0.5
