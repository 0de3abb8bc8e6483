"""Every setting, its default and its meaning; one section per stage. Imports pydantic only: the Snakefile imports it."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

BaselineName = Literal["hexplane", "tineuvox"]
Method = Literal["osn", "semantic_flow", "hexplane", "tineuvox"]
Protocol = Literal["osn", "dynnerf", "nsff", "semantic_flow", "dycheck"]
METHODS: tuple[Method, ...] = get_args(Method)
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
MethodChoice = Literal["osn", "semantic_flow", "hexplane", "tineuvox", "auto"]
DepthSupervision = Literal["none", "maps", "sfm"]
OWN_SUPERVISION = "own"  # of methods that use sparse points in a way of their own
PresetName = Literal["draft", "default", "quality", "paper"]
DatasetLayout = Literal[
    "osn", "multimotion", "nvidia", "nsff", "semantic_nvidia", "dycheck", "hypernerf", "dnerf", "nerfstudio"
]
DatasetPart = Literal["masks", "poses", "depth", "labels"]
DatasetFormat = Literal["nerfstudio", "colmap", "dycheck", "dnerf", "osn", "llff"]
EncoderName = Literal["auto", "embedded", "resnet18", "resnet34", "resnet50"]
Positive = Annotated[float, Field(gt=0)]
Level = Annotated[int, Field(ge=0, le=255)]
MOST, MOST_SEED = 1e9, 2**63 - 1  # larger numbers are slips
# What config.yaml shows; docs/SETTINGS.md has all settings.
SHOWN: dict[str, Any] = {"shown": True}


class Section(BaseModel):
    """Settings that cannot change, and in which a misspelt name or a number that nobody can mean is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def is_no_slip(cls, value: Any, info: Any) -> Any:
        """Python takes true for 1, and YAML 10**30 for a number."""
        name = info.field_name or ""
        if isinstance(value, bool) and "bool" not in str(cls.model_fields[name].annotation):
            raise ValueError(f"{str(value).lower()} is a yes or no, which this setting is not")
        if isinstance(value, int | float) and cls.model_fields[name].annotation in (str, str | None):
            raise ValueError("YAML reads this as a number; put it into quotes")
        if isinstance(value, int | float) and abs(value) > (MOST_SEED if name == "seed" else MOST):
            raise ValueError(f"a number between -{MOST:g} and {MOST:g} is needed")
        return value


class Prompt(Section):
    """A hint to one object in one frame, in pixels of the extracted frames: points with labels, or a box, or both."""

    object: int = Field(ge=1, le=254, description="object id")
    frame: int = Field(0, ge=0, description="frame index")
    points: list[tuple[float, float]] = Field([], description="x, y of clicked points")
    labels: list[Literal[0, 1]] = Field([], description="1 on the object, 0 beside it; all 1 when left out")
    box: tuple[float, float, float, float] | None = Field(None, description="x0, y0, x1, y1")
    name: str | None = Field(None, description="what the object is called in the report")

    @model_validator(mode="after")
    def shows_something(self) -> "Prompt":
        if not self.points and self.box is None:
            raise ValueError(
                f"object {self.object} in frame {self.frame} has neither points nor a box: give one of them"
            )
        return self


class Edit(Section):
    """One change to a trained scene, for a video: a thing that is taken out, shown alone, moved, repeated or recoloured.

    Semantic Flow has all but `isolate`, OSN has remove, isolate and move.
    """

    object: str = Field(description="name or id of an object; of Semantic Flow also name of a class")
    action: Literal["remove", "isolate", "duplicate", "move", "recolour"]
    offset: tuple[float, float, float] = Field(
        (0, 0, 0), description="right, down and forward as the first view has them, in world units"
    )
    rotation: tuple[float, float, float] = Field(
        (0, 0, 0), description="degrees about these axes, through the object's centre"
    )
    colour: tuple[Level, Level, Level] | None = Field(None, description="red, green, blue of 255; also of a copy")
    video: str | None = Field(None, description="edits of the same name are shown together, others each alone")

    @model_validator(mode="after")
    def says_what_its_action_needs(self) -> "Edit":
        if self.action == "recolour" and self.colour is None:
            raise ValueError(f"recolouring {self.object} needs colour: [red, green, blue]")
        if self.action in ("move", "duplicate") and not (any(self.offset) or any(self.rotation)):
            raise ValueError(f"to {self.action} {self.object}, give offset: [right, down, forward] or rotation:")
        return self


