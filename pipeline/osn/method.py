"""A trained OSN as every other stage sees it."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.osn.alone import render_alone
from models.osn.field_tables import object_grid
from models.osn.hiding import CountedRays, border_error, counted, own_opacity, with_margins
from models.osn.layers import Layers, render_layers
from models.osn.object_scene import ObjectScene
from models.osn.rendering import render_world
from models.osn.scale_network import ScaleNetwork
from models.osn.scale_sampling import ScaleSamples, nearest_first
from models.osn.validity import Limit, conflict_text, conflicts, limits
from models.osn.z_buffer import GLIMPSE, SoloViews, visibility_accuracy
from models.rays import Rays
from models.rendering import VALID_SCORE, Rendering
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene
from pipeline.osn.checkpoint import fields_from_state, network_from_state
from pipeline.osn.depth_margins import UNKNOWN, depth_margins, unjudged
from pipeline.osn.edits import layers
from pipeline.osn.fixed_scales import fixed_scales, scale_prior
from pipeline.osn.scale_judge import network_judge
from pipeline.osn.surfaces import object_surface
from pipeline.scene.method_interface import ScaleJudge, ScaleLimit, Surface, TrainedMethod

TOLD = 0.01  # of an object's pixels: a contradiction that the report names
UNOCCLUDED = 2e-3  # of the pixels: what an unoccluded scene may explain less than the best


class OsnMethod(TrainedMethod):
    """A field for each object, and a network that knows which scales of the objects explain the video."""

    judges_scales = True

    def __init__(
        self,
        scene: Scene,
        fields: ObjectScene,
        network: ScaleNetwork | None,
        views: SoloViews | None,
        scales: Float[Tensor, "sample object"],
        scores: Float[Tensor, "sample"],
        object_views: SoloViews | None = None,
    ) -> None:
        super().__init__(scene, scales, scores)
        self.fields, self.network, self.views, self.object_views = fields, network, views, object_views
        with torch.no_grad():
            self.grids = fields.density_grids()

    @property
    def remarks(self) -> dict[str, str]:
        """How sure the valid scenes are, and first of all where masks and geometry contradict each other."""
        if self.object_views is None:
            return {}
        names = [str(entry["name"]) for entry in self.scene.objects]
        silent = unjudged(self.scene)
        certain = float((self.hidden_share(self.scales) <= self.hidden_limit).float().mean())
        unknown = [name for name, margin in zip(names, depth_margins(self.scene), strict=True) if margin >= UNKNOWN]
        return {
            "masks against geometry": contradiction_text(self.object_views, names),
            "certain scenes": f"none: in some frames nothing tells how far away {', '.join(unknown)} would be"
            if unknown
            else f"{100 * certain:.0f} % of the valid scenes hide no more of any object, in any frame, than the fields get"
            f" wrong at borders, {100 * self.hidden_limit:.1f} %, wherever the objects are within twice the errors of their depths",
            "frames that judge nothing": "; ".join(
                f"{names[k]}: {count} of {shown} in which it is seen" for k, count, shown in silent
            )
            or "none: every object has a pose wherever it is seen",
        }

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        return render_world(self.fields, self.grids, rays, self.scales[0] if scales is None else scales)

    def validity(self, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample"]:
        """The scale network's score; a scene without moving objects is always valid."""
        if self.network is None:
            return super().validity(scales)
        with torch.no_grad():
            return self.network(self.network.normalised(scales))

    def hidden_share(self, scales: Float[Tensor, "sample object"]) -> Float[Tensor, "sample"]:
        return super().hidden_share(scales) if self.counted is None else self.counted.worst_hidden(scales)

    @cached_property
    def counted(self) -> CountedRays | None:
        """The rays that say how much is hidden: counted once, as viewers ask with every move of a slider."""
        return None if self.views_at_worst is None else counted(self.views_at_worst)

    @cached_property
    def views_at_worst(self) -> SoloViews | None:
        """The rays of the objects' own views, with what errors of their poses may do to depths."""
        if self.object_views is None:
            return None
        return with_margins(self.object_views, torch.from_numpy(depth_margins(self.scene)).to(self.object_views.depth))

    @cached_property
    def hidden_limit(self) -> float:
        return 0.0 if self.object_views is None else border_error(self.object_views)

    def unoccluded(self) -> Bool[Tensor, "sample"]:
        if self.views is None:
            return super().unoccluded()
        accuracy = visibility_accuracy(self.views, self.scales, None)
        return accuracy >= accuracy.max() - UNOCCLUDED

    def explain_scales(self, scales: Float[Tensor, "object"], unlike: Float[Tensor, "object"]) -> str:
        if float(self.validity(scales[None])[0]) >= VALID_SCORE:
            return ""
        found = conflicts(self.views, scales, unlike=unlike) if self.views else []
        if self.views and not found:  # all are small: the largest is told
            found = conflicts(self.views, scales, least_share=0.0, unlike=unlike)[:1]
        names = [str(entry["name"]) for entry in self.scene.objects]
        return "; ".join(conflict_text(conflict, names) for conflict in found) or "the scale network rejects them"

    def scale_limits(self) -> list[ScaleLimit]:
        if self.views is None or self.network is None:
            return []
        bounds = torch.from_numpy(self.scene.scale_range).to(self.scales)
        return [self.with_ids(limit) for limit in limits(self.views, self.validity, self.scales[0], bounds)]

    def with_ids(self, limit: Limit) -> ScaleLimit:
        """A limit that names objects by their ids instead of their places in the scene."""
        ids, conflict = self.object_ids, limit.conflict
        if conflict is None:
            return ScaleLimit(ids[limit.object], limit.above, limit.scale, None, None, None, [])
        seen, shown = ids[conflict.seen], ids[conflict.shown]
        return ScaleLimit(ids[limit.object], limit.above, limit.scale, seen, shown, conflict.share, conflict.frames)

    def fixed_scales(self, depth: Path | None) -> dict[str, Float[np.ndarray, "object"]]:
        return {} if self.views is None else fixed_scales(self.views, self.scene, depth)

    def edited(self, edits: list[Edit], scales: Float[np.ndarray, "object"]) -> "EditedOsn":
        return EditedOsn(self, layers(edits, scales, self.scene).to(self.device))

    def surface(self, index: int) -> Surface:
        return object_surface(self.fields, object_grid(self.grids, self.fields.fields[index].resolution, index), index)

    def alone(self, index: int, rays: Rays) -> Rendering:
        return render_alone(self.fields, self.grids, index, rays)

    def scale_judge(self) -> ScaleJudge | None:
        return None if self.network is None else network_judge(self.network, self.views, self.views_at_worst)


