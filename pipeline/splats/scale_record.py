"""What judges scales, as the folder of splats keeps it."""

import numpy as np
from jaxtyping import Float

from pipeline.formats.splats_folder import ScaleRecord
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.scene.method_interface import ScaleJudge, no_hiding_rays

MOST_SAMPLES = 200


def scale_record(method: TrainedMethod) -> ScaleRecord:
    """The method's valid scenes, the suggested one first and others from all over the region, and its judge."""
    chosen = evenly_chosen(len(method.scales), MOST_SAMPLES)
    samples = method.scales[chosen].cpu().numpy().astype(np.float64)
    return recorded(samples, method.scale_judge() or no_judge(method))


def recorded(samples: Float[np.ndarray, "sample object"], judge: ScaleJudge) -> ScaleRecord:
    """What is kept of a judge, and the samples."""
    parts = {f"hiding_{name}": value for name, value in vars(judge.hiding).items()}
    return ScaleRecord(samples, **{name: value for name, value in vars(judge).items() if name != "hiding"}, **parts)


def no_judge(method: TrainedMethod) -> ScaleJudge:
    """Of a method that calls every scale valid."""
    objects = method.scene.object_count
    nothing = np.zeros((0, objects), np.float32), np.zeros(0, np.int64), np.zeros(0, np.int64)
    return ScaleJudge(method.scene.scale_range.astype(np.float64), [], [], 0.0, *nothing, 0.0, no_hiding_rays(objects))