class SceneConfig(Section):
    """One video and what is known of it."""

    video: str = Field("", description="video file, folder of images, or `simulate`")
    dataset: str | None = Field(
        None, description="LAYOUT:PATH, a scene of a data set in the place of `video` and of what is known of it"
    )
    masks: str | None = Field(None, description="folder of masks, one a frame")
    prompts: list[Prompt] = Field([], description="clicks and boxes for segment_objects")
    edits: list[Edit] = Field([], description="changes to the trained scene, for render_views")
    poses: str | None = Field(
        None, description="camera poses to use for the background: COLMAP model, transforms.json, or OSN's own files"
    )
    trust_poses: bool = Field(False, description="go on with `poses` that the tracks contradict")
    intrinsics: tuple[Positive, Positive, Positive, Positive] | None = Field(
        None, description="fx, fy, cx, cy in pixels of the video as stored"
    )
    labels: str | None = Field(None, description="folder of label maps, for train_semantic_flow")
    start_from: str | None = Field(
        None, description="a scene, an entry of shared_semantics, or a checkpoint, whose Semantic Flow to start from"
    )
    depth: str | None = Field(
        None,
        description="folder of depth maps, one a frame, or `estimate`: for Semantic Flow, and a baseline of OSN",
    )
    truth: str | None = Field(None, description="truth.h5, for evaluation only")
    start: float | None = Field(None, ge=0, description="seconds to skip at the beginning")
    end: float | None = Field(None, gt=0, description="second to stop at")
    fps: float | None = Field(None, gt=0, description="frames a second to keep")
    shot: int | None = Field(None, ge=1, description="which shot of a video with cuts; the longest when empty")
    size: int | None = Field(
        None, ge=32, description="longer side of the frames, pixels; overrides extract_frames.max_size"
    )
    preset: PresetName | None = Field(None, description="settings of this scene, in place of the preset of all")


class RecordingConfig(Section):
    """What the camera and the ways of the video to us make of a simulated scene."""

    lens: Literal["pinhole", "radial", "fisheye"] = Field(
        "pinhole", description="radial: with `k1`; fisheye: equidistant"
    )
    k1: float = Field(
        0.0, ge=-0.3, le=0.3, description="radial distortion as COLMAP's SIMPLE_RADIAL has it; a barrel < 0"
    )
    focal: float | None = Field(None, gt=0.2, lt=5, description="focal length over the width; drawn when empty")
    zoom: float = Field(1.0, ge=0.2, le=5, description="the last frame's focal length over the first one's")
    digital_zoom: bool = Field(False, description="zoom by enlarging the middle of the image, without more detail")
    rolling_shutter: float = Field(0.0, ge=0, le=1, description="readout of all rows, in times of a frame")
    motion_blur: float = Field(0.0, ge=0, le=1, description="exposure, in times of a frame")
    exposure: float = Field(0.0, ge=0, le=3, description="how far the exposure wanders, in stops")
    white_balance: float = Field(0.0, ge=0, le=1, description="how far red over blue wanders, as a share")
    compression: Literal["none", "gif", "messenger"] = Field(
        "none", description="gif: 256 colours, dithered; messenger: half the size, H.264 at a low rate"
    )
    bars: float = Field(0.0, ge=0, le=0.3, description="black bars above and below, each as a share of the height")
    overlay: bool = Field(False, description="burnt-in text: a title and a clock")

    @model_validator(mode="after")
    def k1_needs_its_lens(self) -> "RecordingConfig":
        if self.k1 and self.lens != "radial":
            raise ValueError(f"k1: {self.k1} belongs to lens: radial, the lens is {self.lens}")
        return self


