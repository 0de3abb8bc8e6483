"""Actions that are not fit to be filmed are told from those that are."""

from dataclasses import replace

import numpy as np

from models.simulation.ray_casting import Box, Ellipsoid
from pipeline.cameras import look_at, rigid
from pipeline.simulation.action import Action, collides, covers, free_cameras, poses_with_background, turns, world_parts
from pipeline.simulation.motion import DOWN, axis_rotations
from pipeline.simulation.world import ACTION_RADIUS, Thing, at

FRAMES = 5
ROOM = Thing("room", [Box((6.0, 2.0, 6.0), inside=True)], at(0.0, -2.0, 0.0)[None])
BALL = Thing("ball", [Ellipsoid((0.4, 0.4, 0.4))], at(0.0, 0.0, 0.0)[None])


def standing(*places: tuple[float, float, float]) -> Action:
    """Balls that stand at places before cameras that look along z."""
    poses = rigid(np.tile(np.eye(3), (FRAMES, len(places), 1, 1)), np.tile(np.array(places), (FRAMES, 1, 1)))
    camera = look_at(np.array([0.0, -0.8, -5.0]), np.array([0.0, -0.8, 0.0]), DOWN)
    cameras = np.tile(camera, (FRAMES, 1, 1))
    return Action([BALL] * len(places), poses, cameras, cameras)


def test_objects_collide_when_nearer_than_their_radii() -> None:
    assert not collides(standing((-0.5, -0.5, 0.0), (0.5, -0.5, 0.0)))
    assert collides(standing((-0.4, -0.5, 0.0), (0.4, -0.5, 0.0)))


def test_objects_stay_in_the_middle() -> None:
    assert collides(standing((ACTION_RADIUS - 0.3, -0.5, 0.0)))


def test_one_object_straight_before_another_covers_it() -> None:
    assert covers(standing((0.0, -0.8, -1.0), (0.0, -0.8, 1.0)))
    assert not covers(standing((-1.0, -0.8, -1.0), (1.0, -0.8, 1.0)))


def test_cameras_keep_away_from_walls_and_floor() -> None:
    free = standing((0.0, -0.5, 0.0))
    assert free_cameras(free, ROOM)
    for eye in ((0.0, -0.8, -5.9), (0.0, -0.1, -5.0), (0.0, -0.8, -2.5)):
        moved = free.train_cameras.copy()
        moved[2, :3, 3] = eye
        assert not free_cameras(replace(free, train_cameras=moved), ROOM)


def test_an_object_must_show_enough_of_its_sides() -> None:
    still = standing((0.0, -0.5, 0.0))
    assert not turns(still)
    for degrees, enough in ((60, False), (70, True)):
        rotation = axis_rotations(np.array([0.0, 1.0, 0.0]), np.radians(degrees) * np.linspace(0, 1, FRAMES))
        assert (
            turns(replace(still, world_from_object=rigid(rotation[:, None], still.world_from_object[..., :3, 3])))
            is enough
        )


def test_the_background_is_object_0_and_stands_still() -> None:
    parts = world_parts(ROOM, [BALL, BALL])
    assert [part.object_id for part in parts] == [0, 1, 2]
    poses = poses_with_background(standing((1.0, 0.0, 0.0)).world_from_object[0])
    assert poses.shape == (2, 4, 4) and poses[0].tolist() == np.eye(4).tolist() and poses[1, 0, 3] == 1.0
