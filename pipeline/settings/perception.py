"""From a data set or a video to frames, flow and masks."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.settings.scene import Prompt
from pipeline.settings.values import SHOWN, DatasetPart, Section


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
    propagator: Literal["auto", "flow", "sam2", "sam3"] = Field(
        "auto",
        description="what masks follow through the video; auto: sam3 where SAM 3's folder is in weights/, else sam2 where one of "
        "SAM 2 or EdgeTAM is",
        json_schema_extra=SHOWN,
    )
    max_objects: int = Field(6, ge=1, le=16, description="most objects to keep", json_schema_extra=SHOWN)
    min_area: float = Field(0.004, gt=0, lt=1, description="smallest object, as a fraction of the image")
    boundary_reach: float = Field(
        0.2, gt=0, lt=1, description="how far boundaries may move to edges, as a fraction of the object"
    )
    sam_stride: int = Field(10, ge=1, description="frames from one key frame of SAM to the next, without prompts")
    sam_points_per_side: int = Field(32, ge=1, description="of the grid of points at which SAM looks for things")
    key_frames: bool = Field(
        False, description="given masks are of some frames, numbered by frame; the others are filled in"
    )
    prompts: list[Prompt] = Field([], description="clicks, boxes and texts; normally given with the scene")

    @property
    def texts(self) -> list[Prompt]:
        """The prompts that name things."""
        return [prompt for prompt in self.prompts if prompt.text is not None]

    @property
    def with_clicks_only(self) -> "SegmentObjectsConfig":
        """The same without them."""
        return self.model_copy(update={"prompts": [prompt for prompt in self.prompts if prompt.text is None]})


class DownloadWeightsConfig(Section):
    files: list[str] = Field(
        ["raft_large_C_T_SKHT_V2-ff5fadd5.pth", "sam_vit_b_01ec64.pth", "alexnet-owt-7be5be79.pth"],
        description="which of the known weights files to download",
    )
