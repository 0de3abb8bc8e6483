"""The march in one loop: the same places as the tensor code finds."""

import pytest
import torch

from models.semantic_flow.marching import march
from tests.models.semantic_flow.tiny_model import tiny_model, tiny_rays


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize("jitter", [True, False])
def test_the_march_in_a_loop_finds_the_places_of_the_tensor_code(moving: bool, jitter: bool) -> None:
    model, (rays, _) = tiny_model(), tiny_rays(60)
    nodes, sizes = model.static.grid.nodes().detach(), model.sizes

    def generator() -> torch.Generator | None:
        return torch.Generator().manual_seed(4) if jitter else None

    optics = model.optics if moving else model.static_only
    bounds, counts = (model.bounds.near, model.bounds.far), (sizes.coarse_samples, sizes.fine_samples)
    reference = march(lambda pieces: optics(nodes, rays, pieces), *bounds, *counts, rays, generator())
    with torch.no_grad():
        found = model.trace(nodes, rays, generator(), moving).intervals
    torch.testing.assert_close(found.depth, reference.depth, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.length, reference.length, rtol=1e-2, atol=1e-4)
