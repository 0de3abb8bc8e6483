"""Light falls as it should on a floor under one lamp."""

from dataclasses import replace

import pytest
import torch

from models.simulation.procedural_texture import Atlas
from models.simulation.ray_casting import Ellipsoid, Hits, Part
from models.simulation.shading import Lighting, LitScene, Surfaces, View, openness, ray_footprint, shade, srgb

ONE = torch.zeros(1, 1, dtype=torch.int64)
ATLAS = Atlas(torch.ones(1, 3), ONE, ONE + 1, ONE + 1, torch.tensor(1.0))
LIGHT = Lighting(
    lamp=torch.tensor([0.0, -3.0, 0.0]),
    lamp_size=torch.tensor(0.0),
    lamp_colour=torch.ones(3),
    sky=torch.tensor([0.0, -1.0, 0.0]),
    sky_colour=torch.zeros(3),
    ambient_colour=torch.zeros(3),
)


def ball(x: float, y: float) -> Part:
    place = torch.eye(4)
    place[:2, 3] = torch.tensor([x, y])
    return Part(Ellipsoid((0.5, 0.5, 0.5)), 2, place)


def lit(parts: list[Part], light: Lighting = LIGHT, shadows: bool = True) -> torch.Tensor:
    """Light that leaves a white point of a floor below the lamp."""
    scene = LitScene(parts, ATLAS, light, shadows)
    surfaces = Surfaces(torch.zeros(1, 3), torch.tensor([[0.0, -1.0, 0.0]]), torch.ones(1, 3))
    poses = torch.stack([part.object_from_part for part in parts]) if parts else torch.zeros(0, 4, 4)
    return shade(scene, poses, torch.eye(4).expand(3, 4, 4), surfaces, light.lamp)[0]


def test_a_point_below_the_lamp_is_fully_lit_and_a_ball_between_casts_a_shadow() -> None:
    assert lit([]).tolist() == pytest.approx([1.0] * 3)
    assert lit([ball(0.0, -1.5)]).tolist() == [0.0] * 3
    assert lit([ball(2.0, -1.5)])[0] == pytest.approx(1.0)


def test_without_shadows_a_ball_between_changes_nothing() -> None:
    assert lit([ball(0.0, -1.5)], shadows=False).tolist() == [1.0] * 3


def test_a_lamp_aside_gives_less_by_the_cosine() -> None:
    aside = replace(LIGHT, lamp=torch.tensor([3.0, -3.0, 0.0]))
    assert lit([], aside)[0] == pytest.approx(0.5**0.5)


def test_a_ball_that_touches_takes_most_of_the_soft_light() -> None:
    surfaces = Surfaces(torch.zeros(1, 3), torch.tensor([[0.0, -1.0, 0.0]]), torch.ones(1, 3))
    parts = [ball(0.0, -0.5), ball(0.0, -1.0)]
    poses = torch.stack([part.object_from_part for part in parts])
    touching = openness(parts[:1], poses[:1], torch.eye(4)[None], surfaces)
    apart = openness(parts[1:], poses[1:], torch.eye(4)[None], surfaces)
    assert touching.item() == pytest.approx(0.2) and apart.item() == pytest.approx(1 - 0.8 * 0.25)


def test_a_sample_grows_with_depth_and_on_slanted_surfaces() -> None:
    hits = Hits(torch.tensor([2.0, 4.0, 2.0]), torch.zeros(3, dtype=torch.int64))
    normals = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, -1.0], [0.0, 0.75**0.5, -0.5]])
    size = ray_footprint(hits, torch.tensor([[0.0, 0.0, 1.0]]).expand(3, 3), normals, 100.0)
    assert size.tolist() == pytest.approx([0.012, 0.024, 0.012 * 2**0.5])


def test_srgb_has_its_known_values() -> None:
    values = srgb(torch.tensor([[0.0, 0.5, 1.0], [0.0031308, 2.0, -1.0]]))
    assert values.flatten().tolist() == pytest.approx([0.0, 0.7354, 1.0, 0.04045, 1.0, 0.0], abs=1e-4)


def test_rays_of_shifted_samples_lie_beside_the_pixel_s_centre() -> None:
    view = View(torch.eye(4), 10.0, 2, 2)
    shifted, centre = view.rays((0.25, -0.25))[1], view.rays()[1]
    assert (shifted - centre)[0].tolist() == pytest.approx([0.025, -0.025, 0.0])
    assert centre[0].tolist() == pytest.approx([-0.05, -0.05, 1.0])
