"""Linear layers and encodings."""

import torch

from models.ops.networks import encoded, perceptron


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_networks_follow_from_their_seed_and_end_without_an_activation() -> None:
    one, other = perceptron([3, 5, 2], generator()), perceptron([3, 5, 2], generator())
    assert [type(layer).__name__ for layer in one] == ["Linear", "ReLU", "Linear"]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert one[2].bias.tolist() == [0.0, 0.0]


def test_encoding_by_hand() -> None:
    found = encoded(torch.tensor([[0.5, -1.0]]), 2)
    sin, cos = torch.sin, torch.cos
    phases = torch.tensor([0.5, 1.0, -1.0, -2.0])  # of each value all octaves, without pi
    torch.testing.assert_close(found[0], torch.cat([torch.tensor([0.5, -1.0]), sin(phases), cos(phases)]))
    sizes = [encoded(torch.zeros(1, channels), octaves).shape[1] for channels, octaves in ((3, 10), (4, 10), (3, 4))]
    assert sizes == [63, 84, 27]
