"""A method that judges scales, judged by the true region of valid scales, and mapped for the report.

Showing, at every pixel, the object whose scaled depth is nearest gives ids. A scale vector is truly valid by pixels where
these are the true ones on more than a level of all pixels, 99 % unless another is named; and by objects where, in every
frame, more than a level of each moving object's pixels shows it. A method's region is judged by the first, the part of it
that is certain by the second. True scales are 1 in the truth's units; `true_scales` says what that is in the scene's.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from models.rendering import VALID_SCORE
from pipeline.evaluation.known_truth import NO_TRUTH, KnownTruth
from pipeline.evaluation.results import Results, training_stage
from pipeline.formats.metrics_table import Findings, Row
from pipeline.rendering.trained_method import ScaleLimit, TrainedMethod
from pipeline.truth.alignment import nearest_scales
from pipeline.truth.truth_file import Truth

METRICS = ("valid_region_iou", "scale_error_percent", "suggested_scale_error_percent")
REGION = ("valid_region_iou", "valid_region_precision", "valid_region_recall", "valid_region_auc")
AGREEMENT = 0.99
LEVELS = (0.95, 0.97, 0.98, 0.99, 0.995)
OBJECT_PIXELS, LEAST_PIXELS = 160, 30  # of an object in a frame: most that judge, and fewest
TRUE_LOW, TRUE_HIGH = 0.5, 1.8  # the region is compared within these multiples of the true scale
PIXELS = 40_000
SAMPLES, GRID = 2048, 41
WORST_FRAMES = 6
Validity = Callable[[Float[np.ndarray, "sample object"]], Float[np.ndarray, "sample"]]


def scale_results(method: TrainedMethod, name: str, known: KnownTruth | None) -> Results:
    """Scales of one method against truth; maps of its valid scales, and what limits them, for the report."""
    scene = method.scene
    if not method.judges_scales or scene.object_count < 2:
        return Results(name)
    validity, ids = as_validity(method.validity, method.device), [int(entry["id"]) for entry in scene.objects]
    scales = method.scales.cpu().numpy()
    region = NO_TRUTH if known is None else true_region(known.truth, known.alignment.true_scales, ids, known.matching)
    notes = {
        "validity": validity_slices(validity, region, scene.scale_range, scales[0], ids),
        "limits": limit_notes(method.scale_limits()),
    }
    hidden = as_validity(method.hidden_share, method.device)
    findings = region_findings(validity, region, scene.scale_range, name, hidden, method.hidden_limit)
    findings += bounds_findings(scales, ids, name)
    if known is None:
        return Results(name, findings + Findings.absent(training_stage(name), METRICS[1:], NO_TRUTH, name), notes)
    nearest = nearest_scales(scales, known.alignment.true_scales, 1)[0]
    return Results(name, findings + scale_findings(scales, known.alignment.true_scales, ids, nearest, name), notes)


def as_validity(score: Callable[[Tensor], Tensor], device: torch.device) -> Validity:
    """A method's judgement of scales as a function of arrays."""

    def validity(scales: Float[np.ndarray, "sample object"]) -> Float[np.ndarray, "sample"]:
        with torch.no_grad():
            return score(torch.from_numpy(scales).float().to(device)).cpu().numpy()

    return validity


