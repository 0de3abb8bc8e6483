"""Which of the valid scenes lies nearest to the one that was filmed, where nothing but the video can tell?

    python -m benchmarks.suggested_scale --seeds 12 --objects 2 3
    python -m benchmarks.suggested_scale --seeds 0 --truth TRUTH.h5

Prints how far (mean and median of |log s|; 0.1 is 10 %) several choices are from the truth, over all moving objects of
simulated scenes: the middle of all valid scenes, the largest valid scale, contact with what lies behind, the slowest
motion, and the geometric mean of the last two, which is what OSN shows first. From true poses and depths, untrained.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.scene_from_truth import scene_from_truth
from models.osn.validity import contact_scales
from models.osn.z_buffer import SoloViews
from pipeline.config import SimulateSceneConfig
from pipeline.evaluation.scales import TrueRegion, true_region
from pipeline.osn.fixed_scales import scale_prior
from pipeline.scene.object_scales import slowest_scale
from pipeline.simulate_scene import random_world, render_truth
from pipeline.truth.truth_file import Truth, read_truth

LOW, HIGH, SAMPLES = 0.1, 1.9, 4000


def true_views(truth: Truth) -> SoloViews:
    """Every object alone, as perfect fields would show it."""
    depth = torch.from_numpy(truth.solo_depth.astype(np.float32)).flatten(1).T
    ids = torch.from_numpy(truth.train.object_ids.astype(np.int64)).flatten()
    frames = torch.arange(len(truth.train.images)).repeat_interleave(ids.numel() // len(truth.train.images))
    return SoloViews(depth, (depth > 0).float(), ids, torch.ones_like(ids, dtype=torch.bool), frames)


def choices(truth: Truth) -> list[dict[str, float]]:
    """What each way of choosing gives for each moving object; the truth is 1."""
    scene, _, _ = scene_from_truth(truth)
    count = scene.object_count
    scene = replace(scene, scale_range=np.array([[1, 1]] + [[LOW, HIGH]] * (count - 1), np.float32))
    region = true_region(truth, np.ones(count), list(range(count)), {k: k for k in range(count)})
    assert isinstance(region, TrueRegion)
    moving = np.random.default_rng(0).uniform(LOW, HIGH, (SAMPLES, count - 1))
    scales = np.concatenate([np.ones((SAMPLES, 1)), moving], axis=1)
    valid = scales[region.valid(scales)]
    middle = valid[np.linalg.norm(valid[:, None] - valid[None, :500], axis=-1).mean(1).argmin()]
    views, frames = true_views(truth), np.ones(scene.frame_count, bool)
    contact, likely = contact_scales(views), scale_prior(views, scene)
    return [
        {
            "middle of the valid": middle[k],
            "largest valid": valid[:, k].max(),
            "contact": float(contact[k]),
            "slowest motion": slowest_scale(scene, k, frames) or np.nan,
            "contact and motion": likely[k],
        }
        for k in range(1, count)
    ]


def truths(seeds: int, objects: list[int], paths: list[Path]) -> Iterator[Truth]:
    """Small simulated scenes, then those that are given."""
    for count in objects:
        for seed in range(seeds):
            config = SimulateSceneConfig(seed=seed, objects=count, height=60, width=80, frames=24)
            yield render_truth(random_world(config, torch.device("cpu")), config)
    yield from map(read_truth, paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--objects", type=int, nargs="+", default=[2, 3])
    parser.add_argument("--truth", type=Path, nargs="*", default=[], help="truth.h5 of other scenes")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    table = pd.DataFrame(
        [row for truth in truths(chosen.seeds, chosen.objects, chosen.truth) for row in choices(truth)]
    )
    errors = np.log(table).abs()
    print(f"{len(table)} objects")
    print(pd.DataFrame({"mean": errors.mean(), "median": errors.median(), "worst": errors.max()}).round(3).to_string())


if __name__ == "__main__":
    main()
