"""What to render of a scene: which frames, from where, under which scales."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from pipeline.camera_paths import aside_view, evenly_chosen, orbit, path_frames
from pipeline.config import RenderViewsConfig
from pipeline.errors import StageError
from pipeline.renders_folder import RenderSet, planned_set
from pipeline.scene_file import Scene
from pipeline.truth_alignment import align_to_truth, nearest_scales
from pipeline.truth_file import Truth

log = logging.getLogger(__name__)
LEAST_SHARE = 0.5  # of an object's largest valid scale, in the scenes shown side by side


@dataclass(frozen=True)
class Plan:
    """One set to render: what it is called, and where its cameras stand in the estimated world."""

    entry: RenderSet
    world_from_camera: Float[np.ndarray, "view 4 4"]

    @property
    def views(self) -> list[tuple[int, np.ndarray]]:
        """Frame and camera of each view."""
        return list(zip(self.entry.frames, self.world_from_camera, strict=True))


@dataclass(frozen=True)
class ValidScales:
    """The valid scenes of a method, best first."""

    scales: Float[np.ndarray, "sample object"]
    scores: Float[np.ndarray, "sample"]


def plan_views(scene: Scene, valid: ValidScales, config: RenderViewsConfig) -> list[Plan]:
    """What is rendered of every scene."""
    frames = np.flatnonzero(scene.visible[0])
    if len(frames) == 0:
        raise StageError("the scene has no frame with a known camera, so nothing can be rendered; see geometry.json")
    poses = scene.object_from_camera[0, frames].astype(np.float64)
    depth = viewing_depth(scene)
    best, score = valid.scales[0].tolist(), float(valid.scores[0])
    observed = evenly_chosen(len(frames), config.observed_frames)
    path = path_frames(len(frames), config.path_frames)
    shown = frames[observed].tolist()
    return [
        Plan(planned_set("observed", "observed", best, score, shown, fps=frame_rate(scene, shown)), poses[observed]),
        Plan(
            planned_set("path", "path", best, score, frames[path].tolist(), fps=path_rate(scene, len(path))),
            orbit(poses, depth, len(path)),
        ),
        *plan_scales(scene, valid, frames, depth, config.scale_samples),
    ]


def plan_scales(
    scene: Scene, valid: ValidScales, frames: Int[np.ndarray, "frame"], depth: float, count: int
) -> list[Plan]:
    """Different valid scenes at one time, each as observed and from one view aside; none where there is one scene."""
    chosen = spread_samples(valid.scales, count)
    if len(chosen) < 2:
        return []
    busiest = clearest_frame(scene, frames)
    poses = scene.object_from_camera[0, frames].astype(np.float64)
    views = np.stack([poses[busiest], aside_view(poses, busiest, depth)])
    frame = int(frames[busiest])
    return [
        Plan(
            planned_set(
                f"scales_{number:03d}",
                "scales",
                valid.scales[sample].tolist(),
                float(valid.scores[sample]),
                [frame, frame],
                fps=1.0,
            ),
            views,
        )
        for number, sample in enumerate(chosen)
    ]


def plan_edit(scene: Scene, number: int, caption: str, count: int) -> Plan:
    """The video's own views, for a scene that was changed."""
    frames = np.flatnonzero(scene.visible[0])
    shown = frames[evenly_chosen(len(frames), count)].tolist()
    ones = [1.0] * scene.object_count
    entry = planned_set(f"edit_{number:03d}", "edit", ones, 1.0, shown, caption=caption, fps=frame_rate(scene, shown))
    return Plan(entry, scene.object_from_camera[0, shown].astype(np.float64))


def plan_held_out(
    scene: Scene, valid: ValidScales, info: dict[str, Any], truth: Truth, config: RenderViewsConfig
) -> list[Plan]:
    """Truth's test views whose time was extracted, under the valid scales nearest to the true ones."""
    alignment = align_to_truth(scene, info, truth)
    frame_of_time = {int(f["source_index"]): i for i, f in enumerate(info["frames"]) if scene.visible[0, i]}
    views = [row for row, time in enumerate(truth.test.time) if int(time) in frame_of_time]
    if not views:
        log.warning(
            "truth holds no test view of a time that was extracted and reconstructed: no held-out view is rendered"
        )
        return []
    views = [views[index] for index in evenly_chosen(len(views), config.held_out_frames)]
    frames = [frame_of_time[int(truth.test.time[view])] for view in views]
    poses = alignment.estimated_from_true.poses(truth.test.world_from_camera[views].astype(np.float64))
    nearest = nearest_scales(valid.scales, alignment.true_scales, config.held_out_candidates)
    return [
        Plan(
            planned_set(
                f"held_out_{number:03d}",
                "held_out",
                valid.scales[sample].tolist(),
                float(valid.scores[sample]),
                frames,
                views=views,
                fps=frame_rate(scene, frames),
            ),
            poses,
        )
        for number, sample in enumerate(nearest)
    ]


def spread_samples(scales: Float[np.ndarray, "sample object"], count: int) -> list[int]:
    """The best sample, then always the one farthest (by ratio) from all chosen; fewer where samples repeat.

    Objects much nearer than they could be are passed over: valid as they are, they leave the picture of a new view.
    """
    shown = np.flatnonzero((scales >= LEAST_SHARE * scales.max(0)).all(1))
    shown = shown if len(shown) >= count else np.arange(len(scales))
    logs = np.log(scales[shown])
    chosen, distance = [0], np.linalg.norm(logs - logs[0], axis=1)
    while len(chosen) < count and distance.max() > 1e-3:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(logs - logs[chosen[-1]], axis=1))
    return shown[chosen].tolist()


def clearest_frame(scene: Scene, frames: Int[np.ndarray, "frame"]) -> int:
    """The frame (as an index into `frames`) that shows most of the object that shows least."""
    areas = [(scene.object_ids[frames] == index).mean((1, 2)) for index in range(1, scene.object_count)]
    return int(np.min(areas, axis=0).argmax()) if areas else len(frames) // 2


def viewing_depth(scene: Scene) -> float:
    """Median depth of the background's points, or the middle of the scene's range where there are none."""
    depths = scene.observation_depth[scene.observation_object == 0]
    return float(np.median(depths)) if len(depths) else float(np.sqrt(scene.depth_range[0] * scene.depth_range[1]))


def frame_rate(scene: Scene, frames: list[int]) -> float:
    """Frames a second at which a choice of frames plays at the video's own speed."""
    seconds = float(scene.times_s[frames[-1]] - scene.times_s[frames[0]])
    return float(np.clip((len(frames) - 1) / seconds, 1, 60)) if seconds > 0 else 10.0


def path_rate(scene: Scene, count: int) -> float:
    """Frames a second at which the path lasts as long as the clip, but at least 8 so that it looks smooth."""
    seconds = float(scene.times_s[-1] - scene.times_s[0])
    return float(np.clip(count / seconds, 8, 30)) if seconds > 0 else 10.0