@dataclass(frozen=True)
class TrueRegion:
    """What decides whether scales are valid: true depths of each object alone at some pixels, and the ids there.

    Only pixels at which several objects lie can change with the scales; of the others it is enough to know how many
    there are and how many show the right object.
    """

    depths: Float[np.ndarray, "object pixel"]
    object_ids: UInt8[np.ndarray, "pixel"]
    fixed_pixels: int
    fixed_right: int
    own_depths: Float[np.ndarray, "object own"]  # the same at pixels of moving objects
    own_ids: UInt8[np.ndarray, "own"]
    own_pairs: Int[np.ndarray, "own"]  # the object and frame that each belongs to
    true_scales: Float[np.ndarray, "estimated"]
    order: list[int]  # the true object of each of the scene's objects

    def valid(self, scales: Float[np.ndarray, "sample estimated"]) -> Bool[np.ndarray, "sample"]:
        """Whether each scale vector of the scene is truly valid, by pixels."""
        return self.agreement(scales) > AGREEMENT

    def agreement(self, scales: Float[np.ndarray, "sample estimated"]) -> Float[np.ndarray, "sample"]:
        """The share of all pixels that show the right object."""
        right = [
            int(((self.depths * row[:, None]).argmin(0) == self.object_ids).sum()) for row in self.relative(scales)
        ]
        return (np.array(right) + self.fixed_right) / (self.object_ids.size + self.fixed_pixels)

    def object_agreement(self, scales: Float[np.ndarray, "sample estimated"]) -> Float[np.ndarray, "sample"]:
        """The share of a moving object's pixels that show it, of the object and frame where it is smallest."""
        if not self.own_ids.size:
            return np.ones(len(scales))
        counts = np.bincount(self.own_pairs)
        right = [(self.own_depths * row[:, None]).argmin(0) == self.own_ids for row in self.relative(scales)]
        return np.array([(np.bincount(self.own_pairs, weights=each) / counts).min() for each in right])

    def relative(self, scales: Float[np.ndarray, "sample estimated"]) -> Float[np.ndarray, "sample object"]:
        """Multiples of the true scales; true objects that the scene lacks stay as they are."""
        relative = np.ones((len(scales), len(self.depths)), np.float32)
        relative[:, self.order] = scales / self.true_scales
        return relative


