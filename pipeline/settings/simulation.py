"""The simulated scene, and what camera and transmission make of it."""

from typing import Literal

from pydantic import Field, model_validator

from pipeline.settings.values import SHOWN, Section


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
        2, ge=0, le=7, description="moving objects; 0 for a scene in which nothing moves", json_schema_extra=SHOWN
    )
    textureless_objects: int = Field(0, ge=0, le=7, description="how many of the objects have almost no texture")
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
