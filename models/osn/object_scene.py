"""A scene of static objects, each with its own field and its own camera path, joined by one scale per object."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from models.ops.composite import composite
from models.ops.contract_points import boxes_of, contract_points
from models.ops.interpolate_vm import interpolate_vm
from models.ops.interpolate_volume import interpolate_volume
from models.osn.compositing import PerObjectSums
from models.osn.field import VmField
from models.osn.field_tables import FieldTables, field_tables
from models.osn.loops import SampleGradients, SampleSums, march_all
from models.osn.marching import ObjectRays, Reach, Samples, Steps, march
from models.osn.pose_refinement import corrected
from models.osn.shading import FarColour, Shader, shaded_together
from models.osn.space import Space
from models.rays import Rays

LEAST_SHADED = 1e-2  # weight of an object on a ray, below which its colour is not corrected
DensityLogits = Float[Tensor, "_ _ _"]  # of one object, at its nodes
Grids = list[DensityLogits] | FieldTables  # of all objects, for loops or for tensor code


@dataclass(frozen=True)
class SceneGeometry:
    """What is known before training: camera poses per object, boxes and bounds. See `Scene` for the meaning."""

    object_from_camera: Float[Tensor, "object frame 4 4"]
    visible: Bool[Tensor, "object frame"]
    half_extent: Float[Tensor, "object xyz=3"]
    near: float
    far: float


@dataclass(frozen=True)
class FieldShape:
    """Sizes of the networks and grids."""

    density_channels: int = 16
    colour_channels: int = 24
    features: int = 8
    shader_width: int = 64
    density_shift: float = -4.5
    density_scale: float = 100.0  # large: surfaces become sharp within few steps
    shell: float = 0.3
    outer_bins: int = 24
    bins_per_node: float = 1.0
    even_depth: bool = False  # the released code's sampling, a baseline
    refined_poses: bool = False
    learnt_scales: bool = False  # one scale for each object, as baselines have it
    mixed_precision: bool = False  # of the small networks on GPUs; densities and places need all their digits


class ObjectScene(nn.Module):
    """Fields, shaders and camera poses of all objects; object 0 is the background, whose frame is the world."""

    object_from_camera: Float[Tensor, "object frame 4 4"]
    visible: Bool[Tensor, "object frame"]
    half_extent: Float[Tensor, "object xyz=3"]
    corrections: nn.Parameter | None  # of the poses, where they are refined; see `corrected`
    log_scales: nn.Parameter | None  # of all but the background, where one scale for each object is learnt
    fields: Any  # a VmField per object
    shaders: Any  # a Shader per object

    def __init__(
        self,
        geometry: SceneGeometry,
        shape: FieldShape,
        resolutions: list[tuple[int, int, int]],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape, self.near, self.far = shape, geometry.near, geometry.far
        self.register_buffer("object_from_camera", geometry.object_from_camera)
        self.register_buffer("visible", geometry.visible)
        self.register_buffer("half_extent", geometry.half_extent)
        self.spaces = [
            Space(half, geometry.near if k == 0 else 1e-3 * float(half.max()), shape.shell if k == 0 else 0.0)
            for k, half in enumerate(geometry.half_extent)
        ]
        channels = shape.density_channels, shape.colour_channels, 3 + shape.features, shape.density_shift
        self.fields = nn.ModuleList([VmField(resolution, *channels, generator) for resolution in resolutions])
        self.shaders = nn.ModuleList([Shader(shape.features, shape.shader_width, generator) for _ in resolutions])
        self.far_colour = FarColour(geometry.half_extent.device)
        self.corrections = None
        if shape.refined_poses:
            self.corrections = nn.Parameter(torch.zeros_like(geometry.object_from_camera[..., 0, :3].repeat(1, 1, 2)))
        self.log_scales = None
        if shape.learnt_scales:
            self.log_scales = nn.Parameter(torch.zeros_like(geometry.half_extent[1:, 0]))
        self.loops = geometry.half_extent.device.type == "cpu"
        self.most_samples: int | None = None  # in a step of training on GPUs
        self.mixed = shape.mixed_precision and not self.loops

    @property
    def object_count(self) -> int:
        return len(self.fields)

    def poses(self) -> Float[Tensor, "object frame 4 4"]:
        """Camera poses in the objects' frames, corrected where they are refined."""
        if self.corrections is None:
            return self.object_from_camera
        units = self.half_extent.amax(dim=1)
        return corrected(self.object_from_camera, self.corrections, units)

    def learnt_scales(self) -> Float[Tensor, "object"]:
        """One scale for each object; the background's is 1. Ones where none are learnt."""
        one = torch.ones_like(self.half_extent[:1, 0])
        return one.expand(self.object_count) if self.log_scales is None else torch.cat([one, self.log_scales.exp()])

    def observed_rays(self, frames: Int64[Tensor, "ray"], directions: Float[Tensor, "ray xyz=3"]) -> ObjectRays:
        """Rays of the video's own cameras, in every object's frame."""
        poses = self.poses()[:, frames]
        turned = torch.einsum("knij,nj->kni", poses[..., :3, :3], directions)
        return ObjectRays(poses[..., :3, 3], turned, self.visible[:, frames])

    def world_rays(self, rays: Rays, scales: Float[Tensor, "object"]) -> ObjectRays:
        """Rays of any camera at a frame's time, in every object's frame under its scale: X = R_k x / s_k + t_k, as in OSN."""
        of_frames = self.poses()
        poses = of_frames[:, rays.frames]
        # Inverted once a frame, and unchecked: the host waits for a check.
        camera_from_world = torch.linalg.inv_ex(of_frames[0])[0][rays.frames]
        rotation, shift = camera_from_world[:, :3, :3], camera_from_world[:, :3, 3]
        origins = torch.einsum("nij,nj->ni", rotation, rays.origins) + shift
        directions = torch.einsum("nij,nj->ni", rotation, rays.directions)
        scaled = origins / scales[:, None, None]
        origins = torch.einsum("knij,knj->kni", poses[..., :3, :3], scaled) + poses[..., :3, 3]
        turned = torch.einsum("knij,nj->kni", poses[..., :3, :3], directions)
        return ObjectRays(origins, turned, self.visible[:, rays.frames])

    def network_precision(self) -> torch.autocast:
        return torch.autocast(self.half_extent.device.type, torch.bfloat16, enabled=self.mixed)

    def light_axes(self, frames: Int64[Tensor, "ray"]) -> Float[Tensor, "object ray six"]:
        """Two axes of the world in each object's frame."""
        rotation = self.object_from_camera[:, frames, :3, :3]
        object_from_world = rotation @ rotation[:1].transpose(-1, -2)
        return object_from_world[..., :2].flatten(-2)

    def steps(
        self, index: int, jitter: torch.Generator | None, scales: Float[Tensor, "ray object"] | None, rays: ObjectRays
    ) -> Steps:
        """As many bins as the grid has nodes along its diagonal."""
        if self.shape.even_depth:
            factors = torch.ones_like(rays.origins[index, :, 0]) if scales is None else scales[:, index]
            reach = Reach(self.near / factors, self.far / factors, factors)
            return Steps(self.bins(0), 0, jitter, reach)
        return Steps(self.bins(index), self.shape.outer_bins, jitter)

    def bins(self, index: int) -> int:
        diagonal = sum(size**2 for size in self.fields[index].resolution) ** 0.5
        if index == 0 and self.shape.shell:
            diagonal /= 1 + self.shape.shell
        return max(2, round(diagonal * self.shape.bins_per_node))

    def density_grids(self) -> Grids:
        """Every object's density; made once, used for all rays of a step."""
        return [field.density_logits() for field in self.fields] if self.loops else field_tables(list(self.fields))

    def boxes(self) -> Float[Tensor, "object number=8"]:
        """The objects' boxes, for `contract_points`."""
        return boxes_of(torch.zeros_like(self.half_extent), self.half_extent, [space.shell for space in self.spaces])

    def samples(
        self,
        grids: FieldTables,
        rays: ObjectRays,
        jitter: torch.Generator | None,
        scales: Float[Tensor, "ray object"] | None,
    ) -> Samples:
        """The samples that matter, of all objects. No gradients flow here."""
        every = [self.steps(k, jitter, scales, rays) for k in range(self.object_count)]
        bounds = [step.reach for step in every if step.reach is not None]
        reach = (
            torch.stack([torch.stack([own.first, own.last, own.stretch], dim=-1) for own in bounds]) if bounds else None
        )
        most = 0 if jitter is None or self.most_samples is None else self.most_samples
        with torch.no_grad():
            return march(grids, self.boxes(), self.spaces, rays, every, reach, self.shape.density_scale, most)

    def render_per_object(
        self,
        grids: Grids,
        rays: ObjectRays,
        frames: Int64[Tensor, "ray"],
        scales: Float[Tensor, "ray object"] | None,
        jitter: torch.Generator | None = None,
        colour: bool = True,
        buffer: list[SampleGradients] | None = None,
    ) -> PerObjectSums:
        """What each object adds to each ray: mixed by depth under the given scales, or each alone without scales.

        Depths are the scene's under scales, and the object's own without. Loops leave their samples' gradients in `buffer`.
        """
        if isinstance(grids, FieldTables):
            sums = self.per_object_by_tensors(grids, rays, scales, jitter, colour)
        else:
            sums = self.per_object_by_loops(grids, rays, scales, jitter, colour, buffer)
        return self.shaded(sums, rays, frames) if colour else sums

    def per_object_by_loops(
        self,
        grids: list[DensityLogits],
        rays: ObjectRays,
        scales: Float[Tensor, "ray object"] | None,
        jitter: torch.Generator | None,
        colour: bool,
        buffer: list[SampleGradients] | None,
    ) -> PerObjectSums:
        """On CPU."""
        objects, count = rays.present.shape
        steps = [self.steps(k, jitter, scales, rays) for k in range(objects)]
        marched = march_all(self.spaces, grids, rays, steps, self.shape.density_scale)
        mixes = [field.basis for field in self.fields] + [field.tint for field in self.fields] if colour else []
        places = grids, rays.origins, rays.directions
        sums = SampleSums.apply(list(self.fields), marched, scales, buffer, (count, objects), *places, *mixes)
        taken = torch.from_numpy(np.diff(marched.base)).float() / max(1, count)
        samples = taken.expand(count, objects)
        rgb = sums[..., 4:7] if colour else sums.new_zeros(count, objects, 3)
        weight, depth, log_depth, log_depth_squared = sums[..., :4].unbind(-1)
        return PerObjectSums(weight, depth, log_depth, log_depth_squared, rgb, sums[..., 7:], samples)

    def per_object_by_tensors(
        self,
        grids: FieldTables,
        rays: ObjectRays,
        scales: Float[Tensor, "ray object"] | None,
        jitter: torch.Generator | None,
        colour: bool,
    ) -> PerObjectSums:
        """On GPUs, all objects at once; gradients flow through the graph."""
        objects, count = rays.present.shape
        samples = self.samples(grids, rays, jitter, scales)
        optical_depth, features = self.query(grids, rays, samples, colour)
        depth = samples.depth
        if scales is not None:
            depth = depth * scales.flatten()[samples.ray * objects + samples.object]
        there = torch.where(samples.optical_length > 0, samples.ray, count)  # the rest of a buffer is empty
        sums, *_ = composite(optical_depth, features, depth, there, samples.object, count, objects, scales is None)
        taken = (samples.optical_length > 0).sum() / max(1, count * objects)
        rgb = sums[..., 4:7] if colour else sums.new_zeros(count, objects, 3)
        weight, depth, log_depth, log_depth_squared = sums[..., :4].unbind(-1)
        return PerObjectSums(
            weight, depth, log_depth, log_depth_squared, rgb, sums[..., 7:], taken.expand(count, objects)
        )

    def query(
        self, grids: FieldTables, rays: ObjectRays, samples: Samples, colour: bool
    ) -> tuple[Float[Tensor, "sample"], Float[Tensor, "sample channel"]]:
        """Optical depth, and colour and features before their activation, of all objects' samples, with gradients."""
        pair = samples.object * rays.present.shape[1] + samples.ray
        own = torch.cat([rays.origins, rays.directions], dim=-1).flatten(0, 1).index_select(0, pair).T
        points = contract_points(own[:3] + samples.depth * own[3:], self.boxes(), samples.object)
        logits = interpolate_volume(grids.volumes, grids.layout.last, points, samples.object)
        optical_depth = nn.functional.softplus(logits) * (samples.optical_length * self.shape.density_scale)
        if not colour:
            return optical_depth, points.new_zeros(points.shape[1], 3)
        tables = grids.planes, grids.lines, grids.layout.table, grids.layout.last
        products = interpolate_vm(*tables, points, samples.object)
        with self.network_precision():
            # Every object's basis for every sample: one product of matrices, of which each sample keeps its own part.
            # Joined by rows, since then each basis gets a gradient that lies in memory as it does, for fused optimisers.
            bases = torch.cat([field.basis for field in self.fields]).view(self.object_count, products.shape[1], -1)
            all_features = products @ bases.transpose(0, 1).flatten(1)
            own_features = all_features.view(len(products), self.object_count, -1)[samples.places(), samples.object]
        return optical_depth, own_features.float() + torch.stack([field.tint for field in self.fields])[samples.object]

    def shaded(self, sums: PerObjectSums, rays: ObjectRays, frames: Int64[Tensor, "ray"]) -> PerObjectSums:
        """The sums with each object's colour corrected for direction and light."""
        light = self.light_axes(frames)
        return self.shaded_by_object(sums, rays, light) if self.loops else self.shaded_at_once(sums, rays, light)

    def shaded_by_object(self, sums: PerObjectSums, rays: ObjectRays, light: Tensor) -> PerObjectSums:
        """Only where an object is seen."""
        colours = []
        for k, shader in enumerate(self.shaders):
            weight = sums.weight[:, k : k + 1]
            seen = (weight[:, 0] > LEAST_SHADED).nonzero()[:, 0]
            view = nn.functional.normalize(rays.directions[k, seen], dim=1)
            features = sums.features[seen, k] / weight[seen]
            with self.network_precision():
                residual = shader(features, torch.cat([view, light[k, seen]], dim=1)).float()
            added = residual * weight[seen]
            colours.append(sums.colour[:, k].index_add(0, seen, added))
        return replace(sums, colour=torch.stack(colours, dim=1))

    def shaded_at_once(self, sums: PerObjectSums, rays: ObjectRays, light: Tensor) -> PerObjectSums:
        """All objects on all rays, so that no size depends on values."""
        seen = sums.weight > LEAST_SHADED
        features = sums.features / torch.where(seen, sums.weight, 1)[..., None]
        context = torch.cat([nn.functional.normalize(rays.directions, dim=2), light], dim=2)
        with self.network_precision():
            residual = shaded_together(list(self.shaders), features.transpose(0, 1), context).float()
        added = residual.transpose(0, 1) * (sums.weight * seen)[..., None]
        return replace(sums, colour=sums.colour + added)
