"""Every setting, its default and its meaning; one section per stage. Imports pydantic only: the Snakefile imports it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Method = Literal["osn", "semantic_flow"]
Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """Settings that cannot change, and in which a misspelt name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Prompt(Section):
    """A hint to one object in one frame, in pixels of the extracted frames: points with labels, or a box, or both."""

    object: int = Field(ge=1, le=254, description="object id")
    frame: int = Field(0, ge=0, description="frame index")
    points: list[tuple[float, float]] = Field([], description="x, y of clicked points")
    labels: list[Literal[0, 1]] = Field([], description="1 on the object, 0 beside it; all 1 when left out")
    box: tuple[float, float, float, float] | None = Field(None, description="x0, y0, x1, y1")
    name: str | None = Field(None, description="what the object is called in the report")


class SceneConfig(Section):
    """One video and what is known of it."""

    video: str = Field(description="video file, folder of images, or `simulate`")
    masks: str | None = Field(None, description="folder of masks, one a frame")
    prompts: list[Prompt] = Field([], description="clicks and boxes for segment_objects")
    poses: str | None = Field(
        None, description="camera poses to use for the background: COLMAP model or transforms.json"
    )
    intrinsics: tuple[Positive, Positive, Positive, Positive] | None = Field(
        None, description="fx, fy, cx, cy in pixels of the video as stored"
    )
    truth: str | None = Field(None, description="truth.h5, for evaluation only")
    start: float | None = Field(None, ge=0, description="seconds to skip at the beginning")
    end: float | None = Field(None, gt=0, description="second to stop at")
    fps: float | None = Field(None, gt=0, description="frames a second to keep")
    size: int | None = Field(
        None, ge=32, description="longer side of the frames, pixels; overrides extract_frames.max_size"
    )


class SimulateSceneConfig(Section):
    seed: int = Field(0, ge=0, description="another seed, another scene")
    objects: int = Field(2, ge=1, le=4, description="moving objects")
    frames: int = Field(32, ge=2, description="frames of the video, and held-out views")
    height: int = Field(192, ge=16, description="pixels")
    width: int = Field(256, ge=16, description="pixels")
    fps: float = Field(12.0, gt=0, description="frames a second")


class ExtractFramesConfig(Section):
    max_size: int = Field(480, ge=32, description="longer side of the frames, pixels; larger videos are reduced")
    max_frames: int = Field(100, ge=2, description="most frames to keep; more are thinned evenly")
    fps: float | None = Field(None, gt=0, description="frames a second to keep; all when empty")
    start: float | None = Field(None, ge=0, description="seconds to skip at the beginning")
    end: float | None = Field(None, gt=0, description="second to stop at")


class EstimateFlowConfig(Section):
    backend: Literal["auto", "dis", "raft"] = Field("auto", description="auto: raft where its weights lie in weights/")
    consistency_px: float = Field(1.0, gt=0, description="largest round-trip error of a valid pixel")


class SegmentObjectsConfig(Section):
    backend: Literal["auto", "motion", "sam"] = Field("auto", description="auto: sam where its weights lie in weights/")
    max_objects: int = Field(4, ge=1, le=16, description="most objects to keep")
    prompts: list[Prompt] = Field([], description="clicks and boxes; normally given with the scene")


class TrackPointsConfig(Section):
    spacing_px: float = Field(6.0, gt=0, description="distance between neighbouring tracks")


class ReconstructObjectsConfig(Section):
    intrinsics: tuple[Positive, Positive, Positive, Positive] | None = Field(
        None, description="fx, fy, cx, cy in pixels of the video as stored; normally given with the scene"
    )
    seed: int = Field(0, ge=0, description="seed of all random choices")


class PackSceneConfig(Section):
    near: float = Field(0.1, gt=0, description="near bound, as a share of the nearest background point")


class TrainOsnConfig(Section):
    seed: int = Field(0, ge=0, description="seed of all random choices")
    steps: int = Field(1500, ge=1, description="composite steps")


class TrainSemanticFlowConfig(Section):
    seed: int = Field(0, ge=0, description="seed of all random choices")


class RenderViewsConfig(Section):
    path_frames: int = Field(48, ge=1, description="frames of the camera path around the scene")


class EvaluateConfig(Section):
    lpips: bool = Field(True, description="LPIPS where the AlexNet weights lie in weights/")


class ReportConfig(Section):
    video_width: int = Field(480, ge=64, description="width of the videos inside the report, pixels")


class Config(Section):
    """The whole of config.yaml."""

    scenes: dict[str, SceneConfig] = Field(min_length=1, description="name -> video and what is known of it")
    method: Method | list[Method] = Field("osn", description="which method to train, or a list of both")
    simulate_scene: SimulateSceneConfig = SimulateSceneConfig()
    extract_frames: ExtractFramesConfig = ExtractFramesConfig()
    estimate_flow: EstimateFlowConfig = EstimateFlowConfig()
    segment_objects: SegmentObjectsConfig = SegmentObjectsConfig()
    track_points: TrackPointsConfig = TrackPointsConfig()
    reconstruct_objects: ReconstructObjectsConfig = ReconstructObjectsConfig()
    pack_scene: PackSceneConfig = PackSceneConfig()
    train_osn: TrainOsnConfig = TrainOsnConfig()
    train_semantic_flow: TrainSemanticFlowConfig = TrainSemanticFlowConfig()
    render_views: RenderViewsConfig = RenderViewsConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()

    @property
    def methods(self) -> list[Method]:
        return self.method if isinstance(self.method, list) else [self.method]
