"""SAM built from nothing but a checkpoint."""

import pytest
import torch

from models.sam import SamCheckpointError, load_sam
from tests.tiny_sam import tiny_sam


def test_network_is_rebuilt_from_the_shapes_of_its_tensors() -> None:
    wanted = tiny_sam(seed=3)
    found = load_sam(wanted.state_dict())
    assert found.image_encoder.img_size == 64
    assert [block.window_size for block in found.image_encoder.blocks] == [2, 0]
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(found.image_encoder(image), wanted.image_encoder(image))


def test_vit_b_has_the_published_blocks() -> None:
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        state = sam_model_registry["vit_b"]().state_dict()
    from models.sam import build_sam

    with torch.device("meta"):
        found = build_sam(state)
    assert {name: t.shape for name, t in found.state_dict().items()} == {name: t.shape for name, t in state.items()}
    assert [i for i, block in enumerate(found.image_encoder.blocks) if block.window_size == 0] == [2, 5, 8, 11]
    assert found.image_encoder.blocks[0].attn.num_heads == 12


def test_another_networks_checkpoint_is_refused() -> None:
    with pytest.raises(SamCheckpointError, match="pos_embed"):
        load_sam({"layer.weight": torch.zeros(3)})
    state = tiny_sam(seed=0).state_dict()
    del state["mask_decoder.iou_token.weight"]
    with pytest.raises(SamCheckpointError):
        load_sam(state)