class SimulateSceneConfig(Section):
    seed: int = Field(0, ge=0, description="another seed, another scene", json_schema_extra=SHOWN)
    objects: int = Field(
        2, ge=0, le=6, description="moving objects; 0 for a scene in which nothing moves", json_schema_extra=SHOWN
    )
    textureless_objects: int = Field(0, ge=0, le=6, description="how many of the objects have almost no texture")
    camera: Literal["moving", "static", "walking", "driving", "orbiting"] = Field(
        "moving", description="moving: an arc; static: a tripod, without parallax"
    )
    shake: float = Field(0.0, ge=0, le=5, description="of a camera in the hand, degrees")
    cut: bool = Field(False, description="a hard cut after three fifths: the rest is seen from another side")
    place: Literal["room", "street"] = Field("room", description="where it happens")
    things: Literal["solid", "thin", "cars"] = Field("solid", description="what moves; thin: rods, frames and stools")
    motion: Literal["tumbling", "thrown", "resting", "crossing", "hiding", "traffic"] = Field(
        "tumbling",
        description="tumbling or rolling about the middle; thrown: falling and bouncing; resting: for half of the clip; "
        "crossing: into the view and out of it; hiding: before each other; traffic: along a street",
    )
    texture: Literal["rich", "smooth", "none"] = Field("rich", description="of everything")
    moving_light: bool = Field(False, description="the lamp moves, and with it all shadows")
    reflection: float = Field(0.0, ge=0, lt=1, description="share of the light that the floor mirrors")
    recording: RecordingConfig = Field(RecordingConfig(), description="lens, shutter, exposure, compression")
    frames: int = Field(32, ge=2, description="frames of the video")
    held_out_views: int | None = Field(
        None, ge=1, description="held-out views, evenly over the clip; one a frame when empty"
    )
    height: int = Field(192, ge=16, multiple_of=2, description="pixels")
    width: int = Field(256, ge=16, multiple_of=2, description="pixels")
    fps: float = Field(12.0, gt=0, description="frames a second")
    noise: float = Field(0.0, ge=0, description="standard deviation of the camera's noise, in 8-bit levels")
    quality: int = Field(15, ge=0, le=40, description="rate factor of the H.264 video, lower is better")
    combinations: int = Field(
        0, ge=0, description="scenes with other scales that show the same video; light then casts no shadows"
    )

    @model_validator(mode="after")
    def fits_together(self) -> "SimulateSceneConfig":
        driven = (self.camera, self.things, self.motion)
        if self.place == "street" and driven != ("driving", "cars", "traffic"):
            raise ValueError(f"place: street needs camera: driving, things: cars and motion: traffic, not {driven}")
        if self.place == "room" and {"driving", "cars", "traffic"} & set(driven):
            raise ValueError(f"{' and '.join({'driving', 'cars', 'traffic'} & set(driven))} needs place: street")
        if self.cut and (self.place == "street" or self.recording.rolling_shutter or self.recording.motion_blur):
            raise ValueError("cut: true needs a room, and a shutter that is short: no rolling_shutter, no motion_blur")
        if self.combinations and (self.recording != RecordingConfig() or self.held_out_views or self.reflection):
            raise ValueError(
                "combinations are of a plain recording: leave out recording, held_out_views and reflection"
            )
        return self


class ImportDatasetConfig(Section):
    use: list[DatasetPart] = Field(
        ["masks", "poses", "depth", "labels"],
        description="parts of a data set that the pipeline sees, where there are any; the others are estimated",
    )
    split: str | None = Field(None, description="which list of test views; the layout's own when empty")
    factor: int | None = Field(
        None, ge=1, le=16, description="images this many times smaller than the largest; the layout's own when empty"
    )


class ExtractFramesConfig(Section):
    max_size: int = Field(
        480, ge=32, description="longer side of the frames, pixels; larger videos are reduced", json_schema_extra=SHOWN
    )
    max_frames: int = Field(
        100, ge=2, description="most frames to keep; more are thinned evenly", json_schema_extra=SHOWN
    )
    fps: float | None = Field(
        None, gt=0, description="frames a second to keep; all when empty", json_schema_extra=SHOWN
    )
    start: float | None = Field(None, ge=0, description="seconds to skip at the beginning")
    end: float | None = Field(None, gt=0, description="second to stop at")
    shot: int | None = Field(None, ge=1, description="which shot of a video with cuts; the longest when empty")
    crop_borders: bool = Field(True, description="leave out bars around the picture, as of letterbox video")
    find_overlays: bool = Field(True, description="find text and logos drawn over the video; masks ignore them")


