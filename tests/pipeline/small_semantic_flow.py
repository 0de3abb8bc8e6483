"""Settings with which Semantic Flow trains on a tiny scene in a moment."""

from pipeline.config import TrainSemanticFlowConfig

SMALL = {
    "static_rays": 256,
    "rays": 256,
    "shards": 2,
    "sparse_points": 32,
    "semantic_rays": 96,
    "warped_rays": 32,
    "coarse_samples": 32,
    "fine_samples": 12,
    "static_cells": 30000,
    "static_resolution": 64,
    "static_channels": 4,
    "dynamic_resolution": 24,
    "dynamic_channels": 4,
    "velocity_resolution": 8,
    "feature_channels": 8,
    "resume_seconds": 1e-9,
}


def small(**changes: object) -> TrainSemanticFlowConfig:
    """The small settings with some changed."""
    return TrainSemanticFlowConfig.model_validate({**SMALL, **changes})
