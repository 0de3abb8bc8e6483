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
    labels: str | None = Field(None, description="folder of label maps, for train_semantic_flow")
    truth: str | None = Field(None, description="truth.h5, for evaluation only")
    start: float | None = Field(None, ge=0, description="seconds to skip at the beginning")
    end: float | None = Field(None, gt=0, description="second to stop at")
    fps: float | None = Field(None, gt=0, description="frames a second to keep")
    size: int | None = Field(
        None, ge=32, description="longer side of the frames, pixels; overrides extract_frames.max_size"
    )


class SimulateSceneConfig(Section):
    seed: int = Field(0, ge=0, description="another seed, another scene")
    objects: int = Field(2, ge=0, le=4, description="moving objects; 0 for a scene in which nothing moves")
    textureless_objects: int = Field(0, ge=0, le=4, description="how many of the objects have almost no texture")
    camera: Literal["moving", "static"] = Field("moving", description="static: a tripod, without parallax")
    frames: int = Field(32, ge=2, description="frames of the video, and held-out views")
    height: int = Field(192, ge=16, multiple_of=2, description="pixels")
    width: int = Field(256, ge=16, multiple_of=2, description="pixels")
    fps: float = Field(12.0, gt=0, description="frames a second")
    noise: float = Field(0.0, ge=0, description="standard deviation of the camera's noise, in 8-bit levels")
    quality: int = Field(15, ge=0, le=40, description="rate factor of the H.264 video, lower is better")


class ExtractFramesConfig(Section):
    max_size: int = Field(480, ge=32, description="longer side of the frames, pixels; larger videos are reduced")
    max_frames: int = Field(100, ge=2, description="most frames to keep; more are thinned evenly")
    fps: float | None = Field(None, gt=0, description="frames a second to keep; all when empty")
    start: float | None = Field(None, ge=0, description="seconds to skip at the beginning")
    end: float | None = Field(None, gt=0, description="second to stop at")


class EstimateFlowConfig(Section):
    backend: Literal["auto", "dis", "raft"] = Field("auto", description="auto: raft where its weights lie in weights/")
    weights_file: str | None = Field(None, description="RAFT file under weights/; the best one there when empty")
    consistency_px: float = Field(1.0, gt=0, description="largest round-trip error of a valid pixel")
    iterations: int = Field(20, ge=1, description="RAFT refinement steps")
    enlarge_below_px: int = Field(
        400, ge=0, description="RAFT sees frames whose longer side is shorter at twice the size"
    )
    batch_pairs: int = Field(4, ge=1, description="pairs that RAFT takes at once on a GPU")


class SegmentObjectsConfig(Section):
    backend: Literal["auto", "motion", "sam"] = Field("auto", description="auto: sam where its weights lie in weights/")
    max_objects: int = Field(4, ge=1, le=16, description="most objects to keep")
    prompts: list[Prompt] = Field([], description="clicks and boxes; normally given with the scene")


class TrackPointsConfig(Section):
    spacing_px: float = Field(7.0, gt=0, description="distance between neighbouring tracks")
    smallest_spacing_px: float = Field(3.0, gt=0, description="the same on the smallest objects")
    tracks_per_object: int = Field(250, ge=8, description="tracks that small objects should have at a time")
    shortest: int = Field(3, ge=2, description="frames that a track must last")
    patch_radius_px: int = Field(6, ge=2, description="half the side of the image patch that a track is known by")
    mask_margin_px: int = Field(2, ge=0, description="distance of tracks from the border of their mask")
    correlation: float = Field(0.85, gt=0, lt=1, description="least likeness of a patch to the image of its birth")
    agreement_px: float = Field(1.5, gt=0, description="largest disagreement between flow and registration")
    largest_sigma_px: float = Field(0.4, gt=0, description="largest standard deviation of a position")
    largest_stretch: float = Field(1.8, gt=1, description="largest change of a patch's size or shape")
    noise_levels: float = Field(2.0, gt=0, description="noise of the images, grey levels of 255")


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
    observed_frames: int = Field(16, ge=1, description="most of the video's own views to render, evenly chosen")
    path_frames: int = Field(32, ge=1, description="frames of the camera path around the scene")
    held_out_frames: int = Field(16, ge=1, description="most of truth's test views to render, evenly chosen")
    held_out_candidates: int = Field(
        2, ge=1, description="valid scenes nearest to the true scales that held-out views are rendered of"
    )
    scale_samples: int = Field(4, ge=1, description="valid scenes shown side by side from one new view")
    rays_per_chunk: int = Field(16384, ge=1, description="rays rendered at once; fewer need less memory")


class EvaluateConfig(Section):
    lpips: bool = Field(True, description="LPIPS where the AlexNet weights lie in weights/")


class DownloadWeightsConfig(Section):
    files: list[str] = Field(
        ["raft_large_C_T_SKHT_V2-ff5fadd5.pth", "sam_vit_b_01ec64.pth", "alexnet-owt-7be5be79.pth"],
        description="which files of pipeline/weights.py to download",
    )


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
