"""RAFT optical flow (Teed and Deng, 2020) in torchvision's implementation, with both families of checkpoints."""

import re

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large, raft_small

SMALLEST_SIDE = 128  # four levels of correlation on features of 1/8 size
# Princeton's names and torchvision's, in the order in which they are applied.
RENAMED = (
    (r"^module\.", ""),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"_encoder\.conv1\.", "_encoder.convnormrelu.0."),
    (r"_encoder\.norm1\.", "_encoder.convnormrelu.1."),
    (r"_encoder\.conv2\.", "_encoder.conv."),
    (r"(layer\d\.\d)\.conv(\d)\.", r"\1.convnormrelu\2.0."),
    (r"(layer\d\.\d)\.norm(\d)\.", r"\1.convnormrelu\2.1."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])\.", r"update_block.recurrent_block.convgru1.conv\1."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)


class CheckpointError(ValueError):
    """A checkpoint that is not of this network."""


def load_raft(state: dict[str, Tensor]) -> nn.Module:
    """The network of a checkpoint, small or large by its first layer, torchvision's or Princeton's by its names."""
    named = {torchvision_name(name): tensor for name, tensor in state.items()}
    first = named.get("feature_encoder.convnormrelu.0.weight")
    if first is None:
        raise CheckpointError(f"no feature encoder among its {len(state)} tensors")
    network = raft_small() if first.shape[0] == 32 else raft_large()
    wanted = network.state_dict()
    check_tensors(wanted, named)
    network.load_state_dict({name: named.get(name, tensor) for name, tensor in wanted.items()})
    return network.eval().requires_grad_(False)


def torchvision_name(name: str) -> str:
    """What torchvision calls a tensor of either family."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def check_tensors(wanted: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    """Refuse missing tensors and other shapes. The counter of a batch norm may be missing; more may be there.

    Princeton's large model stores the norm of a downsampling block a second time, as `norm3`.
    """
    for name, tensor in wanted.items():
        if name not in found:
            if not name.endswith("num_batches_tracked"):
                raise CheckpointError(f"it has no {name}")
        elif found[name].shape != tensor.shape:
            raise CheckpointError(f"{name} has shape {tuple(found[name].shape)}, expected {tuple(tensor.shape)}")


@torch.inference_mode()
def predict_flow(
    network: nn.Module,
    first: UInt8[Tensor, "pair height width rgb=3"],
    second: UInt8[Tensor, "pair height width rgb=3"],
    enlargement: float,
    iterations: int,
    half: bool | None = None,
) -> Float[Tensor, "pair height width xy=2"]:
    """Flow from `first` to `second` in pixels of the given images; in bfloat16 where `half`, on a GPU by default."""
    half = first.device.type == "cuda" if half is None else half
    height, width = first.shape[1:3]
    size = round(height * enlargement), round(width * enlargement)
    images = [prepare(image, size) for image in (first, second)]
    with torch.autocast(first.device.type, torch.bfloat16, enabled=half):
        flow = network(*images, num_flow_updates=iterations)[-1].float()
    top, left, _, _ = padding(size)
    flow = flow[..., top : top + size[0], left : left + size[1]]
    flow = F.interpolate(flow, (height, width), mode="bilinear", antialias=enlargement > 1)
    return flow.movedim(1, -1) * flow.new_tensor([width / size[1], height / size[0]])


def prepare(
    images: UInt8[Tensor, "pair height width rgb=3"], size: tuple[int, int]
) -> Float[Tensor, "pair rgb=3 padded_height padded_width"]:
    """Images in [-1, 1], resized, with edges repeated to sides that the network takes."""
    values = images.movedim(-1, 1).float() / 127.5 - 1
    if values.shape[-2:] != size:
        values = F.interpolate(values, size, mode="bicubic", antialias=True).clamp(-1, 1)
    top, left, bottom, right = padding(size)
    return F.pad(values, (left, right, top, bottom), mode="replicate")


def padding(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Rows and columns to add at the top, left, bottom and right: sides become multiples of 8, large enough."""
    spare = [max(-side % 8, SMALLEST_SIDE - side) for side in size]
    return spare[0] // 2, spare[1] // 2, spare[0] - spare[0] // 2, spare[1] - spare[1] // 2
