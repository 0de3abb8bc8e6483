"""Pictures of splats, with gradients: 3D Gaussian Splatting's blending on CPU cores, wherever the splats were made."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.splats import kernels
from models.splats.gaussians import Gaussians, Projected, project


class Blend(torch.autograd.Function):
    """Colours over black and the light that is left, of splats in a picture."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, centres: Tensor, conics: Tensor, opacities: Tensor, colours: Tensor, drawn: Projected, size: Any
    ) -> tuple[Tensor, Tensor]:
        height, width = size
        shown = (drawn.seen & (opacities > float(kernels.LEAST_ALPHA))).nonzero()[:, 0]
        order = shown[drawn.depth.detach()[shown].argsort(stable=True)]
        floors = (float(kernels.LEAST_ALPHA) / opacities.detach().clamp(min=1e-6)).log()
        arrays = [tensor.detach().contiguous().numpy() for tensor in (centres, conics, opacities, colours, floors)]
        tiles = (height + kernels.TILE - 1) // kernels.TILE, (width + kernels.TILE - 1) // kernels.TILE
        reach = drawn.deviations.detach() * (-2 * floors).clamp(min=0).sqrt()[:, None]
        lists = kernels.tile_lists(order.numpy(), arrays[0], reach.numpy(), *tiles)
        image, left, last = kernels.blend(*lists, *arrays, height, width)
        ctx.made = (*lists, *arrays, left, last)
        return torch.from_numpy(image), torch.from_numpy(left)

    @staticmethod
    def backward(ctx: Any, by_image: Tensor, by_left: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        given = (tensor.contiguous().numpy() for tensor in (by_image, by_left))
        gradients = kernels.blend_gradient(*ctx.made, *given)
        return (*map(torch.from_numpy, gradients), None, None)


def rasterise(
    gaussians: Gaussians,
    camera_from_object: Float[Tensor, "4 4"],
    intrinsics: Float[Tensor, "value=4"],
    size: tuple[int, int],
) -> tuple[Float[Tensor, "height width rgb=3"], Float[Tensor, "height width"]]:
    """Colours over black, and the share of light that passes through all splats."""
    drawn = project(gaussians, camera_from_object, intrinsics, size)
    image, left = Blend.apply(drawn.centres, drawn.conics, gaussians.opacities.sigmoid(), gaussians.rgb(), drawn, size)
    return image, left


def picture(
    gaussians: Gaussians, camera_from_object: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]
) -> Float[np.ndarray, "height width rgb=3"]:
    """What a camera sees of splats over black, without gradients."""
    with torch.no_grad():
        camera, values = (torch.from_numpy(np.asarray(array)).float() for array in (camera_from_object, intrinsics))
        return rasterise(gaussians, camera, values, size)[0].clamp(0, 1).numpy()
