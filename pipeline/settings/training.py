"""Training of OSN and of Semantic Flow."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.settings.values import SHOWN, EncoderName, OwnDepthSupervision, Positive, Section


class OsnAblation(Section):
    """OSN with one of its parts replaced, for comparison."""

    sampling: Literal["boxes", "even_depth"] = Field(
        "boxes", description="where rays are sampled; even_depth: a baseline, even in depth as the released code does"
    )
    network_loss: Literal["cross_entropy", "squared"] = Field(
        "cross_entropy", description="the paper has cross_entropy, its code squared"
    )
    scales: Literal["network", "uniform", "middle", "depth"] = Field(
        "network",
        description="baselines without the scale network: uniform (random), middle (fixed), depth (fixed by given depth)",
    )
    z_buffer: Literal["hard", "soft"] = Field("hard", description="hard: the nearest object is seen; soft: blended")
    soft_sharpness: float = Field(10.0, gt=0, description="of the soft z-buffer, per depth of the background")


CAPTURE_STEPS = "on GPUs: record a step once as a CUDA graph, whose kernels are launched as one"
TOLD = "depth that training is told: none, sfm (sparse points), maps (`depth:` alone), own: sparse points"
OSN_SUPERVISION = TOLD + "; maps tell no scales"
FLOW_SUPERVISION = TOLD + ", and maps if given"
PIXEL_MEMORY = (
    "memory for the video's pixels, of longer videos some frames at a time are read; "
    "null: 2000 on the CPU, a quarter of a GPU's memory"
)
DETERMINISTIC = (
    "on GPUs: algorithms that give the same bits in every run, where torch has such; slower, and some sums have none"
)


class TrainOsnConfig(Section):
    seed: int = Field(0, ge=0, description="seed of all random choices", json_schema_extra=SHOWN)
    bootstrap_steps: int = Field(200, ge=1, description="steps with each object rendered alone")
    steps: int = Field(1400, ge=1, description="composite steps", json_schema_extra=SHOWN)
    rounds: int = Field(3, ge=1, description="times that fields and scale network are trained in turn")
    round_steps: int = Field(100, ge=1, description="composite steps in each of these rounds")
    max_rays: int = Field(8192, ge=16, description="most rays in a step")
    samples_per_step: int = Field(
        40960, ge=1024, description="samples that get gradients in a step; rays are added as surfaces become sharp"
    )
    grids: list[Annotated[int, Field(ge=8, le=512)]] = Field(
        [40, 64, 96, 128],
        min_length=1,
        description="nodes along each side of the background's grid, coarse to fine",
        json_schema_extra=SHOWN,
    )
    mixed_precision: bool = Field(False, description="bfloat16 in the small networks, on GPUs only")
    shards: int = Field(4, ge=1, le=64, description="parts of a step, side by side on CPU cores; part of the result")
    density_channels: int = Field(16, ge=1, description="components of density per plane")
    colour_channels: int = Field(24, ge=1, description="components of colour per plane")
    grid_lr: float = Field(0.06, gt=0, description="learning rate of planes and lines at first")
    network_lr: float = Field(2e-3, gt=0, description="learning rate of the small networks at first")
    final_lr_ratio: float = Field(0.1, gt=0, le=1, description="learning rates at the end, as a fraction of the first")
    depth_supervision: OwnDepthSupervision = Field("own", description=OSN_SUPERVISION)
    depth_weight: float = Field(10.0, ge=0, description="weight of the depths that are told")
    segmentation_weight: float = Field(0.01, ge=0, description="weight of the object ids, in both phases")
    pose_lr: float = Field(
        0.0,
        ge=0,
        description="learning rate of small corrections of the poses, radians a step; 0 leaves poses as they are",
    )
    pose_prior: float = Field(1e-4, ge=0, description="weight of the corrections' size, in what SfM is usually off")
    border_px: int = Field(
        2,
        ge=0,
        description="pixels this near to the border of a mask do not judge scales, as the mask may be wrong there",
    )
    border_weight: float = Field(1.0, ge=0, le=1, description="weight of such pixels' ids in training the fields")
    distortion_weight: float = Field(
        1e-2, ge=0, description="weight of the distortion loss of mip-NeRF 360: samples close together along a ray"
    )
    colour_weight_decay: float = Field(
        0.1, ge=0, description="of colour planes, per learning rate: what was never seen takes the object's mean colour"
    )
    density_weight: float = Field(0.0, ge=0, description="weight of the objects' mean density")
    total_variation_weight: float = Field(1e-3, ge=0, description="weight of the total variation of planes")
    deterministic: bool = Field(False, description=DETERMINISTIC)
    capture_steps: bool = Field(False, description=CAPTURE_STEPS + "; not tried on a GPU yet")
    pixel_memory_mb: int | None = Field(None, ge=1, description=PIXEL_MEMORY)
    window_steps: int = Field(100, ge=1, description="steps after which other frames of such a video are read")
    network_steps: int = Field(300, ge=1, description="steps of the scale network in each round")
    network_batch: int = Field(2048, ge=16, description="scale vectors in a step of the scale network")
    tolerance: tuple[Positive, Positive] = Field(
        (0.01, 0.01), description="pixels that a valid scale vector may explain less than the best; first, last round"
    )
    top_fraction: tuple[Positive, Positive] = Field(
        (0.03, 0.01), description="best scale vectors that are valid in any case; first and last round"
    )
    scale_samples: int = Field(1000, ge=1, description="valid scenes to draw at the end")
    resume_seconds: float = Field(20.0, ge=0, description="time between two states kept for a killed run")
    ablation: OsnAblation = Field(OsnAblation(), description="variants of the method, for comparison")

    @field_validator("grids")
    @classmethod
    def grids_rise(cls, grids: list[int]) -> list[int]:
        if grids != sorted(set(grids)):
            raise ValueError("each grid must be finer than the one before")
        return grids


class SemanticFlowWeights(Section):
    """How much each loss of Semantic Flow counts."""

    colour: float = Field(3.0, ge=0, description="rendered against seen colour")
    depth: float = Field(1.0, ge=0, description="depth of sparse points")
    flow: float = Field(0.04, ge=0, description="where pixels land against the estimated flow, per % of the width")
    motion: float = Field(0.03, ge=0, description="velocity against the motion of reconstructed objects, % of the unit")
    mask: float = Field(0.5, ge=0, description="rendered dynamicness against moving pixels of labelled frames")
    semantics: float = Field(0.16, ge=0, description="cross-entropy of rendered labels")
    consistency_colour: float = Field(1.0, ge=0, description="colour of moving things brought back along their flow")
    consistency_semantics: float = Field(0.1, ge=0, description="label of moving things brought back along their flow")
    self_consistency: float = Field(0.0, ge=0, description="the same without labels, where the model is sure of itself")
    still: float = Field(0.05, ge=0, description="speed")
    sparse: float = Field(0.01, ge=0, description="dynamicness of pixels that are not known to move")
    entropy: float = Field(0.001, ge=0, description="undecided dynamicness")
    distortion: float = Field(
        0.05, ge=0, description="distortion loss of mip-NeRF 360: weights close together along rays"
    )
    smooth: float = Field(0.02, ge=0, description="roughness of the planes in space and time")


class SemanticFlowAblation(Section):
    """Semantic Flow with one of its parts replaced, for comparison."""

    head: Literal["flow_attention", "flow_features", "untrained_attention", "point"] = Field(
        "flow_attention", description="the method, or an ablation of it; point: the baseline without flow"
    )
    displacement: bool = Field(True, description="tokens know how far and in which time they moved")
    density_prior: bool = Field(True, description="labels are weighed by density; else the heaviest sample's count")
    geometry_feature: bool = Field(False, description="the semantic head also sees the field's own features")
    static_frozen: bool = Field(True, description="stage 2 leaves the static field as stage 1 made it, as in the paper")


class TrainSemanticFlowConfig(Section):
    seed: int = Field(0, ge=0, description="seed of all random choices")
    task: Literal["full", "completion", "tracking"] = Field(
        "full",
        description="labels of all frames, of both ends (completion), or of the first (tracking)",
        json_schema_extra=SHOWN,
    )
    labelled_fraction: float = Field(
        0.25,
        gt=0,
        le=1,
        description="fraction of frames with labels in completion and tracking",
        json_schema_extra=SHOWN,
    )
    label_propagation_frames: int = Field(
        1000,
        ge=0,
        description="most frames that labels are propagated along the flow, into frames without labels; 0: none",
    )
    unlabelled_rgb: bool = Field(True, description="train colour on frames without labels too; the paper does not")
    depth_supervision: OwnDepthSupervision = Field("own", description=FLOW_SUPERVISION)
    classes: dict[str, str] = Field(
        {}, description="object name or id -> class name; every object a class of its own", json_schema_extra=SHOWN
    )
    static_classes: list[str] = Field(
        [], description="classes that never move, besides the background", json_schema_extra=SHOWN
    )
    body: Literal["grids", "reference"] = Field(
        "grids",
        description="fields: fast grids, or pixel-aligned networks of the paper's sizes, for comparison on GPUs",
    )
    reach: int = Field(1, ge=1, le=4, description="frames on each side that a trajectory visits; the paper: 1")
    consistency_frames: int = Field(
        1, ge=1, description="most frames between which consistency is asked for; the paper: 1"
    )
    integrator: Literal["euler", "midpoint", "rk4"] = Field("euler", description="integration of the velocity")
    substeps: int = Field(1, ge=1, description="integration steps a frame")
    static_steps: int = Field(
        1200, ge=1, description="steps of stage 1, the static field alone", json_schema_extra=SHOWN
    )
    steps: int = Field(1200, ge=1, description="steps of stage 2, everything", json_schema_extra=SHOWN)
    static_rays: int = Field(2048, ge=16, description="pixels a step of stage 1")
    rays: int = Field(1536, ge=16, description="pixels a step of stage 2")
    sparse_points: int = Field(192, ge=0, description="sparse points a step")
    semantic_rays: int = Field(256, ge=1, description="labelled pixels a step")
    warped_rays: int = Field(160, ge=1, description="moving pixels a step on which consistency is asked for")
    moving_fraction: float = Field(0.33, ge=0, le=1, description="fraction of pixels drawn where something moves")
    coarse_samples: int = Field(64, ge=8, description="cheap samples a ray")
    fine_samples: int = Field(24, ge=4, description="full samples a ray")
    semantic_samples: int = Field(2, ge=1, description="samples a ray that get dynamic labels")
    space: Literal["world", "ndc"] = Field(
        "world",
        description="of the grids: a box of the world, or the NDC of the middle view, for forward-facing videos",
    )
    static_cells: float = Field(1.5e6, gt=0, description="cells of the static density grid")
    static_resolution: int = Field(192, ge=8, description="cells of a static feature plane along each axis")
    static_channels: int = Field(12, ge=2, description="channels of each static plane")
    dynamic_resolution: int = Field(96, ge=8, description="cells of a dynamic plane along each axis")
    dynamic_channels: int = Field(16, ge=2, description="channels of each dynamic plane")
    velocity_resolution: int = Field(32, ge=4, description="cells of a velocity plane along each axis")
    adaptation_steps: int = Field(
        500, ge=1, description="steps of stage 2 of a scene with `start_from`; stage 1 is shortened alike"
    )
    encoder: EncoderName = Field(
        "auto",
        description="of the frames; auto: a ResNet, else EfficientNet-Lite0, whose weights lie in weights/",
        json_schema_extra=SHOWN,
    )
    feature_channels: int = Field(24, ge=4, description="channels of the frames' features")
    grid_lr: float = Field(0.02, gt=0, description="learning rate of grids")
    network_lr: float = Field(0.002, gt=0, description="learning rate of networks")
    reference_lr: float = Field(5e-4, gt=0, description="learning rate of the reference body, the paper's")
    final_lr_ratio: float = Field(
        0.1, gt=0, le=1, description="learning rates at the end of a stage, as a fraction of the first"
    )
    image_based_rendering: bool = Field(
        True, description="renders take on the colours of the frames that see the same point"
    )
    deterministic: bool = Field(False, description=DETERMINISTIC)
    capture_steps: bool = Field(
        True, description=CAPTURE_STEPS + ": about three times as many steps a second on an H100"
    )
    pixel_memory_mb: int | None = Field(None, ge=1, description=PIXEL_MEMORY)
    window_steps: int = Field(100, ge=1, description="steps after which other frames of such a video are read")
    shards: int = Field(
        4,
        ge=1,
        description="parts of a step on CPU, side by side on as many cores, at a small cost each; part of the result",
    )
    resume_seconds: float = Field(60.0, gt=0, description="how often the state is kept, to go on after a kill")
    loss_weights: SemanticFlowWeights = Field(SemanticFlowWeights(), description="how much each loss counts")
    ablation: SemanticFlowAblation = Field(SemanticFlowAblation(), description="variants of the method, for comparison")
