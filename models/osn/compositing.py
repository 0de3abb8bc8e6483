"""What volume rendering sums up along rays, object by object."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from models.rays import TensorFields


@dataclass(frozen=True)
class PerObjectSums(TensorFields):
    """Per-object accumulation: what each object adds to each ray, sums weighted by the samples' weights."""

    weight: Float[Tensor, "ray object"]
    depth: Float[Tensor, "ray object"]
    log_depth: Float[Tensor, "ray object"]
    log_depth_squared: Float[Tensor, "ray object"]
    colour: Float[Tensor, "ray object rgb=3"]
    features: Float[Tensor, "ray object channel"]
    samples: Float[Tensor, "ray object"]
