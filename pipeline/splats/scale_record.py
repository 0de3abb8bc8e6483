"""What judges scales, as the folder of splats keeps it."""

import numpy as np

from pipeline.formats.splats_folder import ScaleRecord
from pipeline.rendering.trained_method import ScaleJudge, TrainedMethod

MOST_SAMPLES = 200


def scale_record(method: TrainedMethod) -> ScaleRecord:
    """The method's valid scenes, the suggested one first and then at random as they were drawn, and its judge."""
    samples = method.scales[:MOST_SAMPLES].cpu().numpy().astype(np.float64)
    return ScaleRecord(samples, **vars(method.scale_judge() or no_judge(method)))


def no_judge(method: TrainedMethod) -> ScaleJudge:
    """Of a method that calls every scale valid."""
    nothing = np.zeros((0, method.scene.object_count), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64)
    return ScaleJudge(method.scene.scale_range.astype(np.float64), [], [], 0.0, *nothing, 0.0)
