"""An imported scene taken through all stages to metrics, in one process and with few steps."""

from pathlib import Path

from pipeline.config import (
    EstimateFlowConfig,
    EvaluateConfig,
    ExtractFramesConfig,
    ImportDatasetConfig,
    PackSceneConfig,
    ReconstructObjectsConfig,
    RenderViewsConfig,
    SegmentObjectsConfig,
    TrackPointsConfig,
    TrainOsnConfig,
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
from pipeline.train_osn import train_osn

FEW_STEPS = TrainOsnConfig.model_validate(
    {
        "bootstrap_steps": 10,
        "steps": 20,
        "rounds": 1,
        "round_steps": 5,
        "samples_per_step": 4096,
        "grids": [16, 20],
        "network_steps": 40,
        "scale_samples": 20,
    }
)
FEW_VIEWS = RenderViewsConfig(
    observed_frames=2, path_frames=2, held_out_frames=3, held_out_samples=0, held_out_candidates=2, scale_samples=1
)


def given(folder: Path, name: str) -> Path | None:
    """A part of an imported scene, if it is there."""
    return folder / name if (folder / name).exists() else None


def run_to_metrics(dataset: str, work: Path) -> Path:
    """metrics.csv of a data set's scene."""
    imported = work / "dataset"
    import_dataset(Path(dataset), imported, ImportDatasetConfig())
    poses, truth = given(imported, "transforms.json"), given(imported, "truth.h5")
    frames, info, flow = work / "frames", work / "frames.json", work / "flow.h5"
    extract_frames(imported / "images", poses, frames, info, ExtractFramesConfig())
    estimate_flow(frames, None, flow, EstimateFlowConfig())
    masks, objects, tracks = work / "masks.h5", work / "objects.json", work / "tracks.h5"
    segment_objects(frames, info, flow, given(imported, "masks"), None, masks, objects, SegmentObjectsConfig())
    track_points(frames, flow, masks, tracks, TrackPointsConfig())
    model, geometry, scene = work / "reconstruction", work / "geometry.json", work / "scene.h5"
    reconstruct_objects(frames, info, tracks, masks, objects, poses, model, geometry, ReconstructObjectsConfig())
    pack_scene(frames, info, flow, masks, objects, model, geometry, scene, PackSceneConfig())
    trained = work / "osn"
    checkpoint, renders = trained / "checkpoint.pt", trained / "renders"
    trained.mkdir()
    train_osn(scene, None, checkpoint, trained / "history.csv", trained / "scales.csv", FEW_STEPS)
    render_views(checkpoint, scene, info, None, truth, renders, FEW_VIEWS)
    metrics, notes = work / "metrics.csv", work / "evaluation.json"
    evaluate(
        scene,
        info,
        flow,
        masks,
        geometry,
        [checkpoint],
        [renders],
        [],
        [],
        truth,
        None,
        None,
        metrics,
        notes,
        EvaluateConfig(),
    )
    return metrics
