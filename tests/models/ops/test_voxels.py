"""Reads of voxels at several strides."""

import torch

from models.ops.voxels import padded_for, read_in_tensors, read_voxels


def test_loops_have_the_values_and_gradients_of_the_tensor_code() -> None:
    generator = torch.Generator().manual_seed(0)
    volume = torch.randn(9, 5, 13, 3, generator=generator).requires_grad_()
    points = (2.2 * torch.rand(90, 3, generator=generator) - 1.1).requires_grad_()
    counted = torch.randn(90, 9, generator=generator)
    found = []
    for read in (read_voxels, read_in_tensors):
        values = read(volume, points, (1, 2, 4))
        found.append([values, *torch.autograd.grad((values * counted).sum(), [volume, points])])
    for mine, reference in zip(*found, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-3, atol=1e-4)


def test_each_stride_reads_a_coarser_grid_of_the_same_box() -> None:
    along = torch.arange(5.0)  # nodes at -1, -.5, 0, .5, 1
    volume = (along**2)[:, None, None, None].expand(5, 5, 5, 1).contiguous()
    read = read_voxels(volume, torch.tensor([[-0.5, 0.0, 0.0]]), (1, 2, 4))
    # 1 at the second node; halfway between 0 and 4 of every second; a quarter from 0 to 16 of every fourth
    torch.testing.assert_close(read, torch.tensor([[1.0, 2.0, 4.0]]))


def test_a_place_that_is_no_number_has_no_value() -> None:
    points = torch.tensor([[0.0, float("nan"), 0.0], [0.0, 0.0, 0.0]])
    read = read_voxels(torch.ones(5, 5, 5, 2), points)
    assert bool(read[0].isnan().all()) and read[1].tolist() == [1.0, 1.0]


def test_a_volume_goes_on_with_zeros_until_the_stride_divides_its_cells() -> None:
    padded = padded_for(torch.ones(8, 5, 9, 1), 4)
    assert padded.shape == (9, 5, 9, 1)
    assert padded[8].sum() == 0 and padded[:8].sum() == 8 * 5 * 9
