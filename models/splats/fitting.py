"""Splats placed on the surfaces that rays met, then fitted to pictures: colours, and the light that passes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor

from models.ops.parallel import ParallelMap
from models.splats.gaussians import BAND_0, Gaussians
from models.splats.rasteriser import rasterise

NEIGHBOURS = 3
START_OPACITY, START_SIZE = 0.8, 0.7  # size: of the distance to the neighbours
VIEWS_AT_ONCE = 2
FINAL_RATE = 0.05  # of the first rates, at the end
# Rates of Adam; places are in units of each splat's first size.
RATES = {"places": 0.04, "log_scales": 0.02, "rotations": 0.01, "opacities": 0.05, "colours": 0.03}
FAINT = 0.02  # splats of less opacity are dropped at the end
SMALLEST, LARGEST = 0.05, 8.0  # of a splat's first size


@dataclass(frozen=True)
class View:
    """A picture to be fitted: colours over black, and the opacity of what it shows."""

    camera_from_object: Float[Tensor, "4 4"]
    colour: Float[Tensor, "height width rgb=3"]
    opacity: Float[Tensor, "height width"]


def placed(points: Float[Tensor, "point xyz=3"], colours: Float[Tensor, "point rgb=3"]) -> Gaussians:
    """A round splat at each point, as large as the distance to its neighbours."""
    distances, _ = cKDTree(points.numpy()).query(points.numpy(), min(NEIGHBOURS + 1, len(points)))
    size = torch.from_numpy(np.atleast_2d(distances)[:, 1:].mean(axis=1)).float() if len(points) > 1 else torch.ones(1)
    size = START_SIZE * size.clamp(min=1e-3 * float(size.median()) + 1e-9)
    return Gaussians(
        points.clone(),
        size.log()[:, None].repeat(1, 3),
        torch.tensor([1.0, 0, 0, 0]).repeat(len(points), 1),
        torch.full((len(points),), START_OPACITY).logit(),
        (colours - 0.5) / BAND_0,
    )


def fitted(
    start: Gaussians,
    views: list[View],
    intrinsics: Float[Tensor, "value=4"],
    steps: int,
    generator: torch.Generator,
    parallel_map: ParallelMap,
    told: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> Gaussians:
    """The splats after some steps of Adam on a few views each; the same on any number of cores.

    Steps pass through `told`, which may tell how far it is.
    """
    first = start.log_scales.exp()[:, :1]
    values = {name: getattr(start, name).clone() for name in ("log_scales", "rotations", "opacities", "colours")}
    parameters = {"places": torch.zeros_like(start.means), **values}
    optimiser = torch.optim.Adam(
        [{"params": [parameters[name]], "lr": rate} for name, rate in RATES.items()], eps=1e-15
    )
    turn: list[int] = []
    for step in told(range(steps)):
        decay = FINAL_RATE ** (step / max(1, steps - 1))
        for group, rate in zip(optimiser.param_groups, RATES.values(), strict=True):
            group["lr"] = rate * decay
        if len(turn) < VIEWS_AT_ONCE:
            turn += torch.randperm(len(views), generator=generator).tolist()
        chosen, turn = turn[:VIEWS_AT_ONCE], turn[VIEWS_AT_ONCE:]
        paper = torch.rand(3, generator=generator)
        shown = partial(view_gradients, parameters, start, first, intrinsics, paper)
        gradients = list(parallel_map(shown, [views[number] for number in chosen]))
        for name in RATES:
            parameters[name].grad = torch.stack([one[name] for one in gradients]).sum(dim=0) / len(chosen)
        optimiser.step()
        parameters["log_scales"].clamp_(first.log() + np.log(SMALLEST), first.log() + np.log(LARGEST))
    found = built(parameters, start, first)
    return found[found.opacities.sigmoid() > FAINT]


def built(parameters: dict[str, Tensor], start: Gaussians, first: Float[Tensor, "splat 1"]) -> Gaussians:
    """The splats that the parameters stand for."""
    others = {name: parameters[name] for name in ("log_scales", "rotations", "opacities", "colours")}
    return Gaussians(means=start.means + first * parameters["places"], **others)


def view_gradients(
    parameters: dict[str, Tensor],
    start: Gaussians,
    first: Float[Tensor, "splat 1"],
    intrinsics: Float[Tensor, "value=4"],
    paper: Float[Tensor, "rgb=3"],
    view: View,
) -> dict[str, Tensor]:
    """Gradients of one view's loss: over paper of a random colour, so that what is not there must be left clear."""
    leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    size = len(view.opacity), len(view.opacity[0])
    image, left = rasterise(built(leaves, start, first), view.camera_from_object, intrinsics, size)
    wanted = view.colour + (1 - view.opacity)[..., None] * paper
    difference = image + left[..., None] * paper - wanted
    loss = difference.abs().mean() + 4 * difference.square().mean()
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return dict(zip(leaves, gradients, strict=True))
