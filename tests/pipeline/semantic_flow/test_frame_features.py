"""Which encoder reads the frames, and what it leaves."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import resnet18

from models.semantic_flow.efficientnet_lite import weight_shapes
from pipeline.runtime.errors import StageError
from pipeline.semantic_flow.frame_features import basis_of, chosen_encoder, frame_features
from pipeline.train_semantic_flow import train_semantic_flow
from tests.pipeline.small_semantic_flow import small
from tests.synthetic import write_synthetic_scene

FILE, LITE = "resnet18-f37072fd.pth", "efficientnet-lite0-57934424.pth"
IMAGES = np.random.default_rng(0).integers(0, 255, (5, 24, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ResNet that has never been trained."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    torch.save(resnet18(weights=None).state_dict(), folder / FILE)
    return folder


def test_auto_takes_a_resnet_where_its_weights_are_and_the_embedded_one_elsewhere(
    weights: Path, tmp_path: Path
) -> None:
    assert chosen_encoder("auto", weights).name == "resnet18"
    assert chosen_encoder("auto", weights).origin == FILE
    assert chosen_encoder("embedded", weights).name == "embedded"
    assert chosen_encoder("auto", tmp_path).name == chosen_encoder("auto", None).name == "embedded"


def test_efficientnet_lite_is_taken_by_name_or_where_no_resnet_is(weights: Path, tmp_path: Path) -> None:
    state = {name: torch.rand(shape) for name, shape in weight_shapes().items()}
    torch.save({**state, "_fc.weight": torch.zeros(1)}, tmp_path / LITE)
    encoder = chosen_encoder("auto", tmp_path)
    assert (encoder.name, encoder.origin) == ("efficientnet_lite0", LITE)
    assert encoder.encode(torch.from_numpy(IMAGES[0])).shape == (176, 6, 10)
    torch.save(state | {"_conv_stem.weight": torch.zeros(32, 3, 5, 5)}, tmp_path / LITE)
    with pytest.raises(StageError, match=r"_conv_stem\.weight has another shape"):
        chosen_encoder("efficientnet_lite0", tmp_path)
    torch.save({}, tmp_path / LITE)
    with pytest.raises(StageError, match="does not hold the weights of efficientnet_lite0"):
        chosen_encoder("efficientnet_lite0", tmp_path)


def test_an_encoder_that_is_not_there_or_torn_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="encoder is resnet50, but its weights do not lie in"):
        chosen_encoder("resnet50", weights)
    (tmp_path / FILE).write_bytes(b"torn")
    with pytest.raises(StageError, match="does not hold the weights of resnet18"):
        chosen_encoder("auto", tmp_path)


@pytest.mark.parametrize(("name", "size"), [("resnet18", (6, 10)), ("embedded", (12, 20))])
def test_frames_are_encoded_in_half_precision_and_in_the_given_basis(
    weights: Path, name: str, size: tuple[int, int]
) -> None:
    encoder = chosen_encoder(name, weights)  # type: ignore[arg-type]
    basis = basis_of([IMAGES], encoder, 7)
    features = frame_features(IMAGES, encoder, basis)
    assert features.maps.features.shape == (5, *size, 7)
    assert features.maps.features.dtype == torch.float16
    assert features.maps.depth.shape == (5, 6, 10) and bool(features.maps.depth.isinf().all())
    again = frame_features(IMAGES[2:], encoder, basis)
    torch.testing.assert_close(again.maps.features, features.maps.features[2:], rtol=0, atol=0)


def test_a_model_is_trained_on_the_features_of_a_resnet(weights: Path, tmp_path: Path) -> None:
    scene = write_synthetic_scene(tmp_path / "scene").scene
    config = small(static_steps=2, steps=3, rays=64)
    train_semantic_flow(scene, None, None, weights, None, tmp_path / "checkpoint.pt", tmp_path / "history.csv", config)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["features"]["encoder"] == "resnet18"
    assert state["features"]["basis"]["directions"].shape == (512, 8)
    assert state["model"]["weights"]["frame_features"].shape[1:] == (12, 16, 8)
