"""What to render of a scene: which frames, from where, under which scales."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pipeline.cameras import Intrinsics
from pipeline.config import RenderViewsConfig
from pipeline.formats.renders_folder import Kind, RenderSet, planned_set
from pipeline.formats.scene_file import Scene
from pipeline.geometry.camera_paths import aside_view, evenly_chosen, orbit, path_frames
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.valid_scales import ValidScales
from pipeline.runtime.errors import StageError
from pipeline.scene.edit_requests import edit_caption, edits_by_video
from pipeline.truth.alignment import TruthAlignment, align_to_truth, held_out_camera, nearest_scales
from pipeline.truth.truth_file import TrueScenes, Truth

log = logging.getLogger(__name__)
LEAST_SHARE = 0.5  # of an object's largest valid scale, in the scenes shown side by side


@dataclass(frozen=True)
class Plan:
    """One set to render: what it is called, and where its cameras stand in the estimated world.

    `cameras` are those of the views where they are not the scene's; all have one size.
    """

    entry: RenderSet
    world_from_camera: Float[np.ndarray, "view 4 4"]
    cameras: list[Intrinsics] | None = None

    def views(self, camera: Intrinsics) -> list[tuple[int, np.ndarray, Intrinsics]]:
        """Frame, pose and camera of each view; `camera` is the scene's."""
        cameras = self.cameras or [camera] * len(self.entry.frames)
        return list(zip(self.entry.frames, self.world_from_camera, cameras, strict=True))


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
    chosen = spread_samples(valid.scales, count, valid.unoccluded)
    if len(chosen) < 2:
        return []
    busiest = busiest_frame(scene, frames)
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


def plan_edits(
    method: TrainedMethod, scales: Float[np.ndarray, "object"], config: RenderViewsConfig
) -> list[tuple[Plan, TrainedMethod]]:
    """The scenes that edits ask for, each as the video's own views of the method so edited, under one scale vector."""
    plans = []
    for number, edits in enumerate(edits_by_video(config.edits)):
        caption = ", ".join(map(edit_caption, edits))
        plan = plan_edit(method.scene, number, caption, config.edit_frames, scales.tolist())
        plans.append((plan, method.edited(edits, scales)))
    return plans


def plan_edit(scene: Scene, number: int, caption: str, count: int, scale: list[float]) -> Plan:
    """The video's own views, for a scene that was changed."""
    frames = np.flatnonzero(scene.visible[0])
    shown = frames[evenly_chosen(len(frames), count)].tolist()
    entry = planned_set(f"edit_{number:03d}", "edit", scale, 1.0, shown, caption=caption, fps=frame_rate(scene, shown))
    return Plan(entry, scene.object_from_camera[0, shown].astype(np.float64))


@dataclass(frozen=True)
class HeldOut:
    """Truth's test cameras whose time was extracted and reconstructed, in the estimated world."""

    rows: list[int]
    frames: list[int]
    world_from_camera: Float[np.ndarray, "view 4 4"]
    cameras: list[Intrinsics]
    alignment: TruthAlignment

    def plan(
        self, scene: Scene, name: str, kind: Kind, scale: Float[np.ndarray, "object"], score: float, **more: object
    ) -> Plan:
        """All these views under one scale vector."""
        rate = frame_rate(scene, self.frames)
        entry = planned_set(name, kind, scale.tolist(), score, self.frames, views=self.rows, fps=rate, **more)
        return Plan(entry, self.world_from_camera, self.cameras)


def held_out_cameras(scene: Scene, info: dict[str, Any], truth: Truth, config: RenderViewsConfig) -> HeldOut | None:
    """Evenly chosen ones, or those from which truth shows its other scenes; None where there is none."""
    alignment = align_to_truth(scene, info, truth)
    frame_of_time = {int(f["source_index"]): i for i, f in enumerate(info["frames"]) if scene.visible[0, i]}
    rows = [row for row, time in enumerate(truth.test.time) if int(time) in frame_of_time]
    if truth.scenes:
        rows = [row for row in truth.scenes.rows.tolist() if row in rows]
    if not rows:
        log.warning(
            "truth holds no test view of a time that was extracted and reconstructed: no held-out view is rendered"
        )
        return None
    rows = [rows[index] for index in evenly_chosen(len(rows), config.held_out_frames)]
    frames = [frame_of_time[int(truth.test.time[row])] for row in rows]
    poses = alignment.estimated_from_true.poses(truth.test.world_from_camera[rows].astype(np.float64))
    return HeldOut(rows, frames, poses, [held_out_camera(scene.camera, truth, row) for row in rows], alignment)