def true_region(
    truth: Truth, true_scales: Float[np.ndarray, "object"], ids: list[int], matching: dict[int, int]
) -> TrueRegion | str:
    """The true region in the scene's scales, or why it cannot be told."""
    if not truth.knows_solo_depth:
        return "truth lacks the depth of each object alone"
    unmatched = [identity for identity in ids if identity not in matching]
    if unmatched:
        return f"object {unmatched[0]} matches no true object"
    unknown = [identity for identity, scale in zip(ids, true_scales, strict=True) if not np.isfinite(scale)]
    if unknown:
        return f"object {unknown[0]} has too few sparse points to tell its true scale"
    count = truth.train.object_ids.size
    chosen = np.arange(0, count, max(1, count // PIXELS))
    depths = np.stack([truth.solo_depth[k].reshape(-1)[chosen] for k in range(truth.object_count)])
    depths = np.where(depths > 0, depths, np.inf).astype(np.float32)
    object_ids = truth.train.object_ids.reshape(-1)[chosen]
    contested = np.isfinite(depths).sum(0) > 1
    fixed_right = int((depths[:, ~contested].argmin(0) == object_ids[~contested]).sum())
    order = [matching[identity] for identity in ids]
    own, pairs = own_pixels(truth)
    own_depths = truth.solo_depth.reshape(truth.object_count, -1)[:, own]
    return TrueRegion(
        depths[:, contested],
        object_ids[contested],
        int((~contested).sum()),
        fixed_right,
        np.where(own_depths > 0, own_depths, np.inf).astype(np.float32),
        truth.train.object_ids.reshape(-1)[own],
        pairs,
        true_scales,
        order,
    )


def own_pixels(truth: Truth) -> tuple[Int[np.ndarray, "own"], Int[np.ndarray, "own"]]:
    """Flat indices of moving objects' pixels, at most so many of each in each frame, and a number for that pair."""
    ids = truth.train.object_ids.reshape(len(truth.train.object_ids), -1)
    chosen = []
    for frame, shown in enumerate(ids):
        for k in range(1, truth.object_count):
            own = np.flatnonzero(shown == k)
            if len(own) >= LEAST_PIXELS:
                few = own[np.arange(min(len(own), OBJECT_PIXELS)) * len(own) // min(len(own), OBJECT_PIXELS)]
                chosen.append(frame * ids.shape[1] + few)
    pairs = [np.full(len(own), number) for number, own in enumerate(chosen)]
    empty = np.zeros(0, np.int64)
    return np.concatenate([empty, *chosen]), np.concatenate([empty, *pairs])


def region_findings(
    validity: Validity,
    region: TrueRegion | str,
    scale_range: Float[np.ndarray, "object bound=2"],
    method: str,
    hidden: Validity,
    hidden_limit: float,
) -> Findings:
    """Overlap of predicted and true region over the part of the scales' range that lies near the true scales."""
    everywhere, stage = sampled_scales(scale_range), training_stage(method)
    valid = validity(everywhere) > VALID_SCORE
    certain = valid & (hidden(everywhere) <= hidden_limit)
    fractions = (("valid_fraction", valid), ("certain_fraction", certain), ("hidden_limit", hidden_limit))
    findings = Findings.of([Row(stage, method, "all", name, float(np.mean(value))) for name, value in fractions])
    if isinstance(region, str):
        return findings + Findings.absent(training_stage(method), METRICS[:1], region, method)
    bounds = np.stack([TRUE_LOW * region.true_scales, TRUE_HIGH * region.true_scales], axis=1)
    bounds = np.stack(
        [np.maximum(bounds[:, 0], scale_range[:, 0]), np.minimum(bounds[:, 1], scale_range[:, 1])], axis=1
    )
    bounds[0] = 1.0
    if (bounds[:, 0] > bounds[:, 1]).any():
        worst = int((bounds[:, 0] - bounds[:, 1]).argmax())
        reason = (
            f"the scales' range {scale_range[worst].round(2).tolist()} of object index {worst} excludes its true scale"
        )
        return findings + Findings.absent(training_stage(method), METRICS[:1], reason, method)
    samples = sampled_scales(bounds)
    predicted, true = validity(samples) > VALID_SCORE, region.valid(samples)
    union = (predicted | true).sum()
    if union == 0:
        reason = "neither the network nor the truth finds a valid scale near the true ones"
        return findings + Findings.absent(training_stage(method), METRICS[:1], reason, method)
    shares, scores = hidden(samples), validity(samples)
    rows = region_rows(method, "all", predicted, scores, true)
    by_pixels, by_objects = region.agreement(samples), region.object_agreement(samples)
    for level in LEVELS:
        rows += region_rows(method, f"pixels_{100 * level:g}", predicted, scores, by_pixels > level)
        certain = predicted & (shares <= hidden_limit)
        rows += region_rows(method, f"objects_{100 * level:g}", certain, -shares, by_objects > level)
    return findings + Findings.of(rows)


def region_rows(
    method: str,
    item: str,
    predicted: Bool[np.ndarray, "sample"],
    scores: Float[np.ndarray, "sample"],
    true: Bool[np.ndarray, "sample"],
) -> list[Row]:
    """Overlap, precision and recall of a region, and how surely its scores put what is truly valid above the rest."""
    both, either = int((predicted & true).sum()), int((predicted | true).sum())
    shares = (divided(both, either), divided(both, int(predicted.sum())), divided(both, int(true.sum())))
    values = (*shares, area_under_curve(scores, true))
    stage = training_stage(method)
    return [Row(stage, method, item, metric, float(value)) for metric, value in zip(REGION, values, strict=True)]


def divided(part: int, whole: int) -> float:
    """A share; NaN of nothing."""
    return part / whole if whole else float("nan")


def area_under_curve(scores: Float[np.ndarray, "sample"], true: Bool[np.ndarray, "sample"]) -> float:
    """Area under the ROC curve: how often a valid sample scores above another, ties half; NaN without samples of both."""
    from scipy.stats import rankdata  # half a second that most stages need not wait

    valid, others = int(true.sum()), int((~true).sum())
    if not valid or not others:
        return float("nan")
    return float((rankdata(scores)[true].sum() - valid * (valid + 1) / 2) / (valid * others))


def sampled_scales(bounds: Float[np.ndarray, "object bound=2"]) -> Float[np.ndarray, "sample object"]:
    """Scales that fill a box: a grid in up to two dimensions, random beyond."""
    moving = len(bounds) - 1
    if moving <= 2:
        side = max(2, round(SAMPLES ** (1 / max(moving, 1))))
        unit = np.stack(np.meshgrid(*[np.linspace(0, 1, side)] * moving, indexing="ij"), -1).reshape(-1, moving)
    else:
        unit = np.random.default_rng(0).random((SAMPLES, moving))
    scales = bounds[1:, 0] + unit * (bounds[1:, 1] - bounds[1:, 0])
    return np.concatenate([np.ones((len(scales), 1)), scales], axis=1)


def scale_findings(
    scales: Float[np.ndarray, "sample object"],
    true_scales: Float[np.ndarray, "object"],
    ids: list[int],
    nearest: int,
    method: str,
) -> Findings:
    """Error of each object's scale in the valid sample nearest to the true scales, and in the suggested one, the first."""
    findings = Findings()
    for index, identity in list(enumerate(ids))[1:]:
        if not np.isfinite(true_scales[index]):
            reason = "too few sparse points to tell its true scale"
            findings += Findings.absent(training_stage(method), METRICS[1:], reason, method, str(identity))
            continue
        errors = 100 * np.abs(scales[[nearest, 0], index] / true_scales[index] - 1)
        findings += Findings.of(
            [
                Row(training_stage(method), method, str(identity), metric, float(error))
                for metric, error in zip(METRICS[1:], errors, strict=True)
            ]
        )
    return findings


def bounds_findings(scales: Float[np.ndarray, "sample object"], ids: list[int], method: str) -> Findings:
    """Between which scales each object lies in the valid scenes."""
    rows = []
    for index, identity in list(enumerate(ids))[1:]:
        low, high = float(scales[:, index].min()), float(scales[:, index].max())
        rows.append(Row(training_stage(method), method, str(identity), "lowest_valid_scale", low))
        rows.append(Row(training_stage(method), method, str(identity), "highest_valid_scale", high))
    return Findings.of(rows)


def limit_notes(limits: list[ScaleLimit]) -> list[dict[str, Any]]:
    """What limits each object's scale, with the worst frames alone."""
    return [asdict(limit) | {"frames": sorted(limit.frames[:WORST_FRAMES])} for limit in limits]


def validity_slices(
    validity: Validity,
    region: TrueRegion | str,
    scale_range: Float[np.ndarray, "object bound=2"],
    best: Float[np.ndarray, "object"],
    ids: list[int],
) -> list[dict[str, Any]]:
    """2D maps of the score over every pair of objects' scales (1D where one object moves), the others at their best."""
    return [
        {
            "objects": [ids[index] for index in axes],
            "axes": [values.round(5).tolist() for values in axis_values],
            "best": [float(best[index]) for index in axes],
            "score": validity(scales).reshape(shape).round(3).tolist(),
            "true": None if isinstance(region, str) else region.valid(scales).reshape(shape).tolist(),
            "true_scales": None if isinstance(region, str) else [float(region.true_scales[index]) for index in axes],
        }
        for axes, axis_values, shape, scales in slices(scale_range, best)
    ]


def slices(
    scale_range: Float[np.ndarray, "object bound=2"], best: Float[np.ndarray, "object"]
) -> Iterator[tuple[tuple[int, ...], list[np.ndarray], tuple[int, ...], np.ndarray]]:
    """Objects, values along each axis, shape and scale vectors of every slice."""
    moving = range(1, len(scale_range))
    for axes in combinations(moving, 2) if len(moving) > 1 else [(index,) for index in moving]:
        values = [np.linspace(float(scale_range[index, 0]), float(scale_range[index, 1]), GRID) for index in axes]
        grid = np.meshgrid(*values, indexing="ij")
        scales = np.tile(best.astype(np.float64), (grid[0].size, 1))
        for index, axis in zip(axes, grid, strict=True):
            scales[:, index] = axis.reshape(-1)
        yield axes, values, grid[0].shape, scales