class EditedOsn(TrainedMethod):
    """A trained OSN of whose objects some are hidden and some were moved."""

    def __init__(self, method: OsnMethod, layers: Layers) -> None:
        super().__init__(method.scene, method.scales, method.scores)
        self.method, self.layers = method, layers

    def render(self, rays: Rays, scales: Float[Tensor, "object"] | None = None) -> Rendering:
        chosen = self.scales[0] if scales is None else scales
        return render_layers(self.method.fields, self.method.grids, rays, chosen, self.layers)


def contradiction_text(views: SoloViews, names: list[str]) -> str:
    """Objects that masks show where their own field is empty, worst first."""
    empty = own_opacity(views) <= GLIMPSE
    shares = [(float(empty[views.objects == k].float().mean()), name) for k, name in enumerate(names) if k]
    worst = [f"{name} is seen where its field is empty in {100 * share:.1f} % of its pixels" for share, name in shares]
    told = [text for (share, _), text in sorted(zip(shares, worst, strict=True), reverse=True) if share > TOLD]
    return "; ".join(told) or "they agree"


def method_from_checkpoint(state: dict[str, Any], scene: Scene, device: torch.device) -> OsnMethod:
    """The trained method in a checkpoint's contents."""
    fields = fields_from_state(state["fields"], device)
    fields.requires_grad_(False)
    network = network_from_state(state["network"], device)
    if network is not None:
        network.requires_grad_(False)
    views, object_views = (
        SoloViews(**state[name]).to(device) if state[name] is not None else None for name in ("views", "object_views")
    )
    scales, scores = (state[name].to(device) for name in ("scales", "scores"))
    return OsnMethod(scene, fields, network, views, scales, scores, object_views)


def method_from_training(kept: dict[str, Any], resume: Path, scene: Scene, device: torch.device) -> OsnMethod:
    """The method as a training left it last: its scales are those that the fields are trained under."""
    samples = ScaleSamples(*kept["pool"])
    if kept["views"] is not None:
        prior = scale_prior(SoloViews(**kept["views"]), scene)
        samples = nearest_first(samples, torch.from_numpy(prior).to(samples.scales))
    state = {**kept, "object_views": None, "scales": samples.scales, "scores": samples.scores}
    return method_from_checkpoint(state, scene, device)
