"""RAFT's network: both families of checkpoints, sizes that it takes, flow of a known shift."""

from pathlib import Path

import pytest
import torch
from torchvision.models.optical_flow import raft_large, raft_small

from models.raft import CheckpointError, load_raft, padding, predict_flow, torchvision_name


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


def test_half_precision_finds_nearly_the_same_flow() -> None:
    torch.manual_seed(0)
    network = raft_small().eval()
    images = torch.randint(0, 255, (2, 1, 128, 128, 3), generator=torch.Generator().manual_seed(0)).byte()
    full, half = (predict_flow(network, *images, 1.0, 2, half=half) for half in (False, True))
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().max() < 0.1 * full.abs().max()


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


def test_a_checkpoint_of_another_network_is_refused_by_name_and_shape() -> None:
    state = raft_small().state_dict()
    state["update_block.flow_head.conv2.bias"] = torch.zeros(3)
    with pytest.raises(CheckpointError, match=r"flow_head\.conv2\.bias has shape"):
        load_raft(state)


def test_padding_gives_sides_that_raft_takes() -> None:
    assert padding((240, 320)) == (0, 0, 0, 0)
    assert padding((241, 327)) == (3, 0, 4, 1)
    assert padding((100, 160)) == (14, 0, 14, 0)
