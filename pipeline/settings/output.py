"""Renders, numbers, the report and exports."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.settings.scene import Edit
from pipeline.settings.values import (
    BASELINES,
    SHOWN,
    DatasetFormat,
    Method,
    OwnDepthSupervision,
    Positive,
    Protocol,
    Section,
)


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
    """Runs to compare: every scene by every method, with every depth supervision and every seed."""

    scenes: list[str] = Field(min_length=1, description="names of scenes, with truth that has held-out views")
    methods: list[Method] = Field(min_length=1, description="methods")
    depth_supervision: list[OwnDepthSupervision] = Field(
        ["sfm"],
        min_length=1,
        description="what trainings are told of depth; own: OSN and Semantic Flow as they use it, no run of a baseline",
    )
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1, description="seeds of the trainings")

    @field_validator("*")
    @classmethod
    def names_each_once(cls, values: list[Any]) -> list[Any]:
        if len(set(values)) < len(values):
            raise ValueError(f"{values} names something twice")
        return values

    @model_validator(mode="after")
    def baselines_have_runs(self) -> "BenchmarkGrid":
        if self.depth_supervision == ["own"] and (told := [name for name in self.methods if name in BASELINES]):
            raise ValueError(f"{told[0]} has no depth supervision of its own: add none, sfm or maps")
        return self

    def runs(self) -> list[tuple[str, str, int, Method]]:
        """Scene, supervision, seed and method of every run."""
        return [
            (scene, supervision, seed, method)
            for scene in self.scenes
            for method in self.methods
            for supervision in self.depth_supervision
            if not (supervision == "own" and method in BASELINES)
            for seed in self.seeds
        ]
