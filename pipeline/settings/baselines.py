"""Training of the baselines."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.settings.values import SHOWN, BaselineName, DepthSupervision, Section


class BaselineConfig(Section):
    """What every baseline has of its own: steps, rays, samples, and its grids, coarse to fine."""

    steps: int = Field(2000, ge=1, description="steps")
    rays: int = Field(1024, ge=16, description="pixels a step")
    coarse_samples: int = Field(64, ge=8, description="places a ray that are only looked up in what is remembered")
    fine_samples: int = Field(32, ge=4, description="samples a ray")
    grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [64], min_length=1, description="nodes along each axis, coarse to fine"
    )
    refine_at: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [], description="parts of the steps after which the next grid is taken"
    )
    final_lr_ratio: float = Field(0.1, gt=0, le=1, description="learning rates at the end, as a fraction of the first")

    @model_validator(mode="after")
    def a_step_for_each_refinement(self) -> "BaselineConfig":
        if len(self.refine_at) != len(self.grids) - 1 or self.refine_at != sorted(set(self.refine_at)):
            raise ValueError(
                f"grids {self.grids} need {len(self.grids) - 1} rising parts of the steps in refine_at, it has {self.refine_at}"
            )
        return self

    @property
    def refinements(self) -> list[float]:
        """Parts of the steps after which grids become finer."""
        return self.refine_at


class HexPlaneConfig(BaselineConfig):
    """HexPlane; the paper preset has the sizes of its released configuration for D-NeRF's scenes."""

    steps: int = Field(2400, ge=1, description="steps")
    fine_samples: int = Field(16, ge=4, description="samples a ray")
    grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [40, 72, 112, 160], min_length=1, description="nodes along each axis, coarse to fine"
    )
    time_grids: list[Annotated[int, Field(ge=2, le=512)]] = Field(
        [8, 12, 16, 24], min_length=1, description="nodes over time, coarse to fine; never more than frames"
    )
    refine_at: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.12, 0.24, 0.36], description="parts of the steps after which the next grid is taken"
    )
    density_channels: int = Field(8, ge=1, description="channels of each plane of density")
    colour_channels: int = Field(16, ge=1, description="channels of each plane of colour")
    width: int = Field(64, ge=8, description="width of the network of colour")
    density_shift: float = Field(
        -5.0, description="density before its activation where planes are empty; the paper: -10"
    )
    density_smoothness: float = Field(1e-4, ge=0, description="weight of the total variation of planes of density")
    colour_smoothness: float = Field(1e-4, ge=0, description="weight of the total variation of planes of colour")
    grid_lr: float = Field(
        0.06, gt=0, description="learning rate of planes; the paper: 0.02, for ten times as many steps"
    )
    network_lr: float = Field(0.004, gt=0, description="learning rate of networks; the paper: 0.001")

    @model_validator(mode="after")
    def a_time_grid_for_each_grid(self) -> "HexPlaneConfig":
        if len(self.time_grids) != len(self.grids):
            raise ValueError(f"grids has {len(self.grids)} stages, time_grids {len(self.time_grids)}: give as many")
        return self


class TiNeuVoxConfig(BaselineConfig):
    """TiNeuVox; the default is its small model, the paper preset its base model."""

    steps: int = Field(2000, ge=1, description="steps")
    fine_samples: int = Field(16, ge=4, description="samples a ray")
    grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [33, 49, 65, 97],
        min_length=1,
        description="voxels along each side of a cube, coarse to fine; the scene's box gets about as many in all",
    )
    refine_at: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.1, 0.2, 0.3], description="parts of the steps after which the next grid is taken"
    )
    channels: int = Field(4, ge=1, description="channels of a voxel")
    alpha: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="opacity of a voxel at first; the paper: 0.001, for things before a plain background: where all around is "
        "seen, what is so clear stays clear, and everything is painted on the far end",
    )
    width: int = Field(64, ge=8, description="width of all networks")
    background: float = Field(1e-3, ge=0, description="weight of the entropy of the light left behind the scene")
    point_colour: float = Field(1e-2, ge=0, description="weight of every sample's own colour")
    grid_lr: float = Field(0.08, gt=0, description="learning rate of voxels")
    deformation_lr: float = Field(
        2e-3, gt=0, description="learning rate of the deformation network; the paper: 6e-4, for ten times as many steps"
    )
    network_lr: float = Field(3e-3, gt=0, description="learning rate of the other networks; the paper: 8e-4")


