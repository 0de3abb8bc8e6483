"""Flow of images whose motion is known."""

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch
from torchvision.models.optical_flow import raft_large, raft_small

from models.raft import CheckpointError, load_raft, padding, predict_flow, torchvision_name
from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.flow_warping import consistent_pixels
from pipeline.estimate_flow import estimate_flow, read_network, tell_consistency, tell_unused
from pipeline.formats.flow_file import read_flow_attributes, read_flow_pairs
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.runtime.errors import StageError


def shifted_frames(folder: Path, shifts: list[tuple[int, int]], size: tuple[int, int] = (64, 96)) -> Path:
    """Windows of one large random texture, moved by whole pixels."""
    noise = np.random.default_rng(0).integers(0, 255, (160, 200, 3)).astype(np.uint8)
    texture = cv2.GaussianBlur(noise, (0, 0), 1.5)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    for index, (x, y) in enumerate(shifts):
        write_image(folder / frame_name(index), texture[40 + y : 40 + y + size[0], 40 + x : 40 + x + size[1]])
    return folder


def princeton_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of torchvision's raft_large under princeton-vl's names."""
    names = {}
    for name, tensor in state.items():
        old = name.replace("feature_encoder.", "fnet.").replace("context_encoder.", "cnet.")
        for block in ("1", "2"):
            old = old.replace(f"convnormrelu{block}.0.", f"conv{block}.").replace(
                f"convnormrelu{block}.1.", f"norm{block}."
            )
        old = old.replace("net.convnormrelu.0.", "net.conv1.").replace("net.convnormrelu.1.", "net.norm1.")
        old = old.replace("net.conv.", "net.conv2.")
        old = old.replace("motion_encoder.convcorr1.0", "encoder.convc1").replace(
            "motion_encoder.convcorr2.0", "encoder.convc2"
        )
        old = old.replace("motion_encoder.convflow1.0", "encoder.convf1").replace(
            "motion_encoder.convflow2.0", "encoder.convf2"
        )
        old = old.replace("motion_encoder.conv.0", "encoder.conv").replace("recurrent_block.convgru", "gru.convgru")
        for number in "12":
            for gate in "zrq":
                old = old.replace(f"gru.convgru{number}.conv{gate}.", f"gru.conv{gate}{number}.")
        old = old.replace("mask_predictor.convrelu.0.", "update_block.mask.0.").replace(
            "mask_predictor.conv.", "update_block.mask.2."
        )
        names[f"module.{old}"] = tensor
        if "downsample.1." in old:
            names[f"module.{old.replace('downsample.1.', 'norm3.')}"] = tensor
    return names


def test_dis_finds_a_shift_both_ways(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (3, 1), (3, -1)])
    estimate_flow(frames, None, tmp_path / "flow.h5", EstimateFlowConfig())
    first, second = read_flow_pairs(tmp_path / "flow.h5")
    inner = (slice(12, -12), slice(12, -12))
    np.testing.assert_allclose(np.median(first.forward[inner], axis=(0, 1)), [-3, -1], atol=0.1)
    np.testing.assert_allclose(np.median(first.backward[inner], axis=(0, 1)), [3, 1], atol=0.1)
    np.testing.assert_allclose(np.median(second.forward[inner], axis=(0, 1)), [0, 2], atol=0.1)
    assert first.forward_valid[inner].mean() > 0.95
    assert not first.forward_valid[:, 0].any(), "these pixels leave the image"
    attributes = read_flow_attributes(tmp_path / "flow.h5")
    assert (attributes["backend"], attributes["weights"], attributes["pairs"]) == ("dis", "", 2)


def test_flow_over_several_frames_is_stored_when_asked_for(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0), (4, 1), (6, 1), (8, 2)])
    estimate_flow(frames, None, tmp_path / "flow.h5", EstimateFlowConfig(strides=[4, 2]))
    inner = (slice(16, -16), slice(16, -16))
    for stride, motions in ((1, 4), (2, 3), (4, 1)):
        pairs = list(read_flow_pairs(tmp_path / "flow.h5", stride=stride))
        assert len(pairs) == motions
        np.testing.assert_allclose(np.median(pairs[0].forward[inner][..., 0]), -2 * stride, atol=0.2)
        np.testing.assert_allclose(np.median(pairs[-1].backward[inner][..., 0]), 2 * stride, atol=0.2)
    assert read_flow_attributes(tmp_path / "flow.h5")["strides"].tolist() == [1, 2, 4]
    with pytest.raises(StageError, match=r"add 8 to estimate_flow\.strides"):
        next(read_flow_pairs(tmp_path / "flow.h5", stride=8))


def test_half_precision_finds_nearly_the_same_flow() -> None:
    torch.manual_seed(0)
    network = raft_small().eval()
    images = torch.randint(0, 255, (2, 1, 128, 128, 3), generator=torch.Generator().manual_seed(0)).byte()
    full, half = (predict_flow(network, *images, 1.0, 2, half=half) for half in (False, True))
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().max() < 0.1 * full.abs().max()


def test_a_pixel_that_does_not_return_is_not_consistent() -> None:
    forward, backward = np.zeros((8, 8, 2), np.float32), np.zeros((8, 8, 2), np.float32)
    forward[..., 0] = 1
    backward[..., 0] = -1
    backward[3, 4] = [1, 0]
    consistent = consistent_pixels(forward, backward, 0.5)
    assert not consistent[3, 3] and consistent[3, 2] and consistent[5, 5]
    assert not consistent[:, 7].any()


@pytest.mark.parametrize("make", [raft_small, raft_large])
def test_torchvision_checkpoints_load_unchanged(make) -> None:
    network = make()
    loaded = load_raft(network.state_dict()).state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in network.state_dict().items())


def test_princetons_large_checkpoint_loads_by_name_whatever_its_order() -> None:
    network = raft_large()
    state = princeton_state(network.state_dict())
    loaded = load_raft(dict(sorted(state.items()))).state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in network.state_dict().items())


def test_princetons_small_names_are_torchvisions(shared_data: Path) -> None:
    state = torch.load(shared_data / "weights" / "raft-small.pth", map_location="cpu", weights_only=True)
    wanted = raft_small().state_dict()
    assert [torchvision_name(name) for name in state] == list(wanted)
    assert [tensor.shape for tensor in state.values()] == [tensor.shape for tensor in wanted.values()]


def test_a_checkpoint_of_another_network_is_refused_by_name_and_shape(tmp_path: Path) -> None:
    state = raft_small().state_dict()
    state["update_block.flow_head.conv2.bias"] = torch.zeros(3)
    with pytest.raises(CheckpointError, match=r"flow_head\.conv2\.bias has shape"):
        load_raft(state)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(StageError, match="is not a RAFT checkpoint"):
        read_network(tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(StageError, match="is not a RAFT checkpoint"):
        read_network(tmp_path / "text.pth")


def test_padding_gives_sides_that_raft_takes() -> None:
    assert padding((240, 320)) == (0, 0, 0, 0)
    assert padding((241, 327)) == (3, 0, 4, 1)
    assert padding((100, 160)) == (14, 0, 14, 0)


def test_raft_finds_a_shift_of_an_odd_small_image(shared_data: Path) -> None:
    network = read_network(shared_data / "weights" / "raft-small.pth")
    noise = np.random.default_rng(0).integers(0, 255, (110, 140, 3)).astype(np.uint8)
    texture = torch.from_numpy(cv2.GaussianBlur(noise, (0, 0), 3) * 4 % 255).byte()
    first, second = texture[None, 5:96, 5:126], texture[None, 3:94, 9:130]
    flow = predict_flow(network, first, second, 2.0, 8)[0]
    assert flow.shape == (91, 121, 2)
    assert torch.allclose(flow[15:-15, 15:-15].flatten(0, 1).median(0).values, torch.tensor([-4.0, 2.0]), atol=0.4)


def test_auto_takes_raft_where_its_weights_lie(tmp_path: Path, shared_data: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0)])
    config = EstimateFlowConfig(enlargements=[2.0], iterations=4)
    estimate_flow(frames, shared_data / "weights", tmp_path / "flow.h5", config)
    attributes = read_flow_attributes(tmp_path / "flow.h5")
    assert (attributes["backend"], attributes["model"]) == ("raft", "raft_small")
    assert attributes["weights"] == "raft-small.pth"


def test_raft_without_weights_says_what_to_do(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0)])
    with pytest.raises(StageError, match="holds no RAFT weights"):
        estimate_flow(frames, tmp_path, tmp_path / "flow.h5", EstimateFlowConfig(backend="raft"))
    assert not (tmp_path / "flow.h5").exists()


def test_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0), (2, 0)])
    write_image(frames / frame_name(2), np.zeros((32, 40, 3), np.uint8))
    with pytest.raises(StageError, match=r"000002\.png is 40x32"):
        estimate_flow(frames, None, tmp_path / "flow.h5", EstimateFlowConfig())
    assert not list(tmp_path.glob("flow*"))


def test_one_frame_gives_an_empty_file_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = shifted_frames(tmp_path / "frames", [(0, 0)])
    estimate_flow(frames, None, tmp_path / "flow.h5", EstimateFlowConfig())
    assert "one frame only" in caplog.text
    with h5py.File(tmp_path / "flow.h5") as file:
        assert file["forward"].shape == (0, 64, 96, 2)


def test_flow_that_cannot_be_trusted_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    tell_consistency([0.9, 0.1, 0.9, 0.2])
    assert "2 of 4 pairs" in caplog.text and "frame 1" in caplog.text


def test_settings_that_change_nothing_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    tell_unused(EstimateFlowConfig(backend="dis", weights_file="raft.pth", strides=[2, 8]), 5)
    assert "weights_file raft.pth is not used" in caplog.text
    assert "no flow over 8 frames" in caplog.text and "over 2 frames" not in caplog.text


def test_options_as_the_command_line_gives_them_are_accepted() -> None:
    EstimateFlowConfig.model_validate(json.loads('{"backend": "dis", "consistency_px": 0.5}'))
