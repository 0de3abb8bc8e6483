"""What a job asks of a cluster: memory and run time that grow with the video, its objects and the steps of a training.

The slopes are twice (memory) and four times (time) what `python -m benchmarks.job_size` read from the records of simulated
scenes of two objects, 12 frames of 128x96 to 40 frames of 480x360, on one core. A job that was ended for too little
of either is tried again and asks for more.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from pipeline.config import TrainBaselineConfig, TrainOsnConfig, TrainSemanticFlowConfig

MEASURED_OBJECTS = 3  # those of the scenes that were measured, the background among them


@dataclass(frozen=True)
class Size:
    """A video as stages see it: megapixels of all its frames together, and its objects with the background."""

    megapixels: float
    objects: int

    @property
    def work(self) -> float:
        """Megapixels of a scene of as many objects as those that were measured, which ask for as much."""
        return self.megapixels * max(1.0, self.objects / MEASURED_OBJECTS)


@dataclass(frozen=True)
class Demand:
    """What a stage needs: at the least, and for each megapixel of its work."""

    memory_mb: int
    memory_slope: float
    minutes: int
    minutes_slope: float = 0.0


DEMANDS: Mapping[str, Demand] = {
    "simulate_scene": Demand(2000, 320, 10, 2.8),
    "import_dataset": Demand(2000, 60, 20, 0.5),
    "extract_frames": Demand(2000, 20, 20, 0.1),
    "estimate_flow": Demand(4000, 40, 20, 0.3),
    "segment_objects": Demand(4000, 160, 20, 1.0),
    "track_points": Demand(3000, 40, 15, 0.5),
    "reconstruct_objects": Demand(3000, 100, 30, 4.0),
    "refine_masks": Demand(3000, 160, 15, 0.5),
    "choose_method": Demand(1000, 1, 5),
    "pack_scene": Demand(2000, 100, 10, 0.3),
    "estimate_depth": Demand(6000, 100, 30, 3.0),
    "train_osn": Demand(4000, 60, 30),
    "train_semantic_flow": Demand(4000, 180, 30),
    "train_baseline": Demand(4000, 60, 30),
    "train_shared_semantics": Demand(6000, 180, 60),
    "render_views": Demand(4000, 120, 20, 6.0),
    "export_splats": Demand(4000, 60, 30, 2.0),
    "evaluate": Demand(4000, 180, 20, 1.0),
    "report": Demand(3000, 100, 15, 0.5),
    "export_masks": Demand(2000, 40, 15, 0.2),
    "export_geometry": Demand(2000, 40, 15, 0.2),
    "export_dataset": Demand(2000, 60, 15, 0.3),
    "export_objects": Demand(4000, 40, 30),
}
# A thousand steps of a training, minutes: five times what the demo's take on two cores; a GPU is faster.
MINUTES_OF_STEPS = 15.0
TIME_MARGIN, STEPS_MARGIN = 4.0, 5.0  # by which what was measured was multiplied, in the slopes above and in the steps
# What a step of each training works on, in the default preset.
SAMPLES_OF_STEP = {
    "train_osn": TrainOsnConfig().samples_per_step,
    "train_semantic_flow": TrainSemanticFlowConfig().rays,
    "train_baseline": TrainBaselineConfig().hexplane.rays * TrainBaselineConfig().hexplane.fine_samples,
}
# How often a step looks at a sample: those of NSFF and DynNeRF are looked for in neighbouring frames, too.
LOOKS = {"nsff": 5, "dynnerf": 5}


def memory_mb(stage: str, size: Size, attempt: int) -> int:
    """Memory to ask for, megabytes; each further attempt asks for as much again."""
    demand = DEMANDS[stage]
    return attempt * ceil(demand.memory_mb + demand.memory_slope * size.work)


def run_minutes(stage: str, size: Size, attempt: int, training_minutes: float = 0.0) -> int:
    """Run time to ask for, minutes; each further attempt asks for as much again."""
    demand = DEMANDS[stage]
    return attempt * ceil(demand.minutes + demand.minutes_slope * size.work + training_minutes)


def usual_seconds(stage: str, size: Size, training_minutes: float = 0.0) -> float:
    """About what a stage takes on one core: what was measured before it was multiplied; 0 where size does not tell."""
    slope = DEMANDS[stage].minutes_slope if stage in DEMANDS else 0.0
    return 60 * (slope * size.work / TIME_MARGIN + training_minutes / STEPS_MARGIN)


def training_minutes(stage: str, options: Mapping[str, Any]) -> float:
    """What the steps of a training may take, by its settings."""
    method = options.get("method", "")
    if stage == "train_baseline":
        options = options[method]
    if "samples_per_step" in options:  # fields of objects, as OSN has them
        stage = "train_osn"
        samples = (options["bootstrap_steps"] + options["steps"]) * options["samples_per_step"]
    elif stage == "train_baseline":
        looks = LOOKS.get(method, 1)
        samples = options["steps"] * options["rays"] * options["fine_samples"] * looks
    else:
        samples = options["static_steps"] * options["static_rays"] + options["steps"] * options["rays"]
    return samples / SAMPLES_OF_STEP[stage] / 1000 * MINUTES_OF_STEPS


def scene_size(results: Path, expected: Size) -> Size:
    """The size of a scene, by its frames and objects as far as they are known by now, else as its settings allow."""
    info, found = read(results / "frames.json"), read(results / "objects.json")
    frames, objects = info.get("frames"), found.get("objects")
    return Size(
        len(frames) * info["height"] * info["width"] / 1e6 if frames else expected.megapixels,
        max(1, len(objects)) if isinstance(objects, list) else expected.objects,
    )


def read(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing where there is none yet, or none that is whole: its stage says what is wrong."""
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