class SceneFlowConfig(BaselineConfig):
    """What NSFF and DynNeRF share. Losses have the released weights."""

    body: Literal["grids", "reference"] = Field(
        "grids", description="grids, for CPUs; reference: the papers' networks of eight layers of width 256, for a GPU"
    )
    rays: int = Field(512, ge=16, description="pixels a step")
    fine_samples: int = Field(16, ge=4, description="samples a ray")
    grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [48, 80, 128], min_length=1, description="nodes along each axis of the static grids, coarse to fine"
    )
    dynamic_grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [40, 64, 96], min_length=1, description="nodes along each axis of the dynamic grids, coarse to fine"
    )
    time_grids: list[Annotated[int, Field(ge=2, le=512)]] = Field(
        [12, 20, 32], min_length=1, description="nodes over time, coarse to fine; never more than frames"
    )
    refine_at: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.15, 0.35], description="parts of the steps after which the next grid is taken"
    )
    flow_grid: int = Field(24, ge=4, le=512, description="nodes along each axis of the grid of motion")
    density_channels: int = Field(8, ge=1, description="channels of each plane of density")
    colour_channels: int = Field(16, ge=1, description="channels of each plane of colour")
    flow_channels: int = Field(8, ge=1, description="channels of each plane of motion")
    width: int = Field(64, ge=8, description="width of the grids' decoders")
    plane_smoothness: float = Field(1e-3, ge=0, description="weight of the roughness of all planes")
    grid_lr: float = Field(0.06, gt=0, description="learning rate of planes")
    network_lr: float = Field(
        0.004, gt=0, description="learning rate of networks; the papers: 5e-4, for hundreds of times as many steps"
    )
    decay: float = Field(
        0.3,
        ge=0,
        lt=1,
        description="part of the steps after which flow and depth maps count a tenth, again and again; 0: by the number "
        "of frames, as released (30 frames: a tenth of the steps, of which grids have too few)",
    )
    full: float = Field(1.0, ge=0, description="weight of the colours of the full picture")
    dynamic: float = Field(
        1.0, ge=0, description="weight of the colours of the dynamic part, of this and of neighbouring frames"
    )
    flow: float = Field(0.02, ge=0, description="weight of optical flow, before its decay")
    map_depth: float = Field(0.04, ge=0, description="weight of depth maps, before their decay")
    cycle: float = Field(1.0, ge=0, description="weight of motion there and back")
    still: float = Field(0.1, ge=0, description="weight of the size of motion")
    smooth: float = Field(0.1, ge=0, description="weight of even motion, in space and in time")
    entropy: float = Field(1e-3, ge=0, description="weight of the entropy of blending")

    @model_validator(mode="after")
    def grids_of_both_parts_for_each_stage(self) -> "SceneFlowConfig":
        if not len(self.grids) == len(self.dynamic_grids) == len(self.time_grids):
            raise ValueError(
                f"grids has {len(self.grids)} stages, dynamic_grids {len(self.dynamic_grids)}, time_grids "
                f"{len(self.time_grids)}: give as many"
            )
        return self

    @property
    def refinements(self) -> list[float]:
        return [] if self.body == "reference" else self.refine_at


class NsffConfig(SceneFlowConfig):
    """NSFF; the paper preset has the released networks, rays, samples and steps."""

    steps: int = Field(1000, ge=1, description="steps")
    moving_rays: int = Field(256, ge=0, description="more pixels a step, of what moves, until the first decay")
    hidden: float = Field(0.1, ge=0, description="weight of what is said to be hidden in neighbouring frames")


