"""Masks followed through the video by the tracker of SAM 3 (Carion et al., 2025), whose folder finds named things, too."""

from pipeline.segmentation.sam_video import Tracker
from pipeline.segmentation.text_model_choice import FETCH, INSTALL

TRACKER = Tracker(
    propagator="sam3",
    title="SAM 3",
    models={
        "sam3_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor"),
        "sam3_tracker_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor"),
    },
    install=INSTALL,
    fetch=FETCH,
)
load = TRACKER.load
