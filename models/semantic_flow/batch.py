"""What a step of training is given: a batch of rays with everything known of them, weights of losses, and a budget of rays."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int64
from torch import Tensor

from models.rays import Rays, TensorFields


@dataclass(frozen=True)
class Batch(TensorFields):
    """Rays of pixels with everything known of them. `neighbour` is +1 or -1: the frame that flow and motion lead to."""

    rays: Rays
    xy: Float[Tensor, "ray xy=2"]
    colour: Float[Tensor, "ray rgb=3"]
    label: Int64[Tensor, "ray"]
    moving: Float[Tensor, "ray"]
    neighbour: Int64[Tensor, "ray"]
    flow: Float[Tensor, "ray xy=2"]
    flow_valid: Bool[Tensor, "ray"]
    depth: Float[Tensor, "ray"]
    confidence: Float[Tensor, "ray"]
    motion: Float[Tensor, "ray xyz=3"]
    motion_known: Bool[Tensor, "ray"]


@dataclass(frozen=True)
class Weights:
    """How much each loss counts."""

    colour: float
    depth: float
    flow: float
    motion: float
    mask: float
    semantics: float
    consistency_colour: float
    consistency_semantics: float
    self_consistency: float
    still: float
    sparse: float
    entropy: float
    distortion: float
    smooth: float


@dataclass(frozen=True)
class RayBudget:
    """Ray budget: how many rays of a batch the costlier losses look at, and how many frames away consistency reaches."""

    semantic_rays: int
    warped_rays: int
    hops: int
