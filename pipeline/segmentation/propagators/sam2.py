"""Masks followed through the video by SAM 2 (Ravi et al., 2024) or EdgeTAM (Zhou et al., 2025)."""

from pipeline.segmentation.sam_video import Tracker

TRACKER = Tracker(
    propagator="sam2",
    title="SAM 2 or EdgeTAM",
    models={
        "sam2_video": ("Sam2VideoModel", "Sam2VideoProcessor"),
        "edgetam_video": ("EdgeTamVideoModel", "Sam2VideoProcessor"),
    },
    install="`pip install transformers`, and `timm` for EdgeTAM (the extra sam2 in pyproject.toml)",
    fetch="put a model's folder there, as in `hf download facebook/sam2.1-hiera-tiny --local-dir {}/sam2.1-hiera-tiny`",
)
load = TRACKER.load
