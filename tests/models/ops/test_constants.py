"""Constants of a device."""

import torch

from models.ops.constants import constant


def test_a_constant_is_made_once_for_each_device_and_type() -> None:
    like = torch.zeros(2)
    assert constant((3, 4), like) is constant((3, 4), torch.ones(5)) and constant((3, 4), like).tolist() == [3.0, 4.0]
    assert constant((3, 4), like.long()).dtype == torch.int64 and constant((4, 3), like).tolist() == [4.0, 3.0]
