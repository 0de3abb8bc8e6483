"""Settings that had another name once: an old one is told its new name, and what was written with it can still be read.

The older name and the newer one, as dotted keys of config.yaml; `scenes.*` stands for every scene.
"""

from collections.abc import Mapping, Sequence
from typing import Any

RENAMED_KEYS = {
    "segment_objects.smallest_share": "segment_objects.min_area",
    "segment_objects.border_reach": "segment_objects.boundary_reach",
    "segment_objects.sam_every": "segment_objects.sam_stride",
    "track_points.smallest_spacing_px": "track_points.min_spacing_px",
    "track_points.most_tracks": "track_points.max_tracks",
    "track_points.shortest": "track_points.min_length",
    "track_points.correlation": "track_points.min_ncc",
    "track_points.agreement_px": "track_points.max_disagreement_px",
    "track_points.largest_sigma_px": "track_points.max_sigma_px",
    "track_points.largest_stretch": "track_points.max_stretch",
    "track_points.noise_levels": "track_points.image_noise",
    "reconstruct_objects.guided_rounds": "reconstruct_objects.guided_matching_rounds",
    "pack_scene.longest_gap": "pack_scene.max_gap",
    "train_osn.most_rays": "train_osn.max_rays",
    "train_osn.grid_rate": "train_osn.grid_lr",
    "train_osn.network_rate": "train_osn.network_lr",
    "train_osn.pose_rate": "train_osn.pose_lr",
    "train_osn.last_rate": "train_osn.final_lr_ratio",
    "train_osn.border_trust": "train_osn.border_weight",
    "train_osn.spread_weight": "train_osn.distortion_weight",
    "train_osn.colour_decay": "train_osn.colour_weight_decay",
    "train_osn.variation_weight": "train_osn.total_variation_weight",
    "train_osn.top_share": "train_osn.top_fraction",
    "train_osn.sampling": "train_osn.ablation.sampling",
    "train_osn.network_loss": "train_osn.ablation.network_loss",
    "train_osn.scales": "train_osn.ablation.scales",
    "train_osn.z_buffer": "train_osn.ablation.z_buffer",
    "train_osn.soft_sharpness": "train_osn.ablation.soft_sharpness",
    "train_semantic_flow.labelled_share": "train_semantic_flow.labelled_fraction",
    "train_semantic_flow.carry": "train_semantic_flow.label_propagation_frames",
    "train_semantic_flow.hops": "train_semantic_flow.consistency_frames",
    "train_semantic_flow.moving_share": "train_semantic_flow.moving_fraction",
    "train_semantic_flow.observations": "train_semantic_flow.sparse_points",
    "train_semantic_flow.plane_rate": "train_semantic_flow.grid_lr",
    "train_semantic_flow.network_rate": "train_semantic_flow.network_lr",
    "train_semantic_flow.reference_rate": "train_semantic_flow.reference_lr",
    "train_semantic_flow.last_rate": "train_semantic_flow.final_lr_ratio",
    "train_semantic_flow.frame_colours": "train_semantic_flow.image_based_rendering",
    "train_semantic_flow.weights": "train_semantic_flow.loss_weights",
    "train_semantic_flow.head": "train_semantic_flow.ablation.head",
    "train_semantic_flow.displacement": "train_semantic_flow.ablation.displacement",
    "train_semantic_flow.density_prior": "train_semantic_flow.ablation.density_prior",
    "train_semantic_flow.geometry_feature": "train_semantic_flow.ablation.geometry_feature",
    "train_semantic_flow.static_frozen": "train_semantic_flow.ablation.static_frozen",
}
# Of settings whose choices have other names now: the key as it is now, then the older value and the newer one.
RENAMED_VALUES: dict[str, dict[str, str]] = {}


def new_key(keys: Sequence[str | int]) -> str | None:
    """The dotted name that an old setting has now, if it ever was one."""
    any_scene = ["*" if place == 1 and keys[0] == "scenes" else str(key) for place, key in enumerate(keys)]
    new = RENAMED_KEYS.get(".".join(any_scene))
    return new and new.replace("*", str(keys[1]))


def new_value(keys: Sequence[str | int], value: Any) -> str | None:
    """What an old choice of a setting is called now."""
    choices = RENAMED_VALUES.get(".".join(map(str, keys)), {})
    return choices.get(value) if isinstance(value, str) else None


def with_new_names(section: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's options under the names of today, whenever they were written."""
    renamed: dict[str, Any] = {}
    for key, value in options.items():
        new = new_key((section, key)) or key
        keys = new.removeprefix(f"{section}.").split(".")
        inner = renamed
        for parent in keys[:-1]:
            inner = inner.setdefault(parent, {})
        choice = new_value((section, *keys), value)
        inner[keys[-1]] = {**inner.get(keys[-1], {}), **value} if isinstance(value, dict) else choice or value
    return renamed
