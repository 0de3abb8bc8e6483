"""Borders on edges: motion and colour decide near the border, neighbouring frames vote along the flow."""

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.correspondence.flow_chain import FlowChain, steps_from, warped_from
from pipeline.runtime.progress import progress
from pipeline.segmentation.camera_motion_residual import without_texture
from pipeline.segmentation.colour_histogram import histogram_bins, smoothed_histogram
from pipeline.segmentation.guided_filter import guided_filter
from pipeline.segmentation.layered_motion import STRIDES, Pictures, motion_margin
from pipeline.segmentation.morphology import disk

ROUNDS = 3
KEPT_PICTURES = 24
SHADE_PX = 5.0  # brightness that varies more slowly is taken for light and shadow, and counts little
SHADE_KEPT = 0.3
RADIUS, EDGE = 4, 1e-3  # of the guided filter
COLOUR_WEIGHT, PLACE_WEIGHT = 0.5, 0.6
SHADOWS, SHADOW_WEIGHT = (0.85, 0.7, 0.55, 0.4, 0.28), 0.8  # light left in a cast shadow; how likely one is
RARE = 1e-4  # share of a colour that was not seen
SMALLEST_PX = 12
SURE = 3.0  # most that colour or place can say


def refine_masks(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    chain: FlowChain,
    reach: float,
    doubtful: Collection[int] | None = None,
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids whose borders follow edges; `reach`: how far borders may move, as a share of the object's size.

    If some objects are called doubtful, only they change, and regions without texture go to them whole or not at all.
    """
    pictures = NormalisedImages(images)
    for step in range(ROUNDS):
        refine = partial(refined_frame, pictures=pictures, chain=chain, reach=reach * 0.7**step, doubtful=doubtful)
        with ThreadPoolExecutor() as pool:
            jobs = pool.map(refine, images, ids, range(len(images)))
            frames = list(progress(jobs, f"borders {step + 1}/{ROUNDS}", len(images), "frames"))
        ids = temporal_vote(np.stack(frames), chain)
    return ids


class NormalisedImages(Mapping[int, np.ndarray]):
    """The shading-normalised picture of every frame, made when it is asked for; only the last few are kept."""

    def __init__(self, images: UInt8[np.ndarray, "frame height width rgb=3"]) -> None:
        self.images = images
        self.made = lru_cache(maxsize=KEPT_PICTURES)(lambda frame: shading_normalised(images[frame]))

    def __getitem__(self, frame: int) -> np.ndarray:
        return self.made(frame)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.images)))

    def __len__(self) -> int:
        return len(self.images)


def shading_normalised(image: UInt8[np.ndarray, "height width rgb=3"]) -> Float[np.ndarray, "height width channel"]:
    """Lab colours with most of the slow changes of brightness taken away, so that a shadow matches its surroundings."""
    lab = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32), (0, 0), 0.7)
    shade = cv2.GaussianBlur(lab[..., 0], (0, 0), SHADE_PX)
    return lab - (1 - SHADE_KEPT) * np.stack([shade, 0 * shade, 0 * shade], axis=-1)


def refined_frame(
    image: UInt8[np.ndarray, "height width rgb=3"],
    ids: UInt8[np.ndarray, "height width"],
    frame: int,
    pictures: Pictures,
    chain: FlowChain,
    reach: float,
    doubtful: Collection[int] | None = None,
) -> UInt8[np.ndarray, "height width"]:
    """Every pixel's id: the object that explains it best, if any does better than the background."""
    objects = [int(k) for k in np.unique(ids) if k]
    steps = steps_from(chain, frame, STRIDES) if objects else []
    best, result = np.zeros(ids.shape, np.float32), np.zeros_like(ids)
    flats = None if doubtful is None else flat_regions(image)
    for k in objects:
        mask = ids == k
        if doubtful is not None and k not in doubtful:
            best[mask], result[mask] = -np.inf, k
            continue
        band = band_of(mask, reach)
        window = box_around(mask, band + 8)
        zones = zones_of(mask, ids > 0, band)
        margin = motion_margin(pictures, frame, steps, zones.core, zones.beside, window)
        margin += 0 if flats is None else border_mean(margin, flats[window])
        margin += COLOUR_WEIGHT * colour_margin(image[window], zones.core[window], zones.beside[window])
        margin += PLACE_WEIGHT * np.clip(zones.outward[window] / band, -1, 1)
        margin = guided_filter((image[window] / 255).astype(np.float32), margin.astype(np.float32), RADIUS, EDGE)
        margin[zones.outward[window] > band] = SURE
        wins = margin < best[window]
        best[window][wins], result[window][wins] = margin[wins], k
    return whole_objects(result, ids, objects)


def flat_regions(image: UInt8[np.ndarray, "height width rgb=3"]) -> Float[np.ndarray, "height width"]:
    """Numbers of the connected regions without texture, from 1 on; cv2.dilate takes no integers of that size."""
    flat = cv2.morphologyEx(without_texture(image), cv2.MORPH_OPEN, disk(2))
    return cv2.connectedComponents(flat, connectivity=4)[1].astype(np.float32)


def border_mean(
    margin: Float[np.ndarray, "height width"], flats: Float[np.ndarray, "height width"]
) -> Float[np.ndarray, "height width"]:
    """In regions without texture the mean of what their borders say: inside of them every motion explains all."""
    around, inside = cv2.dilate(flats, disk(2)).astype(int), flats.astype(int)
    around[inside > 0] = 0
    count = int(flats.max()) + 1
    sums, counts = np.bincount(around.ravel(), margin.ravel(), count), np.bincount(around.ravel(), minlength=count)
    return np.where(inside > 0, (sums / np.maximum(counts, 1))[inside], 0).astype(np.float32)


def band_of(mask: Bool[np.ndarray, "height width"], reach: float) -> int:
    """How far from the given border the true one may be, pixels."""
    return max(4, int(reach * float(np.sqrt(mask.sum()))))


@dataclass(frozen=True)
class Zones:
    """Places around a mask's border."""

    outward: Float[np.ndarray, "height width"]  # pixels from the border, negative inside
    core: Bool[np.ndarray, "height width"]
    beside: Bool[np.ndarray, "height width"]


def zones_of(mask: Bool[np.ndarray, "height width"], objects: Bool[np.ndarray, "height width"], band: int) -> Zones:
    """Where an object surely is, and where the background beside it surely is, if the mask is nearly right."""
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    within = cv2.distanceTransform(np.pad(mask, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    core = within > min(3.0, 0.1 * float(np.sqrt(mask.sum())))
    away = cv2.dilate(objects.astype(np.uint8), disk(3)) == 0
    return Zones(np.where(mask, -within, outside), core, away & (outside < 1.5 * band + 6))


def colour_margin(
    image: UInt8[np.ndarray, "height width rgb=3"],
    inside: Bool[np.ndarray, "height width"],
    beside: Bool[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width"]:
    """How much more common a colour, or a shadow on it, is beside an object than in it, as a logarithm."""
    if inside.sum() < SMALLEST_PX or beside.sum() < SMALLEST_PX:
        return np.zeros(image.shape[:2], np.float32)
    own, other = smoothed_histogram(image[inside]), smoothed_histogram(image[beside])
    shaded = [SHADOW_WEIGHT * smoothed_histogram(image[beside] * light) for light in SHADOWS]
    other = np.maximum.reduce([other, *shaded])
    return np.clip(np.log((other + RARE) / (own + RARE)), -SURE, SURE)[histogram_bins(image)].astype(np.float32)


def whole_objects(
    found: UInt8[np.ndarray, "height width"], before: UInt8[np.ndarray, "height width"], objects: list[int]
) -> UInt8[np.ndarray, "height width"]:
    """Every object without crumbs and holes."""
    result = np.zeros_like(found)
    for k in objects:
        body = main_body(found == k, before == k)
        result[body & ((result == 0) | (found == k))] = k
    return result


def main_body(
    inside: Bool[np.ndarray, "height width"], core: Bool[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """Without crumbs that do not touch the core, and with small holes filled."""
    smooth = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_CLOSE, disk(2))
    smooth = cv2.morphologyEx(smooth, cv2.MORPH_OPEN, disk(1))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(smooth)
    kept = [
        k
        for k in range(1, count)
        if (core & (labels == k)).any() and stats[k, cv2.CC_STAT_AREA] > 0.03 * max(smooth.sum(), 1)
    ]
    body = np.isin(labels, kept)
    holes, labels, stats, _ = cv2.connectedComponentsWithStats((~body).astype(np.uint8))
    small = [k for k in range(1, holes) if stats[k, cv2.CC_STAT_AREA] < 0.05 * body.sum()]
    return body | np.isin(labels, small)


def box_around(mask: Bool[np.ndarray, "height width"], margin: int) -> tuple[slice, slice]:
    """Slices of the mask's box and a margin."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )


def temporal_vote(
    ids: UInt8[np.ndarray, "frame height width"], chain: FlowChain
) -> UInt8[np.ndarray, "frame height width"]:
    """Each pixel's id by a vote of the frames around, brought here along the flow; a frame alone cannot tear a mask.

    One object after another, in bytes: all layers of a long video together would not fit into memory.
    """
    objects = [int(k) for k in np.unique(ids) if k]
    result, best = np.zeros_like(ids), np.zeros(ids.shape, np.uint8)
    for k in [0, *objects] if objects else []:
        votes = layer_votes(ids, k, chain)
        wins = votes > best
        result[wins], best[wins] = k, votes[wins]
    return result


def layer_votes(
    ids: UInt8[np.ndarray, "frame height width"], k: int, chain: FlowChain
) -> UInt8[np.ndarray, "frame height width"]:
    """For one id, 0 to 254: the mean of what the frames before and after say."""
    votes = np.empty_like(ids)
    opinion = own = (ids[0] == k).astype(np.float32)
    votes[0] = 127 * opinion
    for t in range(1, len(ids)):
        own = (ids[t] == k).astype(np.float32)
        opinion = blended(own, opinion, chain, t, -1)
        votes[t] = 127 * opinion
    opinion = own
    votes[-1] += (127 * opinion).astype(np.uint8)
    for t in range(len(ids) - 2, -1, -1):
        opinion = blended((ids[t] == k).astype(np.float32), opinion, chain, t, 1)
        votes[t] += (127 * opinion).astype(np.uint8)
    return votes


def blended(
    own: Float[np.ndarray, "height width"],
    neighbour: Float[np.ndarray, "height width"],
    chain: FlowChain,
    frame: int,
    direction: int,
) -> Float[np.ndarray, "height width"]:
    """Own opinion and the neighbour's, the latter where the flow can be trusted."""
    brought, valid = warped_from(neighbour, chain, frame, direction)
    weight = 0.6 * valid
    return weight * brought + (1 - weight) * own