class CheckInputsConfig(Section):
    key_frames: bool = Field(False, description="as in segment_objects, from where the graph takes it")
    prompts: list[Prompt] = Field([], description="as in segment_objects, from where the graph takes them")


class EstimateFlowConfig(Section):
    backend: Literal["auto", "dis", "raft"] = Field(
        "auto", description="auto: raft where its weights lie in weights/", json_schema_extra=SHOWN
    )
    weights_file: str | None = Field(None, description="RAFT file under weights/; the best one there when empty")
    consistency_px: float = Field(1.0, gt=0, description="largest round-trip error of a valid pixel")
    iterations: int = Field(12, ge=1, description="RAFT refinement steps")
    enlarge_below_px: int = Field(400, ge=0, description="RAFT sees frames whose longer side is shorter enlarged")
    enlargements: list[Annotated[float, Field(ge=1, le=8)]] = Field(
        [2.0, 3.0], min_length=1, description="how much; the mean of the flows is taken"
    )
    batch_pairs: int = Field(4, ge=1, description="pairs that RAFT takes at once on a GPU")
    strides: list[Annotated[int, Field(ge=2, le=64)]] = Field(
        [], description="also flow between frames this far apart, for slow motion: 2, 4, 8"
    )


class SegmentObjectsConfig(Section):
    backend: Literal["auto", "motion", "sam"] = Field(
        "auto", description="auto: sam where its weights lie in weights/", json_schema_extra=SHOWN
    )
    propagator: Literal["auto", "flow", "sam2"] = Field(
        "auto",
        description="what masks follow through the video; auto: sam2 where a SAM 2 or EdgeTAM folder is in weights/",
        json_schema_extra=SHOWN,
    )
    max_objects: int = Field(4, ge=1, le=16, description="most objects to keep", json_schema_extra=SHOWN)
    min_area: float = Field(0.004, gt=0, lt=1, description="smallest object, as a fraction of the image")
    boundary_reach: float = Field(
        0.2, gt=0, lt=1, description="how far boundaries may move to edges, as a fraction of the object"
    )
    sam_stride: int = Field(10, ge=1, description="frames from one key frame of SAM to the next, without prompts")
    sam_points_per_side: int = Field(32, ge=1, description="of the grid of points at which SAM looks for things")
    key_frames: bool = Field(
        False, description="given masks are of some frames, numbered by frame; the others are filled in"
    )
    prompts: list[Prompt] = Field([], description="clicks and boxes; normally given with the scene")


class TrackPointsConfig(Section):
    spacing_px: float = Field(7.0, gt=0, description="distance between neighbouring tracks")
    min_spacing_px: float = Field(3.0, gt=0, description="the same on the smallest objects")
    tracks_per_object: int = Field(400, ge=8, description="tracks that small objects should have at a time")
    max_tracks: int = Field(1500, ge=8, description="most tracks of one object at a time")
    min_length: int = Field(3, ge=2, description="frames that a track must last")
    patch_radius_px: int = Field(5, ge=2, description="half the side of the image patch that a track is known by")
    mask_margin_px: int = Field(2, ge=0, description="pixels at the border of masks that patches leave out")
    min_ncc: float = Field(
        0.85, gt=0, lt=1, description="least NCC (normalised cross-correlation) of a patch with its first image"
    )
    max_disagreement_px: float = Field(1.5, gt=0, description="largest disagreement between flow and registration")
    max_sigma_px: float = Field(0.4, gt=0, description="largest standard deviation of a position")
    max_stretch: float = Field(1.8, gt=1, description="largest change of a patch's size or shape")
    image_noise: float = Field(2.0, gt=0, description="noise of the images, grey levels of 255")