def plan_judged(
    method: TrainedMethod,
    valid: ValidScales,
    info: dict[str, Any],
    depth: Path | None,
    truth: Truth,
    config: RenderViewsConfig,
) -> list[Plan]:
    """All that is rendered only to be judged: truth's test views, of the filmed scene and of the others that truth knows."""
    scene, views = method.scene, held_out_cameras(method.scene, info, truth, config)
    if views is None:
        return []
    others = plan_scenes(scene, valid, truth.scenes, views, config) if truth.scenes else []
    return plan_held_out(scene, valid, method.fixed_scales(depth), views, config) + others


def plan_held_out(
    scene: Scene, valid: ValidScales, fixed: dict[str, np.ndarray], views: HeldOut, config: RenderViewsConfig
) -> list[Plan]:
    """Truth's test views: of the valid scenes nearest to the true one, of some others, and at fixed scales."""
    nearest = candidates(scene, valid, views.alignment.true_scales, config)
    several = len(valid.scales) > 1
    samples = evenly_chosen(len(valid.scales), config.held_out_samples) if several and config.held_out_samples else []
    chosen: list[tuple[Kind, list[int]]] = [("held_out", nearest), ("sample", samples)]
    plans = [
        views.plan(scene, f"{kind}_{number:03d}", kind, valid.scales[index], float(valid.scores[index]))
        for kind, indices in chosen
        for number, index in enumerate(indices)
    ]
    return plans + [views.plan(scene, f"fixed_{name}", "fixed", scale, 1.0) for name, scale in fixed.items()]


def candidates(
    scene: Scene, valid: ValidScales, true_scales: Float[np.ndarray, "object"], config: RenderViewsConfig
) -> list[int]:
    """The valid scenes of which each number's best is taken: the nearest to the true scales, and some that come next.

    Where more are asked for, nearness is OSN's (sample.py): the Euclidean distance of scales as parts of their ranges.
    """
    count, more = config.held_out_candidates, config.held_out_more
    if not more:
        return nearest_scales(valid.scales, true_scales, count)
    low, high = scene.scale_range.astype(np.float64).T
    known = np.isfinite(true_scales) & (high > low)
    away = np.linalg.norm(((valid.scales - true_scales) / np.where(high > low, high - low, 1))[:, known], axis=1)
    order = np.argsort(away, kind="stable")
    next_ones = order[count : count + 2 * more]
    drawn = np.random.default_rng(0).choice(next_ones, min(more, len(next_ones)), replace=False)
    return [*order[:count].tolist(), *drawn.tolist()]


def plan_scenes(
    scene: Scene, valid: ValidScales, scenes: TrueScenes, views: HeldOut, config: RenderViewsConfig
) -> list[Plan]:
    """The same views of the valid scenes nearest to each of the scenes that truth knows besides the one filmed."""
    return [
        views.plan(
            scene, f"scene_{row:03d}_{number}", "scene", valid.scales[index], float(valid.scores[index]), scene_row=row
        )
        for row, scales in enumerate(scenes.scales)
        for number, index in enumerate(
            nearest_scales(valid.scales, views.alignment.scales_of(scales), config.held_out_candidates)
        )
    ]


def spread_samples(
    scales: Float[np.ndarray, "sample object"], count: int, unoccluded: Bool[np.ndarray, "sample"]
) -> list[int]:
    """The best sample, then always the one farthest (by ratio) from all chosen; fewer where samples repeat.

    Objects much nearer than they could be are passed over: valid as they are, they leave the picture of a new view.
    So are scenes that are only just valid: in these, objects have begun to sink into others.
    """
    candidates = unoccluded if unoccluded.sum() >= count else np.ones(len(scales), bool)
    near = (scales >= LEAST_SHARE * scales[candidates].max(0)).all(1) & candidates
    shown = np.flatnonzero(near if near.sum() >= count else candidates)
    shown = np.concatenate([[0], shown[shown != 0]])
    logs = np.log(scales[shown])
    chosen, distance = [0], np.linalg.norm(logs - logs[0], axis=1)
    while len(chosen) < count and distance.max() > 1e-3:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(logs - logs[chosen[-1]], axis=1))
    return shown[chosen].tolist()


def busiest_frame(scene: Scene, frames: Int[np.ndarray, "frame"]) -> int:
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
