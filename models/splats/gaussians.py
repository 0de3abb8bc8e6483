"""Splats of an object in its own frame, and where a camera sees them: 3D Gaussian Splatting (Kerbl et al.), sec. 4."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.rays import TensorFields

BAND_0 = 0.28209479177387814  # the constant spherical harmonic: a colour is 0.5 + BAND_0 * coefficient
NEAREST = 1e-3  # of the far end: what is nearer to the camera is not drawn
BLUR_PX2 = 0.3  # added to every variance in the picture, as the viewers of 3D Gaussian Splatting do
WIDEST = 1.3  # a splat farther out than this share of the picture is bent as one at this place is


@dataclass(frozen=True)
class Gaussians(TensorFields):
    """Splats as they are stored and fitted: logarithms, logits, quaternions (w, x, y, z) of any length.

    `colours` are coefficients of the constant spherical harmonic.
    """

    means: Float[Tensor, "splat xyz=3"]
    log_scales: Float[Tensor, "splat xyz=3"]
    rotations: Float[Tensor, "splat wxyz=4"]
    opacities: Float[Tensor, "splat"]
    colours: Float[Tensor, "splat rgb=3"]

    @staticmethod
    def joined(parts: list["Gaussians"]) -> "Gaussians":
        """The splats of several objects as one list."""
        return Gaussians(
            *(torch.cat([getattr(part, name) for part in parts]) for name in Gaussians.__dataclass_fields__)
        )

    def rgb(self) -> Float[Tensor, "splat rgb=3"]:
        """Colours as they are shown."""
        return 0.5 + BAND_0 * self.colours

    def covariances(self) -> Float[Tensor, "splat 3 3"]:
        """R S S^T R^T: 3D Gaussian Splatting, eq. 6."""
        spread = rotation_matrices(self.rotations) * self.log_scales.exp()[:, None, :]
        return spread @ spread.transpose(1, 2)

    def moved(self, similarity: Float[Tensor, "4 4"]) -> "Gaussians":
        """The splats in another frame, which a turn, one scale for all axes and a shift lead to."""
        scaled, shift = similarity[:3, :3], similarity[:3, 3]
        scale = scaled.det().pow(1 / 3)
        turn = quaternion(scaled / scale).to(self.rotations)
        return Gaussians(
            self.means @ scaled.T + shift,
            self.log_scales + scale.log(),
            quaternion_product(turn.expand_as(self.rotations), self.rotations),
            self.opacities,
            self.colours,
        )


@dataclass(frozen=True)
class Projected(TensorFields):
    """Splats in a picture: centres, inverse covariances (xx, xy, yy), depth, standard deviations. Those not seen are not drawn."""

    centres: Float[Tensor, "splat xy=2"]
    conics: Float[Tensor, "splat three=3"]
    depth: Float[Tensor, "splat"]
    deviations: Float[Tensor, "splat xy=2"]
    seen: Bool[Tensor, "splat"]


def rotation_matrices(quaternions: Float[Tensor, "splat wxyz=4"]) -> Float[Tensor, "splat 3 3"]:
    """The turns that quaternions of any length stand for."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=1).unbind(1)
    rows = [
        torch.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], dim=1),
        torch.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], dim=1),
        torch.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], dim=1),
    ]
    return torch.stack(rows, dim=1)


def quaternion(rotation: Float[Tensor, "3 3"]) -> Float[Tensor, "wxyz=4"]:
    """The quaternion of a turn, by the largest of its four parts, which is never near 0."""
    r = rotation
    trace = r.trace()
    squares = torch.stack([trace + 1, *(2 * r[axis, axis] - trace + 1 for axis in range(3))])
    wx, wy, wz = r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]
    xy, xz, yz = r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1]
    ww, xx, yy, zz = squares
    products = [[ww, wx, wy, wz], [wx, xx, xy, xz], [wy, xy, yy, yz], [wz, xz, yz, zz]]
    found = torch.stack(products[int(squares.argmax())])
    return found / found.norm()


def quaternion_product(
    first: Float[Tensor, "splat wxyz=4"], second: Float[Tensor, "splat wxyz=4"]
) -> Float[Tensor, "splat wxyz=4"]:
    """The turn `second`, then the turn `first`."""
    a, b, c, d = first.unbind(1)
    w, x, y, z = second.unbind(1)
    return torch.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        dim=1,
    )


def project(
    gaussians: Gaussians,
    camera_from_object: Float[Tensor, "4 4"],
    intrinsics: Float[Tensor, "value=4"],
    size: tuple[int, int],
) -> Projected:
    """Where a camera sees splats, under a similarity that may hold the object's scale; (fx, fy, cx, cy), (height, width).

    3D Gaussian Splatting, eq. 5: the covariance J W S W^T J^T of the perspective's linear part at the centre.
    """
    turn, shift = camera_from_object[:3, :3], camera_from_object[:3, 3]
    x, y, z = (gaussians.means @ turn.T + shift).unbind(1)
    seen = z > NEAREST * z.detach().abs().max()
    z = torch.where(seen, z, torch.ones_like(z))
    fx, fy, cx, cy = intrinsics.unbind()
    height, width = size
    centres = torch.stack([fx * x / z + cx, fy * y / z + cy], dim=1)
    right = (x / z).clamp(min=-float(WIDEST * cx / fx), max=float(WIDEST * (width - cx) / fx))
    down = (y / z).clamp(min=-float(WIDEST * cy / fy), max=float(WIDEST * (height - cy) / fy))
    nothing = torch.zeros_like(z)
    jacobian = torch.stack([fx / z, nothing, -fx * right / z, nothing, fy / z, -fy * down / z], dim=1).view(-1, 2, 3)
    spread = (jacobian @ turn) @ (rotation_matrices(gaussians.rotations) * gaussians.log_scales.exp()[:, None, :])
    xx = spread[:, 0].square().sum(1) + BLUR_PX2
    yy = spread[:, 1].square().sum(1) + BLUR_PX2
    xy = (spread[:, 0] * spread[:, 1]).sum(1)
    determinant = xx * yy - xy * xy
    conics = torch.stack([yy, -xy, xx], dim=1) / determinant[:, None]
    return Projected(centres, conics, z, torch.stack([xx, yy], dim=1).sqrt(), seen)
