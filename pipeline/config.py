"""Every setting, its default and its meaning, one section per stage: they are in settings/, and are taken from here.

These files import pydantic only, because the Snakefile imports them.
"""

from typing import Annotated, Any

from pydantic import Field, field_validator

from pipeline.settings.baselines import (
    BaselineConfig,
    DynnerfConfig,
    HexPlaneConfig,
    NsffConfig,
    SceneFlowConfig,
    TiNeuVoxConfig,
    TotalReconConfig,
    TrainBaselineConfig,
)
from pipeline.settings.fixed_scenes import FIXED_SCENES, FixedScene, FixedSceneName
from pipeline.settings.fixed_scenes import VERSION as FIXED_SCENES_VERSION
from pipeline.settings.geometry import (
    EstimateDepthConfig,
    PackSceneConfig,
    ReconstructObjectsConfig,
    RefineMasksConfig,
    TrackPointsConfig,
)
from pipeline.settings.output import (
    BenchmarkGrid,
    EvaluateConfig,
    ExportDatasetConfig,
    ExportObjectsConfig,
    ExportSplatsConfig,
    RenderViewsConfig,
    ReportConfig,
)
from pipeline.settings.perception import (
    CheckInputsConfig,
    DownloadWeightsConfig,
    EstimateFlowConfig,
    ExtractFramesConfig,
    ImportDatasetConfig,
    SegmentObjectsConfig,
)
from pipeline.settings.scene import Edit, Prompt, SceneConfig
from pipeline.settings.simulation import RecordingConfig, SimulateSceneConfig
from pipeline.settings.training import (
    OsnAblation,
    SemanticFlowAblation,
    SemanticFlowWeights,
    TrainOsnConfig,
    TrainSemanticFlowConfig,
)
from pipeline.settings.values import (
    BASELINES,
    METHODS,
    SHOWN,
    BaselineName,
    DatasetFormat,
    DatasetLayout,
    DatasetPart,
    DepthSupervision,
    EncoderName,
    Method,
    MethodChoice,
    OwnDepthSupervision,
    Positive,
    PresetName,
    Protocol,
    Section,
)

__all__ = [
    "BASELINES",
    "FIXED_SCENES",
    "FIXED_SCENES_VERSION",
    "METHODS",
    "SHOWN",
    "BaselineConfig",
    "BaselineName",
    "BenchmarkGrid",
    "CheckInputsConfig",
    "Config",
    "DatasetFormat",
    "DatasetLayout",
    "DatasetPart",
    "DepthSupervision",
    "DownloadWeightsConfig",
    "DynnerfConfig",
    "Edit",
    "EncoderName",
    "EstimateDepthConfig",
    "EstimateFlowConfig",
    "EvaluateConfig",
    "ExportDatasetConfig",
    "ExportObjectsConfig",
    "ExportSplatsConfig",
    "ExtractFramesConfig",
    "FixedScene",
    "FixedSceneName",
    "HexPlaneConfig",
    "ImportDatasetConfig",
    "Method",
    "MethodChoice",
    "NsffConfig",
    "OsnAblation",
    "OwnDepthSupervision",
    "PackSceneConfig",
    "Positive",
    "PresetName",
    "Prompt",
    "Protocol",
    "ReconstructObjectsConfig",
    "RecordingConfig",
    "RefineMasksConfig",
    "RenderViewsConfig",
    "ReportConfig",
    "SceneConfig",
    "SceneFlowConfig",
    "Section",
    "SegmentObjectsConfig",
    "SemanticFlowAblation",
    "SemanticFlowWeights",
    "SimulateSceneConfig",
    "TiNeuVoxConfig",
    "TotalReconConfig",
    "TrackPointsConfig",
    "TrainBaselineConfig",
    "TrainOsnConfig",
    "TrainSemanticFlowConfig",
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
