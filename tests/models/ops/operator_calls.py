"""Random calls of every operator, with samples at every cut-off; and, as a program, what Triton's kernels make of them.

    TRITON_INTERPRET=1 python -m tests.models.ops.operator_calls results.pt

Triton reads that variable when it is imported, so its kernels are interpreted on the CPU in a process of their own.
"""

import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from models.ops.blend import blend
from models.ops.composite import composite
from models.ops.contract_points import boxes_of
from models.ops.fine_edges import fine_edges
from models.ops.interpolate_vm import vm_table
from models.ops.interpolate_volume import interpolate_volume
from models.ops.march import march
from models.ops.operators import OPERATORS
from models.ops.region_planes import region_planes
from models.ops.region_volume import region_volume
from models.ops.seen_features import seen_features

SCENES = 20
SIZES = ((5, 6, 7), (9, 4, 8))
POINTS, OBJECTS, CHANNELS = 32, 2, 3
# Triton's interpreter takes rays of a march, and points, 32 at a time; but bins one by one, and samples of composited rays.
MARCHED_RAYS, BINS_INSIDE, BINS_IN_SHELL = 16, [3, 2], [1, 0]
COMPOSITED_RAYS, SAMPLES = 6, 20
BUFFERS = 0, 20, 200  # samples: as many as there are, fewer, more
Call = tuple[str, tuple[Any, ...]]


@cache
def calls(seed: int, dtype: torch.dtype) -> tuple[Call, ...]:
    """The calls of a scene; no operator changes what it is given."""
    return tuple(random_calls(seed, dtype))


