"""Corrections of poses: rotations are rotations, and what all frames share is left out."""

import pytest
import torch

from models.osn.pose_refinement import corrected, prior_gradient, rotations, without_common_motion


@pytest.mark.parametrize("size", [0.0, 1e-4, 0.3, 2.0])
def test_rotation_is_the_exponential_of_its_vector(size):
    vector = size * torch.nn.functional.normalize(torch.tensor([[1.0, -2.0, 0.5]]), dim=1)
    x, y, z = vector[0].tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    assert torch.allclose(rotations(vector)[0], torch.linalg.matrix_exp(cross), atol=1e-5)


def test_gradient_at_no_rotation_is_finite():
    vector = torch.zeros(1, 3, requires_grad=True)
    rotations(vector)[0, 0, 1].backward()
    assert torch.allclose(vector.grad, torch.tensor([[0.0, 0.0, -1.0]]), atol=1e-5)


def test_correction_turns_about_the_middle_of_the_box_then_shifts_in_the_objects_units():
    pose = torch.eye(4).expand(1, 1, 4, 4).clone()
    pose[..., :3, 3] = torch.tensor([1.0, 0.0, 0.0])
    quarter = torch.tensor([[[0.0, 0.0, torch.pi / 2, 0.5, 0.0, 0.0]]])
    moved = corrected(pose, quarter, torch.tensor([4.0]))[0, 0]
    assert torch.allclose(moved[:3, 3], torch.tensor([2.0, 1.0, 0.0]), atol=1e-5)
    assert torch.allclose(moved[:3, 0], torch.tensor([0.0, 1.0, 0.0]), atol=1e-5)
    assert torch.equal(moved[3], torch.tensor([0.0, 0.0, 0.0, 1.0]))


def test_common_motion_is_taken_out_over_the_frames_that_are_known():
    corrections = torch.tensor([[[1.0] * 6, [3.0] * 6, [50.0] * 6]])
    held = without_common_motion(corrections, torch.tensor([[True, True, False]]))
    assert held[0, :, 0].tolist() == [-1.0, 1.0, 0.0]


def test_prior_pulls_corrections_back():
    corrections = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(0))
    assert ((prior_gradient(corrections) * corrections) > 0).all()
