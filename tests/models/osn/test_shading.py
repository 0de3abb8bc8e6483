"""Colour by direction: what lies beyond everything, and what direction adds to objects."""

import torch

from models.osn.shading import CONTEXT, FarColour, Shader


def test_a_fresh_shader_adds_nothing_and_a_trained_one_depends_on_the_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    shader, features = Shader(4, 8, generator), torch.randn(5, 4, generator=generator)
    context = torch.randn(5, CONTEXT, generator=generator)
    assert bool((shader(features, context) == 0).all())
    shader.second.data.normal_(generator=generator)
    assert bool((shader(features, context) != shader(features, -context)).all())


def test_far_colours_are_looked_up_by_latitude_and_longitude() -> None:
    sky = FarColour(torch.device("cpu"))
    rows, columns = sky.SIZE
    table = torch.full((rows, columns, 3), -9.0)
    table[rows // 2 :] = 9.0  # where y points: downwards
    sky.table.data.copy_(table.flatten(0, 1))
    down, up = sky(torch.tensor([[0.3, 5.0, 0.2], [0.3, -5.0, 0.2]]))
    assert bool((down > 0.99).all()) and bool((up < 0.01).all())


def test_far_colours_depend_on_the_direction_not_on_its_length() -> None:
    sky = FarColour(torch.device("cpu"))
    sky.table.data.normal_(generator=torch.Generator().manual_seed(0))
    direction = torch.tensor([[0.2, -0.4, 1.0]])
    torch.testing.assert_close(sky(direction), sky(7 * direction))