def random_calls(seed: int, dtype: torch.dtype) -> Iterator[Call]:
    """One call of each operator in a random scene of two objects, the first with a shell; names with a variant after a colon."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=dtype)

    def uniform(*size: int) -> Tensor:
        return torch.rand(size, generator=generator, dtype=dtype)

    owner = torch.randint(OBJECTS, (POINTS,), generator=generator)
    last = torch.tensor(SIZES, dtype=dtype) - 1
    volumes = 3 * normal(OBJECTS, 9, 6, 8) - 1
    places = in_and_around_the_cube(uniform, last, owner)
    yield interpolate_volume.name, (volumes, last, places, owner)
    yield "interpolate_volume_backward", (normal(POINTS), volumes, last, places, owner, True)
    rows = sum(x * y + x * z + y * z for x, y, z in SIZES)
    factors = normal(rows, CHANNELS), normal(sum(map(sum, SIZES)), CHANNELS), vm_table(SIZES), last, places, owner
    yield "interpolate_vm", factors
    yield "interpolate_vm_backward", (normal(POINTS, 3 * CHANNELS), *factors, True)
    boxes = boxes_of(normal(OBJECTS, 3), uniform(OBJECTS, 3) + 0.5, [0.3, 0.0])
    yield from contractions(normal, boxes, owner)
    for alone in (False, True):
        yield from compositing(normal, uniform, owner[:SAMPLES], generator, alone)
    for even in (False, True):
        yield from marches(normal, uniform, volumes, last, boxes, even, BUFFERS[seed % 3])
    yield from reads_of_regions(normal, uniform, generator, timed=seed % 2 == 0)
    yield from rays_of_two_fields(normal, uniform)
    yield from looks_at_frames(normal, uniform, generator)


def in_and_around_the_cube(uniform: Callable[..., Tensor], last: Tensor, owner: Tensor) -> Tensor:
    """Points of the cube and beyond it, some on its faces, some on nodes."""
    places = uniform(3, POINTS) * 1.4 - 0.2
    places[:, :2], places[:, 2:4] = 0, 1
    places[:, 4:8] = (places[:, 4:8].clamp(0, 1) * last[owner[4:8]].T).round() / last[owner[4:8]].T
    return places


def contractions(normal: Callable[..., Tensor], boxes: Tensor, owner: Tensor) -> Iterator[Call]:
    """Points in boxes, on their faces, beyond and very far."""
    relative = normal(3, POINTS) * 2
    relative[:, :4] /= relative[:, :4].abs().amax(0)
    relative[:, 4] *= 1e4
    own = boxes[owner].T
    points = relative * own[3:6] + own[:3]
    yield "contract_points", (points, boxes, owner)
    yield "contract_points_backward", (normal(3, POINTS), points, boxes, owner)


def compositing(
    normal: Callable[..., Tensor],
    uniform: Callable[..., Tensor],
    owner: Tensor,
    generator: torch.Generator,
    alone: bool,
) -> Iterator[Call]:
    """Rays with many samples and with none, samples opaque and clear, at depth 0, and beyond the rays (a buffer's rest)."""
    ray = torch.randint(COMPOSITED_RAYS + 1, (SAMPLES,), generator=generator)
    ray[ray == 3] = 4
    optical_depth, depth = uniform(SAMPLES) * 2, uniform(SAMPLES) * 5
    optical_depth[:3], optical_depth[3:6], depth[6] = 0, 50, 0
    given = normal(SAMPLES, 5), depth, ray, owner
    call = (optical_depth, *given, COMPOSITED_RAYS, OBJECTS, alone)
    found = composite.reference(*call)
    yield f"composite:{alone}", call
    yield f"composite_backward:{alone}", (normal(COMPOSITED_RAYS, OBJECTS, 9), *given, *found[1:], alone)


def marches(
    normal: Callable[..., Tensor],
    uniform: Callable[..., Tensor],
    volumes: Tensor,
    last: Tensor,
    boxes: Tensor,
    even: bool,
    most: int,
) -> Iterator[Call]:
    """Rays from in and out of boxes, that hit and miss; grids empty in part; buffers that hold all samples and that do not."""
    volumes = torch.where(volumes > 4, -30, volumes)
    aim = boxes[:, None, :3] + 0.5 * normal(OBJECTS, MARCHED_RAYS, 3)
    origins = boxes[:, None, :3] + 2 * normal(OBJECTS, MARCHED_RAYS, 3)
    directions = (aim - origins) / 2
    present = uniform(OBJECTS, MARCHED_RAYS) > 0.1
    near, unit = torch.tensor([0.5, 1e-3]).to(boxes), boxes[:, 3:6].amax(1)
    bounds = torch.stack(
        [0.2 + uniform(OBJECTS, MARCHED_RAYS), 2 + uniform(OBJECTS, MARCHED_RAYS), 1 + uniform(OBJECTS, MARCHED_RAYS)],
        dim=-1,
    )
    reach = bounds if even else boxes.new_empty(0)
    rays = near, unit, origins, directions, present, uniform(OBJECTS, MARCHED_RAYS), reach
    outer = [0, 0] if even else BINS_IN_SHELL
    yield f"{march.name}:{even}, {most}", (volumes, last, boxes, *rays, BINS_INSIDE, outer, 6.0, 3e-3, most)


def reads_of_regions(
    normal: Callable[..., Tensor], uniform: Callable[..., Tensor], generator: torch.Generator, timed: bool
) -> Iterator[Call]:
    """Points in a box, on its faces, beyond and very far; times at frames and between; planes in time, or lines."""
    box = torch.cat([normal(3), uniform(3) + 0.5, 0.3 * uniform(1)])
    relative = 2 * normal(POINTS, 3)
    relative[:4] /= relative[:4].abs().amax(1, keepdim=True)
    relative[4] *= 1e4
    points, times = relative * box[3:6] + box[:3], 4 * uniform(POINTS)
    times[:8] = torch.randint(5, (8,), generator=generator).to(times)
    space, nodes = channels_last(normal(3, CHANNELS, 6, 6)), 3 * normal(5, 6, 7)
    others, times = (normal(3, CHANNELS, 5, 6), times) if timed else (normal(3, CHANNELS, 6, 1), times[:0])
    call = (space, channels_last(others), points, times, box, 2 / 4, -1.0)
    yield f"{region_planes.name}:{timed}", call
    yield f"{region_planes.name}_backward:{timed}", (normal(POINTS, 3 * CHANNELS), *call, True)
    yield region_volume.name, (nodes, points, box)
    yield "region_volume_backward", (normal(POINTS), nodes, points, box)


def channels_last(table: Tensor) -> Tensor:
    return table.contiguous(memory_format=torch.channels_last)


def rays_of_two_fields(normal: Callable[..., Tensor], uniform: Callable[..., Tensor]) -> Iterator[Call]:
    """Samples opaque and clear, of one field alone and of both; fine edges of even, empty and peaked weights."""
    static, dynamic, blending = (uniform(COMPOSITED_RAYS, 11) for _ in range(3))
    static[0], dynamic[1], static[2, 4], dynamic[3, 5], blending[4], blending[5] = 0, 0, 50, 50, 0, 1
    yield blend.name, (static, dynamic, blending)
    yield "blend_backward", (static, dynamic, blending, normal(COMPOSITED_RAYS, 11), normal(COMPOSITED_RAYS, 11))
    edges, weights = 1 + uniform(3, 12).cumsum(1), uniform(3, 11) ** 4
    weights[0], weights[1], weights[1, 3] = 0, 0, 1
    yield fine_edges.name, (edges, weights, uniform(3, 7).sort(dim=1).values, 0.1)


def looks_at_frames(
    normal: Callable[..., Tensor], uniform: Callable[..., Tensor], generator: torch.Generator
) -> Iterator[Call]:
    """Points before and behind cameras, in and beside their images, in frames that exist and that do not."""
    poses = torch.eye(4, dtype=normal(1).dtype).repeat(4, 1, 1)
    poses[:, :3, :3], poses[:, :3, 3] = torch.linalg.qr(normal(4, 3, 3)).Q, 0.1 * normal(4, 3)
    maps, depths = normal(4, 6, 8, 5).half(), 1 + 3 * uniform(4, 3, 4)
    depths[1] = torch.inf
    intrinsics = torch.tensor([9.0, 8.0, 8.0, 6.0]).to(poses)
    frames = torch.randint(-1, 5, (20, 3), generator=generator)
    yield seen_features.name, (maps, depths, poses, intrinsics, 2 * normal(20, 3, 3), frames, 12, 16, 1.05)


def tensors(result: Any) -> list[Tensor]:
    return list(result) if isinstance(result, tuple) else [result]


def triton_results() -> dict[str, list[Tensor]]:
    """What each kernel for CUDA returns, in float32."""
    found = {}
    for seed in range(SCENES):
        for name, arguments in calls(seed, torch.float32):
            operator = name.split(":")[0]
            if "cuda" in OPERATORS[operator].kernels:
                module = import_module(f"models.ops.{operator.removesuffix('_backward')}.cuda")
                found[f"{seed} {name}"] = tensors(getattr(module, operator)(*arguments))
    return found


if __name__ == "__main__":
    torch.save(triton_results(), sys.argv[1])