class ReconstructObjectsConfig(Section):
    intrinsics: tuple[Positive, Positive, Positive, Positive] | None = Field(
        None, description="fx, fy, cx, cy in pixels of the video as stored; normally given with the scene"
    )
    default_focal: float = Field(
        1.0, gt=0, description="focal length to start from where none is known, times the longer side"
    )
    mapping_tracks: int = Field(1200, ge=50, description="most tracks of an object that the mappers see")
    adjustment_tracks: int = Field(4000, ge=50, description="most tracks of an object in the final adjustment")
    guided_matching_rounds: int = Field(
        2, ge=0, description="times that points of moving objects are looked for again where their model has them"
    )
    patch_radius_px: int = Field(5, ge=2, description="half the side of the patches that are looked for")
    mask_margin_px: int = Field(2, ge=0, description="pixels at the border of masks in which nothing is looked for")
    trust_poses: bool = Field(
        False, description="go on with given poses that the tracks contradict; normally given with the scene"
    )
    seed: int = Field(0, ge=0, description="seed of all random choices")


class RefineMasksConfig(Section):
    enabled: bool = Field(
        True,
        description="correct masks once more by the camera and the background that were reconstructed",
        json_schema_extra=SHOWN,
    )
    min_area: float = Field(
        0.0007, gt=0, lt=1, description="smallest region that is given back or ignored, as a fraction of the image"
    )
    boundary_reach: float = Field(
        0.2, gt=0, lt=1, description="how far boundaries may move to edges, as a fraction of the object"
    )
    patch_radius_px: int = Field(5, ge=2, description="half the side of the patches that objects are looked for by")
    mask_margin_px: int = Field(2, ge=0, description="pixels at the border of masks in which nothing is looked for")


class PackSceneConfig(Section):
    near: float = Field(0.1, gt=0, description="near bound, as a share of the nearest background point")
    max_gap: int = Field(
        0, ge=0, description="most frames in a row without a pose that count as known, interpolated; 0: none do"
    )


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


class EstimateDepthConfig(Section):
    model: str | None = Field(
        None, description="folder under weights/ of a depth network; the largest one there when empty"
    )
    batch_frames: int = Field(4, ge=1, description="frames that the network takes at once")


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
    depth_weight: float = Field(
        10.0, ge=0, description="weight of the sparse depths; colours alone draw surfaces towards the cameras"
    )
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
        "auto", description="of the frames; auto: a ResNet whose weights lie in weights/", json_schema_extra=SHOWN
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
    pixel_memory_mb: int | None = Field(None, ge=1, description=PIXEL_MEMORY)
    window_steps: int = Field(100, ge=1, description="steps after which other frames of such a video are read")
    shards: int = Field(4, ge=1, description="parts of a step on CPU, which share the cores; part of the result")
    resume_seconds: float = Field(60.0, gt=0, description="how often the state is kept, to go on after a kill")
    loss_weights: SemanticFlowWeights = Field(SemanticFlowWeights(), description="how much each loss counts")
    ablation: SemanticFlowAblation = Field(SemanticFlowAblation(), description="variants of the method, for comparison")


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


class HexPlaneConfig(BaselineConfig):
    """HexPlane; the paper preset has the sizes of its released configuration for D-NeRF's scenes."""

    grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [40, 56, 76, 104], min_length=1, description="nodes along each axis, coarse to fine"
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
    grid_lr: float = Field(0.02, gt=0, description="learning rate of planes")
    network_lr: float = Field(0.001, gt=0, description="learning rate of networks")

    @model_validator(mode="after")
    def a_time_grid_for_each_grid(self) -> "HexPlaneConfig":
        if len(self.time_grids) != len(self.grids):
            raise ValueError(f"grids has {len(self.grids)} stages, time_grids {len(self.time_grids)}: give as many")
        return self


