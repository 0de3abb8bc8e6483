"""An imported scene taken through all stages to metrics in one process, with a cast world in the place of training."""

import json
from collections.abc import Callable
from pathlib import Path

from pipeline.check_inputs import check_inputs
from pipeline.config import (
    CheckInputsConfig,
    EstimateFlowConfig,
    EvaluateConfig,
    ExtractFramesConfig,
    ImportDatasetConfig,
    PackSceneConfig,
    ReconstructObjectsConfig,
    RenderViewsConfig,
    SegmentObjectsConfig,
    TrackPointsConfig,
)
from pipeline.estimate_flow import estimate_flow
from pipeline.evaluate import evaluate
from pipeline.extract_frames import extract_frames
from pipeline.import_dataset import import_dataset
from pipeline.pack_scene import pack_scene
from pipeline.reconstruct_objects import reconstruct_objects
from pipeline.render_views import render_views
from pipeline.segment_objects import segment_objects
from pipeline.track_points import track_points

FEW_VIEWS = RenderViewsConfig(
    observed_frames=2, path_frames=2, held_out_frames=3, held_out_samples=0, held_out_candidates=2, scale_samples=1
)


def given(folder: Path, name: str) -> Path | None:
    """A part of an imported scene, if it is there."""
    return folder / name if (folder / name).exists() else None


def run_to_metrics(dataset: str, work: Path, train: Callable[[Path], None]) -> dict[str, str]:
    """Leaves metrics.csv of a data set's scene; what the checks understood of it. `train` writes a checkpoint."""
    imported = work / "dataset"
    import_dataset(Path(dataset), imported, ImportDatasetConfig())
    parts = [given(imported, name) for name in ("masks", "transforms.json", "labels", "depth", "truth.h5")]
    mask_folder, poses, _, depth, truth = parts
    frames, info, flow = work / "frames", work / "frames.json", work / "flow.h5"
    extract_frames(imported / "images", poses, frames, info, ExtractFramesConfig())
    check_inputs(info, *parts, work / "inputs.json", CheckInputsConfig())
    estimate_flow(frames, None, flow, EstimateFlowConfig())
    masks, objects, tracks = work / "masks.h5", work / "objects.json", work / "tracks.h5"
    segment_objects(frames, info, flow, mask_folder, None, masks, objects, SegmentObjectsConfig())
    track_points(frames, flow, masks, tracks, TrackPointsConfig())
    model, geometry, scene = work / "reconstruction", work / "geometry.json", work / "scene.h5"
    reconstruct_objects(frames, info, tracks, masks, objects, poses, model, geometry, ReconstructObjectsConfig())
    pack_scene(frames, info, flow, masks, objects, model, geometry, scene, PackSceneConfig())
    checkpoint, renders = work / "cast" / "checkpoint.pt", work / "cast" / "renders"
    train(checkpoint)
    render_views(checkpoint, scene, info, depth, truth, renders, FEW_VIEWS)
    results = work / "metrics.csv", work / "evaluation.json"
    judged = (scene, info, flow, masks, geometry, [checkpoint], [renders], [], [], truth, None, None)
    evaluate(*judged, *results, EvaluateConfig())
    understood: dict[str, str] = json.loads((work / "inputs.json").read_text())
    return understood
