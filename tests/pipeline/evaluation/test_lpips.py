"""LPIPS with features that the test itself makes."""

from pathlib import Path

import pytest
import torch
from torchvision.models import alexnet

from pipeline.evaluation.lpips import ALEXNET_FILE, Lpips, load_lpips
from pipeline.runtime.errors import StageError


@pytest.fixture(scope="module")
def lpips(tmp_path_factory: pytest.TempPathFactory) -> Lpips:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    features = {f"features.{name}": value for name, value in alexnet(weights=None).features.state_dict().items()}
    torch.save(features, folder / ALEXNET_FILE)
    loaded = load_lpips(folder)
    assert loaded is not None
    return loaded


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return torch.rand((64, 72, 3), generator=generator), torch.rand((64, 72, 3), generator=generator)


def test_there_is_no_lpips_without_its_weights(tmp_path: Path) -> None:
    assert load_lpips(None) is None
    assert load_lpips(tmp_path) is None


def test_equal_images_have_no_distance_and_different_ones_have(lpips: Lpips) -> None:
    first, second = pair()
    assert lpips.distance(first, first) == pytest.approx(0, abs=1e-7)
    assert lpips.distance(first, second) > 0
    assert lpips.distance(first, second) == pytest.approx(lpips.distance(second, first), rel=1e-4)


def test_layers_are_averaged_before_they_are_summed_or_after_they_are_enlarged(lpips: Lpips) -> None:
    first, second = pair()
    assert lpips.layer_mean(first, second) == pytest.approx(lpips.distance(first, second), rel=0.05)
    assert lpips.layer_mean(first, second) != lpips.distance(first, second)
    assert lpips.averaging.net is lpips.network.net


def test_a_full_mask_changes_nothing_and_a_hidden_difference_does_not_count(lpips: Lpips) -> None:
    first, second = pair()
    full = torch.ones(first.shape[:2], dtype=torch.bool)
    assert lpips.masked_distance(first, second, full) == pytest.approx(lpips.distance(first, second), rel=1e-4)
    left = full.clone()
    left[:, 36:] = False
    half = torch.where(left[..., None], first, second)
    assert lpips.masked_distance(first, half, left) == pytest.approx(0, abs=1e-7)


def test_the_features_come_from_the_file(lpips: Lpips) -> None:
    torch.manual_seed(0)
    expected = alexnet(weights=None).features[0].weight
    assert torch.equal(lpips.network.net.state_dict()["slice1.0.weight"], expected)


def test_a_file_that_is_not_alexnet_is_named(tmp_path: Path) -> None:
    (tmp_path / ALEXNET_FILE).write_bytes(b"not a checkpoint")
    with pytest.raises(StageError, match="alexnet-owt"):
        load_lpips(tmp_path)
