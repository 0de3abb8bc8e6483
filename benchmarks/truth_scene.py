"""The true scene with what Semantic Flow needs beside it: estimated flow, and sparse noisy depths as SfM gives them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.scene_from_truth import scene_from_truth
from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.backends import dis
from pipeline.correspondence.flow_warping import consistent_pixels
from pipeline.formats.scene_file import Scene
from pipeline.truth.truth_file import TruthViews, read_truth

DEPTH_NOISE = 0.005
KEPT_OBSERVATIONS = 0.2


def truth_scene(path: Path, factor: int = 1, seed: int = 0) -> tuple[Scene, TruthViews]:
    """The scene of a truth file, and its held-out views with cameras in the scene's world."""
    scene, test, centre = scene_from_truth(read_truth(path), factor)
    poses = test.world_from_camera.astype(np.float64).copy()
    poses[:, :3, 3] -= centre
    return with_flow(with_sparse_depth(scene, seed)), replace(test, world_from_camera=poses)


def with_sparse_depth(scene: Scene, seed: int) -> Scene:
    """A share of the observations, with noise on their depth."""
    rng = np.random.default_rng(seed)
    kept = rng.random(len(scene.observation_depth)) < KEPT_OBSERVATIONS
    noise = 1 + DEPTH_NOISE * rng.standard_normal(int(kept.sum()))
    return replace(
        scene,
        observation_object=scene.observation_object[kept],
        observation_frame=scene.observation_frame[kept],
        observation_xy=scene.observation_xy[kept],
        observation_depth=(scene.observation_depth[kept] * noise).astype(np.float32),
        observation_weight=scene.observation_weight[kept],
    )


def with_flow(scene: Scene) -> Scene:
    """The same scene with flow estimated from its images in both directions."""
    model, pairs = dis.load(None, torch.device("cpu")), list(zip(scene.images[:-1], scene.images[1:], strict=True))
    forward = np.stack(dis.find(model, pairs, EstimateFlowConfig()))
    backward = np.stack(dis.find(model, [(b, a) for a, b in pairs], EstimateFlowConfig()))
    return replace(
        scene,
        flow_forward=forward,
        flow_backward=backward,
        flow_forward_valid=np.stack([consistent_pixels(f, b, 1.0) for f, b in zip(forward, backward, strict=True)]),
        flow_backward_valid=np.stack([consistent_pixels(b, f, 1.0) for f, b in zip(forward, backward, strict=True)]),
    )
