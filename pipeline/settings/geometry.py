"""From tracks to the packed scene, and depth by a network."""

from pydantic import Field

from pipeline.settings.values import SHOWN, Positive, Section


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
    max_new_objects: int = Field(
        4, ge=0, le=16, description="most objects that the second pass adds; 0: what belongs to none is ignored"
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


class EstimateDepthConfig(Section):
    model: str | None = Field(
        None, description="folder under weights/ of a depth network; the largest one there when empty"
    )
    batch_frames: int = Field(4, ge=1, description="frames that the network takes at once")