class TiNeuVoxConfig(BaselineConfig):
    """TiNeuVox; the default is its small model, the paper preset its base model."""

    steps: int = Field(1500, ge=1, description="steps")
    fine_samples: int = Field(24, ge=4, description="samples a ray")
    grids: list[Annotated[int, Field(ge=4, le=512)]] = Field(
        [33, 41, 53, 65], min_length=1, description="voxels along each axis, coarse to fine"
    )
    refine_at: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.1, 0.2, 0.3], description="parts of the steps after which the next grid is taken"
    )
    channels: int = Field(4, ge=1, description="channels of a voxel")
    width: int = Field(64, ge=8, description="width of all networks")
    background: float = Field(1e-3, ge=0, description="weight of the entropy of the light left behind the scene")
    point_colour: float = Field(1e-2, ge=0, description="weight of every sample's own colour")
    grid_lr: float = Field(0.08, gt=0, description="learning rate of voxels")
    deformation_lr: float = Field(6e-4, gt=0, description="learning rate of the deformation network")
    network_lr: float = Field(8e-4, gt=0, description="learning rate of the other networks")


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


class RenderViewsConfig(Section):
    observed_frames: int = Field(8, ge=1, description="most of the video's own views to render, evenly chosen")
    path_frames: int = Field(
        20, ge=1, description="frames of the camera path around the scene", json_schema_extra=SHOWN
    )
    held_out_frames: int = Field(8, ge=1, description="most of truth's test views to render, evenly chosen")
    held_out_samples: int = Field(4, ge=0, description="valid scenes to take mean and spread over in these views")
    held_out_candidates: int = Field(
        1, ge=1, description="valid scenes nearest to the true scales that held-out views are rendered of"
    )
    held_out_more: int = Field(
        0,
        ge=0,
        description="further candidates, drawn from twice as many that come next; OSN's own evaluation has 5 and 5 more",
    )
    scale_samples: int = Field(3, ge=1, description="valid scenes shown side by side from one new view")
    scales: list[Positive] = Field(
        [], description="show the valid scene nearest to these scales of the moving objects", json_schema_extra=SHOWN
    )
    rays_per_chunk: int | None = Field(
        None,
        ge=1,
        description="rays rendered at once, fewer need less memory; null: 16384 on the CPU, 65536 on a GPU",
        json_schema_extra=SHOWN,
    )
    edits: list[Edit] = Field([], description="changes to a trained scene; normally given with the scene")
    edit_frames: int = Field(16, ge=1, description="most frames of the video of an edit")


class EvaluateConfig(Section):
    lpips: bool = Field(True, description="LPIPS where the AlexNet weights lie in weights/")
    protocols: list[Protocol] = Field(
        [], description="papers by whose formulas held-out views are judged too, beside the one that truth names"
    )


class DownloadWeightsConfig(Section):
    files: list[str] = Field(
        ["raft_large_C_T_SKHT_V2-ff5fadd5.pth", "sam_vit_b_01ec64.pth", "alexnet-owt-7be5be79.pth"],
        description="which of the known weights files to download",
    )


class ReportConfig(Section):
    video_width: int = Field(480, ge=64, description="width of the videos inside the report, pixels")


class ExportDatasetConfig(Section):
    formats: list[DatasetFormat] = Field(
        ["nerfstudio", "colmap", "dycheck", "dnerf"],
        min_length=1,
        description="what to write: dycheck is also Nerfies' and HyperNeRF's form, llff also DynamicNeRF's; osn is OSN's",
    )
    dense_depth: Literal["osn", "semantic_flow"] | None = Field(
        None, description="trained method whose depth is written at every pixel; sparse points' depth when empty"
    )


class ExportSplatsConfig(Section):
    seed: int = Field(0, ge=0, description="seed of all random choices")
    background_splats: int = Field(20000, ge=1, description="most splats of the background")
    object_splats: int = Field(5000, ge=1, description="most splats of each moving object")
    steps: int = Field(
        120, ge=1, description="steps in which the splats of an object are fitted to its field's renders"
    )
    observed_views: int = Field(10, ge=1, description="cameras of the video that they are fitted to, evenly chosen")
    turned_views: int = Field(
        6, ge=0, description="cameras turned away from those of the video that they are fitted to"
    )
    max_size: int = Field(320, ge=16, description="longer side of the renders that they are fitted to, pixels")


class ExportObjectsConfig(Section):
    scales: list[Positive] = Field([], description="the valid scene nearest to these scales of the moving objects")


