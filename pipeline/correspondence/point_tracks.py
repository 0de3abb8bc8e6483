"""Points followed through the images of a video: carried by optical flow, placed by registration against their birth.

A track ends at borders of masks, and where its patch is no longer recognised; new ones are seeded where their object is
bare, denser on small objects. Flow of small things that turn, or that others pass by, is wrong in whole frames: a point of a
moving object that is not found where the flow leads is looked for where its last step leads.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Integer, UInt8
from torch import Tensor

from pipeline.cameras import BACKGROUND_ID, IGNORE_ID
from pipeline.config import TrackPointsConfig
from pipeline.correspondence.lucas_kanade import (
    Patches,
    Registration,
    cut_patches,
    ids_at,
    inside_masks,
    register_in_parts,
    sample_image,
    shape_is_plausible,
)
from pipeline.formats.flow_file import FlowPair
from pipeline.formats.tracks_file import Tracks

NEIGHBOURS = 8  # points that tell how another one of their object moves
FEWEST_ALIKE = 4  # of them: fewer agree by chance


@dataclass(frozen=True)
class Active:
    """Tracks that are alive, as they were last seen."""

    numbers: Integer[Tensor, "track"]
    xy: Float[Tensor, "track xy=2"]
    affine: Float[Tensor, "track 2 2"]
    covariance: Float[Tensor, "track 2 2"]
    step: Float[Tensor, "track xy=2"]  # from the frame before; NaN at birth
    patches: Patches

    def __getitem__(self, index: Tensor) -> "Active":
        return Active(
            self.numbers[index],
            self.xy[index],
            self.affine[index],
            self.covariance[index],
            self.step[index],
            self.patches[index],
        )

    def joined(self, other: "Active") -> "Active":
        return Active(
            torch.cat([self.numbers, other.numbers]),
            torch.cat([self.xy, other.xy]),
            torch.cat([self.affine, other.affine]),
            torch.cat([self.covariance, other.covariance]),
            torch.cat([self.step, other.step]),
            Patches.all_of([self.patches, other.patches]),
        )


def follow(
    images: Iterable[Float32[np.ndarray, "height width rgb=3"]],
    object_ids: UInt8[np.ndarray, "frame height width"],
    pairs: Iterator[FlowPair],
    config: TrackPointsConfig,
    pool: Executor,
) -> Iterator[tuple[int, Active]]:
    """The tracks alive in each frame; flow is read pair by pair."""
    active, born = None, 0
    for frame, colours in enumerate(images):
        image = torch.from_numpy(colours).permute(2, 0, 1).contiguous()
        inner = torch.from_numpy(inside_masks(object_ids[frame], config.mask_margin_px))
        if active is not None:
            active = advance(active, next(pairs), image, inner, config, pool)
        seeds = seed_points(colours, inner.numpy(), None if active is None else active.xy.numpy(), config)
        fresh = begin(image, inner, torch.from_numpy(seeds), born, config)
        born += len(seeds)
        active = fresh if active is None else active.joined(fresh)
        yield frame, active


def begin(
    image: Float[Tensor, "channel height width"],
    inner: Integer[Tensor, "height width"],
    seeds: Float[Tensor, "track xy=2"],
    born: int,
    config: TrackPointsConfig,
) -> Active:
    """New tracks at seeds, numbered from `born` on."""
    count = len(seeds)
    patches = cut_patches(image, inner, seeds, config.patch_radius_px)
    eye = torch.eye(2).expand(count, 2, 2).clone()
    unknown, still = torch.full((count, 2, 2), torch.nan), torch.full((count, 2), torch.nan)
    return Active(torch.arange(born, born + count), seeds, eye, unknown, still, patches)


def advance(
    active: Active,
    pair: FlowPair,
    image: Float[Tensor, "channel height width"],
    inner: Integer[Tensor, "height width"],
    config: TrackPointsConfig,
    pool: Executor,
) -> Active:
    """The tracks that are found again in the next frame."""
    if not len(active.numbers):
        return active
    flow = torch.from_numpy(pair.forward).permute(2, 0, 1)
    predicted = active.xy + sample_image(flow, active.xy, "bilinear").T
    returns = ids_at(torch.from_numpy(pair.forward_valid.astype(np.uint8)), active.xy) == 1
    led_by_flow, alive = found_near(active, predicted, returns, image, inner, config, pool)
    lost = torch.nonzero(~alive & (active.patches.object_ids != BACKGROUND_ID))[:, 0]
    steps = expected_steps(active, lost)
    lost, steps = lost[steps.isfinite().all(1)], steps[steps.isfinite().all(1)]
    if not len(lost):
        return led_by_flow[alive]
    unsure = torch.zeros(len(lost), dtype=torch.bool)
    led_on, again = found_near(active[lost], active.xy[lost] + steps, unsure, image, inner, config, pool)
    return led_by_flow[alive].joined(led_on[again])


def found_near(
    active: Active,
    predicted: Float[Tensor, "track xy=2"],
    returns: Bool[Tensor, "track"],
    image: Float[Tensor, "channel height width"],
    inner: Integer[Tensor, "height width"],
    config: TrackPointsConfig,
    pool: Executor,
) -> tuple[Active, Bool[Tensor, "track"]]:
    """The tracks as they are recognised near a prediction, and which of them are; where it does not return, more is asked."""
    found = register_in_parts(pool, active.patches, image, inner, predicted, active.affine)
    alive = is_found(found, predicted, returns, active.patches, inner, config)
    step = found.xy - active.xy
    return Active(active.numbers, found.xy, found.affine, found.covariance, step, active.patches), alive


def expected_steps(active: Active, lost: Integer[Tensor, "lost"]) -> Float[Tensor, "lost xy=2"]:
    """Each lost point's last step; of one that was just born the median of its neighbours' on its object, NaN without any."""
    steps = active.step[lost].clone()
    known = active.step.isfinite().all(1)
    for row in torch.nonzero(~known[lost])[:, 0].tolist():
        beside = known & (active.patches.object_ids == active.patches.object_ids[lost[row]])
        if beside.any():
            steps[row] = neighbours_median(active.step, active.xy, beside, active.xy[lost[row]])
    return steps


def neighbours_median(
    values: Float[Tensor, "track xy=2"],
    xy: Float[Tensor, "track xy=2"],
    chosen: Bool[Tensor, "track"],
    place: Float[Tensor, "xy=2"],
) -> Float[Tensor, "xy=2"]:
    """The median value of the chosen tracks that are nearest to a place."""
    rows = torch.nonzero(chosen)[:, 0]
    near = (xy[rows] - place).norm(dim=1).argsort()[:NEIGHBOURS]
    return values[rows[near]].median(0).values


def is_found(
    found: Registration,
    predicted: Float[Tensor, "track xy=2"],
    returns: Bool[Tensor, "track"],
    patches: Patches,
    inner: Integer[Tensor, "height width"],
    config: TrackPointsConfig,
) -> Bool[Tensor, "track"]:
    """Patches that look as at their birth, inside their own object, near where they were looked for or off as others are."""
    alike = found.correlation > torch.where(returns, config.min_ncc, (1 + config.min_ncc) / 2)
    shape = shape_is_plausible(torch.nan_to_num(found.affine), config.max_stretch)
    own = ids_at(inner, found.xy) == patches.object_ids
    known = alike & shape & own & (found.sigma_px < config.max_sigma_px)
    offset = found.xy - predicted
    near = offset.norm(dim=-1) < config.max_disagreement_px
    for row in torch.nonzero(known & ~near & (patches.object_ids != BACKGROUND_ID))[:, 0].tolist():
        beside = known & (patches.object_ids == patches.object_ids[row])
        beside[row] = False
        if beside.sum() >= FEWEST_ALIKE:
            common = neighbours_median(offset, found.xy, beside, found.xy[row])
            near[row] = (offset[row] - common).norm() < config.max_disagreement_px
    return known & near


def seed_points(
    colours: Float32[np.ndarray, "height width rgb=3"],
    inner: UInt8[np.ndarray, "height width"],
    taken: Float32[np.ndarray, "track xy=2"] | None,
    config: TrackPointsConfig,
) -> Float32[np.ndarray, "point xy=2"]:
    """Pixel centres to start tracks at: the best textured pixel of every bare cell, cells smaller on small objects."""
    side = 2 * config.patch_radius_px + 1
    # Smaller eigenvalue of the gradient products summed over a patch (OpenCV scales gradients by 2 / side): noise / sqrt(it)
    # is the error of its place.
    channels = [np.ascontiguousarray(colours[..., channel]) for channel in range(3)]
    texture = np.max([cv2.cornerMinEigenVal(channel, side, ksize=3) for channel in channels], axis=0) * side * side / 4
    seeds = []
    for k in np.unique(inner[inner != IGNORE_ID]):
        mask = inner == k
        spacing = object_spacing(int(mask.sum()), config)
        free = mask & (texture > (config.image_noise / config.max_sigma_px) ** 2)
        if taken is not None and len(taken):
            free &= ~covered(taken, texture.shape, spacing)
        seeds.append(best_of_cells(np.where(free, texture, 0), spacing))
    return np.concatenate(seeds) if seeds else np.zeros((0, 2), np.float32)


def object_spacing(area_px: int, config: TrackPointsConfig) -> float:
    """Distance between tracks: as set, less on objects that would get too few, more on those that would get too many."""
    few, many = (area_px / config.tracks_per_object) ** 0.5, (area_px / config.max_tracks) ** 0.5
    return max(many, float(np.clip(few, config.min_spacing_px, config.spacing_px)))


def covered(
    taken: Float32[np.ndarray, "track xy=2"], size: tuple[int, ...], spacing: float
) -> Bool[np.ndarray, "height width"]:
    """Pixels nearer than `spacing` to a living track."""
    bare = np.ones(size, np.uint8)
    column, row = np.floor(taken).astype(int).T
    bare[row.clip(0, size[0] - 1), column.clip(0, size[1] - 1)] = 0
    return cv2.distanceTransform(bare, cv2.DIST_L2, 5) < spacing


def best_of_cells(score: Float[np.ndarray, "height width"], spacing: float) -> Float32[np.ndarray, "point xy=2"]:
    """Centre of the best pixel of every square cell whose score is positive."""
    row, column = np.nonzero(score > 0)
    cell_row, cell_column = (row / spacing).astype(int), (column / spacing).astype(int)
    cell = cell_row * (int(score.shape[1] / spacing) + 1) + cell_column
    order = np.lexsort((column, row, -score[row, column], cell))
    first = np.unique(cell[order], return_index=True)[1]
    best = order[first]
    return np.stack([column[best] + 0.5, row[best] + 0.5], axis=1).astype(np.float32)


def collect(alive: Iterable[tuple[int, Active]], shortest: int) -> Tracks:
    """All observations, sorted by track then frame; tracks shorter than `shortest` frames are dropped."""
    parts = [
        (
            a.numbers.numpy(),
            np.full(len(a.numbers), frame),
            a.xy.numpy(),
            a.covariance.flatten(1)[:, [0, 1, 3]].numpy(),
            a.patches.object_ids.numpy(),
        )
        for frame, a in alive
    ]
    number, frame, xy, covariance, object_ids = (np.concatenate(column) for column in zip(*parts, strict=True))
    length = np.bincount(number, minlength=1)
    order = np.lexsort((frame, number))
    order = order[length[number[order]] >= shortest]
    _, first, track = np.unique(number[order], return_index=True, return_inverse=True)
    covariance = filled_at_birth(covariance[order])
    return Tracks(
        object_ids[order][first].astype(np.uint8),
        track.astype(np.int32),
        frame[order].astype(np.int32),
        xy[order],
        covariance,
    )


def filled_at_birth(
    covariance: Float32[np.ndarray, "observation xx_xy_yy=3"],
) -> Float32[np.ndarray, "observation xx_xy_yy=3"]:
    """Uncertainties where the first observation of a track, which was not measured, gets that of the second."""
    filled = covariance.copy()
    born = np.flatnonzero(np.isnan(covariance[:, 0]))
    filled[born] = covariance[born + 1] if len(born) else filled[born]
    return filled
