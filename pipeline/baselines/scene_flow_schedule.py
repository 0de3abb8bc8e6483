"""How the losses of NSFF and DynNeRF count, and which pixels they see, in the course of training."""

from dataclasses import fields

from models.baselines.scene_flow_objectives import Phase, SceneFlowWeights
from pipeline.baselines.moving_batches import RayPlan
from pipeline.baselines.setup import static_steps
from pipeline.config import DynnerfConfig, NsffConfig, SceneFlowConfig, TrainBaselineConfig

FEWEST_FRAMES, MOST_FRAMES = 25, 250  # whose number decides the decay, in the released code
RELEASED_STEPS = 300  # thousands: one frame more and the decay begins a thousand steps later
TENTH = 0.1


def phase_at(own: SceneFlowConfig, step: int, frames: int) -> Phase:
    """What counts at a step of a scene of so many frames.

    Released: flow and depth count a tenth every max(25, frames), at most 250, thousand of 300 thousand steps; then NSFF's
    dynamic part explains only what moves; frames two away are looked at after twice as long.
    """
    alone = static_steps(own) if isinstance(own, DynnerfConfig) else 0
    part = (step - alone) / (own.steps - alone)
    every = own.decay or min(max(frames, FEWEST_FRAMES), MOST_FRAMES) / RELEASED_STEPS
    decays = int(max(part, 0.0) / every)
    first = decays == 0
    everywhere = first or not isinstance(own, NsffConfig)
    return Phase(step < alone, step >= alone > 0, TENTH**decays, first, everywhere, decays >= 2)


def ray_plan(own: SceneFlowConfig, phase: Phase, depth_rays: int) -> RayPlan:
    """NSFF: pixels from anywhere, and at first more of what moves. DynNeRF: still ones, then as many that move."""
    if isinstance(own, NsffConfig):
        return RayPlan(own.rays, own.moving_rays if phase.first else 0, 0, depth_rays)
    if phase.static_alone:
        return RayPlan(0, 0, own.rays, depth_rays)
    return RayPlan(0, own.rays // 2, own.rays - own.rays // 2, depth_rays)


def scene_flow_weights(config: TrainBaselineConfig, own: SceneFlowConfig) -> SceneFlowWeights:
    """The weights of the losses; depth counts by the kind of supervision."""
    told = own.model_dump(include={field.name for field in fields(SceneFlowWeights)})
    maps, points = config.depth_supervision == "maps", config.depth_supervision == "sfm"
    return SceneFlowWeights(
        **{**told, "map_depth": own.map_depth if maps else 0.0, "depth": config.depth_weight if points else 0.0}
    )
