"""Objects rendered alone: depth and opacity of every one, whatever hides it."""

import torch

from models.osn.object_scene import FieldShape, ObjectScene, SceneGeometry
from models.osn.solo_views import solo_views
from models.osn.training_pixels import PixelBatch

SHAPE = FieldShape(density_channels=1, colour_channels=1, features=1, shader_width=2, density_shift=-40.0, shell=0.0)


def scene() -> ObjectScene:
    """A room from -8 to 8, empty, and a solid box from 3 to 5 before the camera."""
    poses = torch.eye(4).repeat(2, 1, 1, 1)
    poses[1, 0, 2, 3] = -4.0
    geometry = SceneGeometry(
        poses, torch.tensor([[True], [True]]), torch.tensor([[8.0] * 3, [1.0] * 3]), near=0.5, far=30.0
    )
    made = ObjectScene(geometry, SHAPE, [(6, 6, 6), (9, 9, 9)], torch.Generator().manual_seed(0))
    made.fields[1].density_shift = 9.0
    return made


def pixels(*across: float) -> PixelBatch:
    count = len(across)
    directions = torch.tensor([[x, 0.0, 1.0] for x in across])
    zeros, ids = torch.zeros(count), torch.tensor([1, 0])[:count]
    certain = torch.ones(count, dtype=torch.bool)
    return PixelBatch(
        torch.zeros(count, dtype=torch.int64), directions, torch.zeros(count, 3), ids, certain, zeros, zeros, zeros
    )


def test_depth_is_where_the_box_begins_and_the_empty_background_is_as_far_as_the_scene() -> None:
    views = solo_views(scene(), pixels(0.0, 0.9), map)
    assert views.opacity[:, 1].tolist() == [1.0, 0.0]
    torch.testing.assert_close(views.depth[0, 1], torch.tensor(3.0), atol=0.15, rtol=0)
    torch.testing.assert_close(views.depth[:, 0], torch.tensor([30.0, 30.0]), atol=0.1, rtol=0)
    assert views.objects.tolist() == [1, 0]


def test_an_object_whose_pose_is_unknown_is_transparent() -> None:
    blind = scene()
    blind.visible[1] = False
    assert solo_views(blind, pixels(0.0), map).opacity[0, 1] == 0
