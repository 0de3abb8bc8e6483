"""What is said of one video: where it is, what is known of it, clicks, and edits."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.settings.fixed_scenes import FixedSceneName
from pipeline.settings.values import Level, Positive, PresetName, Section


class Prompt(Section):
    """A hint to one object in one frame, in pixels of the extracted frames: points with labels, or a box, or both.

    Or a text, by which SAM 3 finds every thing that is called so, in all frames; ids are then given by the stage.
    """

    object: int = Field(0, ge=0, le=254, description="object id, from 1 on; none with a text")
    text: str | None = Field(None, min_length=1, description="what to look for, as `red car`; needs SAM 3 in weights/")
    frame: int = Field(0, ge=0, description="frame index")
    points: list[tuple[float, float]] = Field([], description="x, y of clicked points")
    labels: list[Literal[0, 1]] = Field([], description="1 on the object, 0 beside it; all 1 when left out")
    box: tuple[float, float, float, float] | None = Field(None, description="x0, y0, x1, y1")
    name: str | None = Field(None, description="what the object is called in the report")

    @model_validator(mode="after")
    def shows_something(self) -> "Prompt":
        if self.text is not None:
            if self.object or self.points or self.box is not None or self.frame:
                raise ValueError(
                    f'the prompt with text "{self.text}" also has an object, a frame, points or a box: give the text alone (and '
                    "a name), things that it finds get the ids that are free"
                )
            return self
        if not self.object:
            raise ValueError("a prompt has neither an object (its id, from 1 on) nor a text: give one of them")
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
    simulation: FixedSceneName | None = Field(
        None, description="with `video: simulate`: one of our own benchmark scenes, which do not change"
    )
    dataset: str | None = Field(
        None, description="LAYOUT:PATH, a scene of a data set in the place of `video` and of what is known of it"
    )
    masks: str | None = Field(None, description="folder of masks, one a frame")
    prompts: list[Prompt] = Field([], description="clicks, boxes and texts for segment_objects")
    edits: list[Edit] = Field([], description="changes to the trained scene, for render_views")
    poses: str | None = Field(
        None,
        description="camera poses to use for the background: COLMAP model, transforms.json, OSN's own files, results of ViPE, "
        "Depth Anything 3 or MegaSaM",
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
        description="folder of depth maps, one a frame, results of ViPE, Depth Anything 3 or MegaSaM, or `estimate`: for "
        "Semantic Flow, and a baseline of OSN",
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

    @model_validator(mode="after")
    def simulation_is_simulated(self) -> "SceneConfig":
        if self.simulation and self.video != "simulate":
            raise ValueError(f"simulation: {self.simulation} needs video: simulate")
        return self
