import numpy as np
import pytest
import torch

from models.simulation.procedural_texture import PATTERNS, Atlas, Paint, look_up, paint_atlas, random_lattice
from models.simulation.ray_casting import Box, Ellipsoid

LATTICE = random_lattice(torch.Generator().manual_seed(0))
PALETTE = torch.tensor([[0.1, 0.2, 0.3], [0.5, 0.4, 0.3], [0.8, 0.7, 0.9]])


def painted(pattern: str, contrast: float = 0.5) -> Atlas:
    paint = Paint(pattern, PALETTE, 0.3, 0.05, contrast, LATTICE)
    return paint_atlas([Box((1.0, 0.8, 0.6)), Ellipsoid((0.5, 0.5, 0.5))], [[paint], [paint]], 0.02)


def cube_points(count: int) -> torch.Tensor:
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return points / points.abs().amax(-1, keepdim=True)


@pytest.mark.parametrize("pattern", [name for name in PATTERNS if name != "plain"])
def test_patterns_vary_finely_and_stay_in_range(pattern):
    atlas = painted(pattern)
    assert atlas.texels.min() > 0 and atlas.texels.max() < 1
    here = cube_points(2000)
    near = (here + 0.08).clamp(-1, 1)
    difference = look_up(atlas, 0, here, torch.full((2000,), 0.01)) - look_up(atlas, 0, near, torch.full((2000,), 0.01))
    assert difference.abs().mean() > 0.02


def test_large_footprint_sees_the_mean_colour():
    atlas = painted("cells")
    points = cube_points(4000)
    fine = look_up(atlas, 1, points, torch.full((4000,), 0.01))
    coarse = look_up(atlas, 1, points, torch.full((4000,), 1.0))
    assert coarse.std(0).mean() < 0.6 * fine.std(0).mean()
    np.testing.assert_allclose(coarse.mean(0), fine.mean(0), atol=0.03)


def test_texel_centre_returns_the_texel():
    atlas = painted("bricks")
    start, height, width = (int(table[4, 0]) for table in (atlas.starts, atlas.heights, atlas.widths))
    row, column = 7, 11
    u, v = (column + 0.5) / width * 2 - 1, (row + 0.5) / height * 2 - 1
    colour = look_up(atlas, 0, torch.tensor([[u, v, 1.0]]), torch.tensor([0.001]))
    np.testing.assert_allclose(colour[0], atlas.texels[start + row * width + column], atol=1e-5)


def test_plain_paint_without_contrast_is_one_colour():
    assert painted("plain", contrast=0.0).texels.std(0).max() < 1e-6