class DynnerfConfig(SceneFlowConfig):
    """DynNeRF; the paper preset has the released networks, rays, samples and steps."""

    steps: int = Field(1400, ge=2, description="steps, those of the static part alone among them")
    static_part: float = Field(0.5, gt=0, lt=1, description="part of the steps in which the static part learns alone")
    grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [48, 80, 128, 128, 128], min_length=1, description="nodes along each axis of the static grids, coarse to fine"
    )
    dynamic_grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [40, 40, 40, 64, 96], min_length=1, description="nodes along each axis of the dynamic grids, coarse to fine"
    )
    time_grids: list[Annotated[int, Field(ge=2, le=512)]] = Field(
        [12, 12, 12, 20, 32], min_length=1, description="nodes over time, coarse to fine; never more than frames"
    )
    refine_at: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.08, 0.18, 0.58, 0.68], description="parts of the steps after which the next grid is taken"
    )
    full: float = Field(3.0, ge=0, description="weight of the colours of the full picture")
    still: float = Field(0.01, ge=0, description="weight of the size of motion")
    mask: float = Field(0.1, ge=0, description="weight of the motion masks, until the first decay")
    order: float = Field(0.1, ge=0, description="weight of equal depths of both parts where nothing moves")
    sparse: float = Field(1e-3, ge=0, description="weight of the spread of what moves along rays")


class TotalReconConfig(Section):
    """Total-Recon for rigid objects, in OSN's fields; what is not here has OSN's default."""

    bootstrap_steps: int = Field(400, ge=1, description="steps with each object rendered alone")
    steps: int = Field(1200, ge=1, description="joint steps of fields, poses and scales")
    samples_per_step: int = Field(40960, ge=1024, description="samples that get gradients in a step, as in train_osn")
    grids: list[Annotated[int, Field(ge=8, le=512)]] = Field(
        [40, 64, 96, 128], min_length=1, description="nodes along each side of the background's grid, coarse to fine"
    )
    density_channels: int = Field(16, ge=1, description="components of density per plane")
    colour_channels: int = Field(24, ge=1, description="components of colour per plane")
    grid_lr: float = Field(0.06, gt=0, description="learning rate of planes and lines at first")
    network_lr: float = Field(2e-3, gt=0, description="learning rate of the small networks at first")
    pose_lr: float = Field(
        1e-4, ge=0, description="learning rate of corrections of the poses in the joint steps, radians a step; 0: none"
    )
    depth_weight: float = Field(10.0, ge=0, description="weight of the squared error of log depth, absolute beyond 5 %")

    @field_validator("grids")
    @classmethod
    def grids_rise(cls, grids: list[int]) -> list[int]:
        if grids != sorted(set(grids)):
            raise ValueError("each grid must be finer than the one before")
        return grids


class TrainBaselineConfig(Section):
    method: BaselineName = Field("hexplane", description="which baseline; the graph trains those that `method` names")
    seed: int = Field(0, ge=0, description="seed of all random choices")
    depth_supervision: DepthSupervision = Field(
        "none",
        description="depth that training is told: maps that a person gives (`depth:`), or sparse points of sfm",
        json_schema_extra=SHOWN,
    )
    depth_weight: float = Field(0.1, ge=0, description="weight of the relative error of depth")
    depth_rays: int = Field(192, ge=1, description="pixels with known depth a step")
    shards: int = Field(4, ge=1, description="parts of a step on CPU, which share the cores; part of the result")
    resume_seconds: float = Field(20.0, ge=0, description="time between two states kept for a killed run")
    hexplane: HexPlaneConfig = Field(HexPlaneConfig(), description="HexPlane's own settings")
    tineuvox: TiNeuVoxConfig = Field(TiNeuVoxConfig(), description="TiNeuVox's own settings")
    nsff: NsffConfig = Field(NsffConfig(), description="NSFF's own settings")
    dynnerf: DynnerfConfig = Field(DynnerfConfig(), description="DynNeRF's own settings")
    total_recon: TotalReconConfig = Field(TotalReconConfig(), description="Total-Recon's own settings")