class BenchmarkGrid(Section):
    """Runs to compare: every scene by every method, with every seed; baselines with every depth supervision too."""

    scenes: list[str] = Field(min_length=1, description="names of scenes, with truth that has held-out views")
    methods: list[Method] = Field(min_length=1, description="methods")
    depth_supervision: list[DepthSupervision] = Field(
        ["none"],
        min_length=1,
        description="of the baselines; OSN and Semantic Flow use sparse points in their own ways",
    )
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1, description="seeds of the trainings")

    @field_validator("*")
    @classmethod
    def names_each_once(cls, values: list[Any]) -> list[Any]:
        if len(set(values)) < len(values):
            raise ValueError(f"{values} names something twice")
        return values

    def runs(self) -> list[tuple[str, str, int, Method]]:
        """Scene, supervision, seed and method of every run."""
        return [
            (scene, supervision, seed, method)
            for scene in self.scenes
            for method in self.methods
            for supervision in (self.depth_supervision if method in BASELINES else [OWN_SUPERVISION])
            for seed in self.seeds
        ]


class Config(Section):
    """The whole of config.yaml."""

    scenes: dict[str, SceneConfig] = Field(min_length=1, description="name -> video and what is known of it")
    shared_semantics: dict[str, Annotated[list[str], Field(min_length=2)]] = Field(
        {}, description="name -> scenes whose Semantic Flow is trained as one model"
    )
    benchmark: dict[str, BenchmarkGrid] = Field(
        {}, description="name -> runs to compare, for `snakemake results/benchmarks/NAME/table.html`"
    )
    method: list[MethodChoice] = Field(
        ["osn"],
        min_length=1,
        description="which method to train, or a list of several; auto: by how each scene's objects move",
    )
    preset: PresetName = Field(
        "default",
        description="draft: a first look; quality: for a night; paper: the papers' sizes and steps, for a GPU",
    )
    compare: list[str] = Field(
        [],
        description="folders of results/ that results/compare.html holds against each other; none: all that have numbers",
    )
    simulate_scene: SimulateSceneConfig = SimulateSceneConfig()
    import_dataset: ImportDatasetConfig = ImportDatasetConfig()
    extract_frames: ExtractFramesConfig = ExtractFramesConfig()
    estimate_flow: EstimateFlowConfig = EstimateFlowConfig()
    segment_objects: SegmentObjectsConfig = SegmentObjectsConfig()
    track_points: TrackPointsConfig = TrackPointsConfig()
    reconstruct_objects: ReconstructObjectsConfig = ReconstructObjectsConfig()
    refine_masks: RefineMasksConfig = RefineMasksConfig()
    pack_scene: PackSceneConfig = PackSceneConfig()
    estimate_depth: EstimateDepthConfig = EstimateDepthConfig()
    train_osn: TrainOsnConfig = TrainOsnConfig()
    train_semantic_flow: TrainSemanticFlowConfig = TrainSemanticFlowConfig()
    train_baseline: TrainBaselineConfig = TrainBaselineConfig()
    render_views: RenderViewsConfig = RenderViewsConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    report: ReportConfig = ReportConfig()
    export_dataset: ExportDatasetConfig = ExportDatasetConfig()
    export_splats: ExportSplatsConfig = ExportSplatsConfig()
    export_objects: ExportObjectsConfig = ExportObjectsConfig()

    @field_validator("method", mode="before")
    @classmethod
    def one_is_a_list_of_one(cls, methods: Any) -> Any:
        return [methods] if isinstance(methods, str) else methods

    @field_validator("method")
    @classmethod
    def auto_stands_alone(cls, methods: list[MethodChoice]) -> list[MethodChoice]:
        if "auto" in methods and len(methods) > 1:
            raise ValueError("auto chooses among all methods: write `method: auto`, or name methods without it")
        return methods

    @field_validator("compare")
    @classmethod
    def runs_are_folders_of_results(cls, names: list[str]) -> list[str]:
        if wrong := [name for name in names if name in ("", ".", "..") or "/" in name or "\\" in name]:
            raise ValueError(f"{wrong[0]} is not a folder of results/: give its name alone, as `compare: [demo]`")
        return names

    @property
    def given_methods(self) -> list[Method] | None:
        """The methods that every scene is trained by; None where each scene's geometry will tell."""
        return [name for name in self.method if name != "auto"] or None
