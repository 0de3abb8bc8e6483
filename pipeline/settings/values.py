"""What settings are made of: names to choose from, bounds, and a section that refuses slips."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

BaselineName = Literal["hexplane", "tineuvox", "nsff", "dynnerf", "total_recon"]
Method = Literal["osn", "semantic_flow", "hexplane", "tineuvox", "nsff", "dynnerf", "total_recon"]
Protocol = Literal["osn", "dynnerf", "nsff", "semantic_flow", "dycheck"]
METHODS: tuple[Method, ...] = get_args(Method)
BASELINES: tuple[BaselineName, ...] = get_args(BaselineName)
MethodChoice = Literal["osn", "semantic_flow", "hexplane", "tineuvox", "nsff", "dynnerf", "total_recon", "auto"]
DepthSupervision = Literal["none", "maps", "sfm"]
# Of methods that have a use of depth of their own beside those that all have.
OwnDepthSupervision = Literal["own", "none", "maps", "sfm"]
PresetName = Literal["draft", "default", "quality", "paper"]
DatasetLayout = Literal[
    "osn", "multimotion", "nvidia", "nsff", "semantic_nvidia", "dycheck", "hypernerf", "dnerf", "nerfstudio"
]
DatasetPart = Literal["masks", "poses", "depth", "labels"]
DatasetFormat = Literal["nerfstudio", "colmap", "dycheck", "dnerf", "osn", "llff"]
EncoderName = Literal["auto", "embedded", "resnet18", "resnet34", "resnet50", "efficientnet_lite0"]
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
