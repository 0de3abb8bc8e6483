"""Named sets of settings: `preset: draft` in config.yaml, for all scenes or for one; what a person sets counts more.

`default` is what pipeline/settings/ says. `paper` takes the sizes and numbers of steps of the released configurations
(OSN: 30 000 steps of fields in all; Semantic Flow: 60 000 and 80 000 steps of its pixel-aligned networks; HexPlane
25 000 and TiNeuVox 20 000 steps of 4096 rays; NSFF and DynNeRF 300 000 steps of 1024 rays, DynNeRF twice; Total-Recon: its
share of steps of each object alone, 120 epochs of 150, of as many steps as OSN's), for a GPU.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.config import PresetName
from pipeline.runtime.overlay import overlaid

Sections = Mapping[str, Mapping[str, Any]]

DRAFT: Sections = {
    "extract_frames": {"max_size": 320, "max_frames": 40},
    "reconstruct_objects": {"guided_matching_rounds": 1, "mapping_tracks": 600, "adjustment_tracks": 1500},
    "train_osn": {
        "bootstrap_steps": 80,
        "steps": 320,
        "rounds": 2,
        "round_steps": 40,
        "network_steps": 150,
        "grids": [32, 56, 80],
        "samples_per_step": 24576,
    },
    "train_semantic_flow": {
        "static_steps": 240,
        "steps": 240,
        "adaptation_steps": 120,
        "static_rays": 1536,
        "rays": 1024,
        "static_resolution": 128,
        "static_cells": 4e5,
        "dynamic_resolution": 64,
    },
    "train_baseline": {
        "hexplane": {"steps": 600, "grids": [32, 44, 56, 72], "time_grids": [8, 10, 12, 16]},
        "tineuvox": {"steps": 500, "grids": [25, 33, 41, 49]},
        "nsff": {"steps": 400, "grids": [40, 60, 88], "dynamic_grids": [32, 48, 64]},
        "dynnerf": {"steps": 500, "grids": [40, 60, 88, 88, 88], "dynamic_grids": [32, 32, 32, 48, 64]},
        "total_recon": {"bootstrap_steps": 100, "steps": 300, "grids": [32, 56, 80], "samples_per_step": 24576},
    },
    "render_views": {
        "observed_frames": 4,
        "path_frames": 8,
        "held_out_frames": 4,
        "held_out_samples": 2,
        "edit_frames": 8,
    },
    "export_splats": {"steps": 80, "background_splats": 16000, "observed_views": 8, "turned_views": 4},
}

QUALITY: Sections = {
    "extract_frames": {"max_size": 720, "max_frames": 200},
    "reconstruct_objects": {"guided_matching_rounds": 3, "mapping_tracks": 2000, "adjustment_tracks": 8000},
    "train_osn": {
        "bootstrap_steps": 600,
        "steps": 12000,
        "rounds": 4,
        "round_steps": 600,
        "network_steps": 1000,
        "grids": [48, 80, 128, 192],
        "colour_channels": 48,
        "samples_per_step": 81920,
    },
    "train_semantic_flow": {
        "static_steps": 6000,
        "steps": 10000,
        "adaptation_steps": 3000,
        "static_resolution": 256,
        "static_cells": 4e6,
        "dynamic_resolution": 160,
        "velocity_resolution": 48,
        "fine_samples": 32,
    },
    "train_baseline": {
        "hexplane": {
            "steps": 12000,
            "rays": 2048,
            "fine_samples": 64,
            "grids": [64, 92, 132, 192],
            "time_grids": [16, 24, 32, 48],
            "density_channels": 16,
            "colour_channels": 32,
            "width": 128,
            "grid_lr": 0.02,
            "network_lr": 0.001,
        },
        "tineuvox": {
            "steps": 10000,
            "rays": 2048,
            "fine_samples": 64,
            "grids": [49, 65, 97, 129],
            "width": 128,
            "deformation_lr": 6e-4,
            "network_lr": 8e-4,
        },
        "nsff": {
            "steps": 10000,
            "rays": 1024,
            "moving_rays": 512,
            "fine_samples": 48,
            "grids": [64, 104, 160],
            "dynamic_grids": [40, 64, 104],
            "time_grids": [16, 32, 64],
            "width": 128,
            "grid_lr": 0.02,
            "network_lr": 0.001,
        },
        "dynnerf": {
            "steps": 16000,
            "rays": 1024,
            "fine_samples": 48,
            "grids": [64, 104, 160, 160, 160],
            "dynamic_grids": [40, 40, 40, 64, 104],
            "time_grids": [16, 16, 16, 32, 64],
            "width": 128,
            "grid_lr": 0.02,
            "network_lr": 0.001,
        },
        "total_recon": {
            "bootstrap_steps": 3000,
            "steps": 9600,
            "grids": [48, 80, 128, 192],
            "colour_channels": 48,
            "samples_per_step": 81920,
        },
    },
    "render_views": {"observed_frames": 16, "path_frames": 60, "held_out_frames": 24, "held_out_samples": 8},
    "export_splats": {"steps": 500, "background_splats": 40000, "object_splats": 8000, "max_size": 480},
}

PAPER: Sections = {
    "train_osn": {
        "bootstrap_steps": 1000,
        "steps": 29000,
        "rounds": 5,
        "round_steps": 1000,
        "network_steps": 1000,
        "network_batch": 4096,
        "grids": [64, 85, 113, 150, 200],
        "colour_channels": 48,
        "samples_per_step": 196608,
    },
    "train_semantic_flow": {
        "body": "reference",
        "static_steps": 60000,
        "steps": 80000,
        "adaptation_steps": 2000,
        "static_rays": 1024,
        "rays": 1024,
        "moving_fraction": 0.5,
        "fine_samples": 64,
        "semantic_samples": 64,
        "substeps": 2,
        "feature_channels": 64,
        "label_propagation_frames": 0,
        "unlabelled_rgb": False,
        "image_based_rendering": False,
    },
    "train_baseline": {
        "hexplane": {
            "steps": 25000,
            "rays": 4096,
            "coarse_samples": 256,
            "fine_samples": 192,
            "grids": [64, 93, 136, 200],
            "time_grids": [16, 44, 82, 128],
            "density_channels": 24,
            "colour_channels": 48,
            "width": 128,
            "density_shift": -10.0,
            "grid_lr": 0.02,
            "network_lr": 0.001,
        },
        "tineuvox": {
            "steps": 20000,
            "rays": 4096,
            "coarse_samples": 256,
            "fine_samples": 192,
            "grids": [80, 101, 127, 160],
            "channels": 6,
            "width": 256,
            "alpha": 1e-3,
            "deformation_lr": 6e-4,
            "network_lr": 8e-4,
        },
        "nsff": {
            "body": "reference",
            "steps": 300000,
            "rays": 1024,
            "moving_rays": 512,
            "coarse_samples": 128,
            "fine_samples": 128,
            "network_lr": 5e-4,
            "decay": 0.0,
        },
        "dynnerf": {
            "body": "reference",
            "steps": 600000,
            "rays": 1024,
            "coarse_samples": 64,
            "fine_samples": 64,
            "network_lr": 5e-4,
            "decay": 0.0,
        },
        "total_recon": {
            "bootstrap_steps": 24000,
            "steps": 6000,
            "grids": [64, 85, 113, 150, 200],
            "colour_channels": 48,
            "samples_per_step": 196608,
        },
    },
}

PRESETS: Mapping[PresetName, Sections] = {"draft": DRAFT, "default": {}, "quality": QUALITY, "paper": PAPER}


def with_preset(name: PresetName, stage: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's settings of a preset, in which those that a person gave replace the preset's."""
    return overlaid(PRESETS[name].get(stage, {}), given)
