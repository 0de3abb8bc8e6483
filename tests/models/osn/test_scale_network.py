"""The scale network learns regions."""

import pytest
import torch

from models.osn.scale_network import NetworkTraining, ScaleNetwork, train_network, valid_targets

RANGE = torch.tensor([[1.0, 1.0], [0.5, 2.5], [1.0, 3.0]])


def network() -> ScaleNetwork:
    return ScaleNetwork(RANGE, torch.Generator().manual_seed(0))


def test_scales_and_their_normalised_form_are_inverse():
    normalised = torch.tensor([[0.0, 0.25], [1.0, 0.5]])
    scales = network().scales(normalised)
    assert scales.tolist() == [[1.0, 0.5, 1.5], [1.0, 2.5, 2.0]]
    assert torch.allclose(network().normalised(scales), normalised)


def test_targets_are_relative_to_the_best_and_keep_the_top():
    accuracy = torch.tensor([0.90, 0.97, 0.96, 0.5])
    assert valid_targets(accuracy, tolerance=0.02, top_share=0.1).tolist() == [False, True, True, False]
    assert valid_targets(accuracy, tolerance=1e-6, top_share=0.75).tolist() == [True, True, True, False]


def test_network_learns_a_region_with_either_loss():
    generator = torch.Generator().manual_seed(2)
    bank = torch.rand(4000, 2, generator=generator)
    inside = (bank[:, 0] < 0.6) & (bank[:, 1] < 0.4 + 0.3 * bank[:, 0])
    accuracy = 0.9 + 0.1 * inside.float()
    for loss in ("cross_entropy", "squared"):
        learner = network()
        optimiser = torch.optim.Adam(learner.parameters(), lr=3e-3)
        train_network(learner, optimiser, bank, accuracy, NetworkTraining(300, 512, loss, 0.05, 0.01), generator)
        predicted = learner(bank) > 0.5
        overlap = (predicted & inside).sum() / (predicted | inside).sum()
        assert overlap > 0.93, loss


@pytest.mark.parametrize(("loss", "by_hand"), [("squared", (1 - 0.7310586) ** 2), ("cross_entropy", 0.3132617)])
def test_losses_of_a_network_that_knows_nothing_have_their_values_by_hand(loss, by_hand):
    """Its logit is the shift, 1, everywhere, its score sigmoid(1) = 0.731; all targets are 1."""
    ignorant = network()
    for parameter in ignorant.parameters():
        parameter.data.zero_()
    optimiser, bank = torch.optim.SGD(ignorant.parameters(), lr=0.0), torch.rand(40, 2)
    training = NetworkTraining(1, 16, loss, 0.5, 0.1)
    found = train_network(ignorant, optimiser, bank, torch.ones(40), training, torch.Generator().manual_seed(0))
    assert found == pytest.approx(by_hand, abs=1e-5)
