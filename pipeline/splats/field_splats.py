"""Splats of one trained object: placed where rays met its field, fitted to the field's own renders, and judged by others."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.ops.parallel import workers
from models.rendering import Rendering
from models.splats.fitting import View, fitted, placed
from models.splats.gaussians import Gaussians
from models.splats.rasteriser import rasterise
from pipeline.cameras import Intrinsics, inverse, pixel_centres, transform, unproject
from pipeline.formats.splat_file import Splats
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.view_pictures import view_rays
from pipeline.runtime.progress import progress
from pipeline.splats.views import ObjectView

SURFACE = 0.5  # of opacity: a ray that less of an object is seen on met no surface
CPU = torch.device("cpu")


@dataclass(frozen=True)
class FieldView:
    """What the field shows in a view of one object alone: colours over black, opacity, depth."""

    view: ObjectView
    colour: Float[np.ndarray, "height width rgb=3"]
    opacity: Float[np.ndarray, "height width"]
    depth: Float[np.ndarray, "height width"]

    def as_target(self) -> View:
        pose = torch.from_numpy(inverse(self.view.object_from_camera)).float()
        return View(pose, torch.from_numpy(self.colour), torch.from_numpy(self.opacity))


def field_view(method: TrainedMethod, index: int, view: ObjectView, camera: Intrinsics) -> FieldView:
    """The field of one object from one camera."""
    rays = view_rays(camera, view.object_from_camera, view.frame).to(method.device)
    shown: Rendering = method.alone(index, rays).to(CPU)
    size = camera.height, camera.width
    parts = shown.colour.view(*size, 3), shown.opacity.view(size), shown.depth.view(size)
    return FieldView(view, *(part.float().numpy() for part in parts))


def surface_points(
    views: list[FieldView], camera: Intrinsics, count: int, generator: np.random.Generator
) -> tuple[Float[np.ndarray, "point xyz=3"], Float[np.ndarray, "point rgb=3"]]:
    """Where rays met the object, in its frame, with the colours that they saw: at most so many, drawn from all views."""
    points, colours = [], []
    for seen in views:
        hit = seen.opacity > SURFACE
        local = unproject(camera, pixel_centres(camera.height, camera.width)[hit], seen.depth[hit].astype(np.float64))
        points.append(transform(seen.view.object_from_camera, local))
        colours.append(seen.colour[hit] / seen.opacity[hit, None])
    found, shades = np.concatenate(points), np.concatenate(colours)
    chosen = generator.permutation(len(found))[:count]
    return found[chosen], shades[chosen].clip(0, 1)


def object_splats(
    views: list[FieldView], camera: Intrinsics, count: int, steps: int, seed: int, what: str
) -> Gaussians | None:
    """Splats that show what the field does in these views; None of an object that is seen in none."""
    points, colours = surface_points(views, camera, count, np.random.default_rng(seed))
    if not len(points):
        return None
    start = placed(torch.from_numpy(points).float(), torch.from_numpy(colours).float())
    targets, intrinsics = [seen.as_target() for seen in views], torch.from_numpy(camera.values).float()
    with workers(CPU) as parallel_map:
        return fitted(
            start,
            targets,
            intrinsics,
            steps,
            torch.Generator().manual_seed(seed),
            parallel_map,
            lambda counted: progress(counted, what, steps, "steps"),
        )


def as_arrays(splats: Gaussians) -> Splats:
    """As a file has them."""
    parts = (splats.means, splats.log_scales, splats.rotations, splats.opacities, splats.colours)
    return Splats(*(part.detach().numpy() for part in parts))


def as_gaussians(splats: Splats) -> Gaussians:
    """The inverse of `as_arrays`."""
    parts = (splats.places, splats.log_scales, splats.rotations, splats.opacities, splats.colours)
    return Gaussians(*(torch.from_numpy(part) for part in parts))


def likeness_db(splats: Gaussians, views: list[FieldView], camera: Intrinsics) -> float:
    """PSNR of splats to the field over the pixels where either shows the object, both over black; mean over views."""
    values = []
    for seen in views:
        target = seen.as_target()
        with torch.no_grad():
            image, left = rasterise(
                splats,
                target.camera_from_object,
                torch.from_numpy(camera.values).float(),
                (camera.height, camera.width),
            )
        judged = (target.opacity > SURFACE) | (left < 1 - SURFACE)
        values += [psnr_db(image[judged], target.colour[judged])] if judged.any() else []
    return float(np.mean(values)) if values else float("nan")


def psnr_db(image: Tensor, target: Tensor) -> float:
    """PSNR of colours in [0, 1]."""
    return float(-10 * (image.clamp(0, 1) - target).square().mean().clamp(min=1e-10).log10())
