"""Borders on edges: colour decides near the border (GrabCut), neighbouring frames vote along the flow."""

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from pipeline.flow_chain import FlowChain, carried
from pipeline.mask_tubes import disk
from pipeline.progress import progress

ROUNDS = 2


def refine_masks(
    images: UInt8[np.ndarray, "frame height width rgb=3"],
    ids: UInt8[np.ndarray, "frame height width"],
    still: Bool[np.ndarray, "frame height width"],
    chain: FlowChain,
    reach: float,
) -> UInt8[np.ndarray, "frame height width"]:
    """Ids whose borders follow edges.

    `reach`: how far from the given border, as a share of the object's size; less where pixels are known to be still.
    """
    for step in range(ROUNDS):
        share = reach if step == 0 else reach / 2
        what = f"borders {step + 1}/{ROUNDS}"
        with ThreadPoolExecutor() as pool:
            jobs = pool.map(cut_frame, images, ids, still, repeat(share))
            cut = list(progress(jobs, what, len(images), "frames"))
        ids = voted(np.stack(cut), chain)
    return ids


def cut_frame(
    image: UInt8[np.ndarray, "height width rgb=3"],
    ids: UInt8[np.ndarray, "height width"],
    still: Bool[np.ndarray, "height width"],
    reach: float,
) -> UInt8[np.ndarray, "height width"]:
    """Every object's mask cut out by colour; where two claim a pixel, the given ids decide, then the smaller object."""
    result = np.zeros_like(ids)
    for k in sorted(np.unique(ids[ids > 0]), key=lambda k: -(ids == k).sum()):
        mask = cut_object(image, ids == k, (ids > 0) & (ids != k), still, reach)
        result[mask & ((result == 0) | (ids == k))] = k
    return result


def cut_object(
    image: UInt8[np.ndarray, "height width rgb=3"],
    mask: Bool[np.ndarray, "height width"],
    others: Bool[np.ndarray, "height width"],
    still: Bool[np.ndarray, "height width"],
    reach: float,
) -> Bool[np.ndarray, "height width"]:
    """One mask, cut out by GrabCut in a band around its border."""
    size = np.sqrt(mask.sum())
    band = max(3, int(reach * size))
    labels = np.full(mask.shape, cv2.GC_BGD, np.uint8)
    labels[cv2.dilate(mask.astype(np.uint8), disk(band)) > 0] = cv2.GC_PR_BGD
    labels[still & (cv2.dilate(mask.astype(np.uint8), disk(max(2, band // 5))) == 0)] = cv2.GC_BGD
    labels[mask] = cv2.GC_PR_FGD
    labels[cv2.erode(mask.astype(np.uint8), disk(max(2, int(0.1 * size))), borderValue=1) > 0] = cv2.GC_FGD
    labels[cv2.erode(others.astype(np.uint8), disk(2)) > 0] = cv2.GC_BGD
    window = box_around(labels != cv2.GC_BGD, margin=band + 8)
    crop, part = np.ascontiguousarray(image[window]), np.ascontiguousarray(labels[window])
    if mask.sum() < 12:
        return mask
    inside = np.zeros_like(mask)
    inside[window] = grab_cut(crop, part, 3)
    return main_body(inside, mask)


def grab_cut(
    image: UInt8[np.ndarray, "height width rgb=3"], labels: UInt8[np.ndarray, "height width"], rounds: int
) -> Bool[np.ndarray, "height width"]:
    """OpenCV's GrabCut from its labels; without anything to tell apart, what is labelled as object."""
    inside = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if inside.all() or not inside.any():
        return inside
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    result, _, _ = cv2.grabCut(image, labels.copy(), (0, 0, 1, 1), *models, rounds, cv2.GC_INIT_WITH_MASK)
    return np.isin(result, (cv2.GC_FGD, cv2.GC_PR_FGD))


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


def voted(ids: UInt8[np.ndarray, "frame height width"], chain: FlowChain) -> UInt8[np.ndarray, "frame height width"]:
    """Each pixel's id by a vote of the frames around, brought here along the flow; a frame alone cannot tear a mask."""
    objects = [int(k) for k in np.unique(ids) if k]
    if not objects:
        return ids
    ahead = [shares(frame, objects) for frame in ids]
    behind = [layer.copy() for layer in ahead]
    own = [layer.copy() for layer in ahead]
    for t in range(1, len(ids)):
        ahead[t] = mixed(own[t], ahead[t - 1], chain, t, -1)
    for t in range(len(ids) - 2, -1, -1):
        behind[t] = mixed(own[t], behind[t + 1], chain, t, 1)
    table = np.array([0, *objects], np.uint8)
    return np.stack([table[np.argmax(a + b, axis=-1)] for a, b in zip(ahead, behind, strict=True)])


def shares(ids: UInt8[np.ndarray, "height width"], objects: list[int]) -> Float[np.ndarray, "height width layer"]:
    """One layer a class, the background first."""
    return np.stack([ids == k for k in [0, *objects]], axis=-1).astype(np.float32)


def mixed(
    own: Float[np.ndarray, "height width layer"],
    neighbour: Float[np.ndarray, "height width layer"],
    chain: FlowChain,
    frame: int,
    direction: int,
) -> Float[np.ndarray, "height width layer"]:
    """Own opinion and the neighbour's, the latter where the flow can be trusted."""
    brought = [
        carried(np.ascontiguousarray(layer), chain, frame, direction)[0] for layer in np.moveaxis(neighbour, -1, 0)
    ]
    weight = 0.6 * chain.step(frame, direction)[1][..., None]
    return weight * np.stack(brought, -1) + (1 - weight) * own
