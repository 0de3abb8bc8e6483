"""Where an object should be in a frame, told by its motion in the other frames: smooth in the world, not before the camera.

Turning and place follow an integrated Wiener process, whose noise is measured on the object's own path. Predictions are
its universal kriging: cubic smoothing splines (Wahba, 1978), with their variance. Nothing is assumed of what moves the object.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.transform import Rotation

from pipeline.cameras import inverse, rigid, transform
from pipeline.formats.geometry_file import CarriedPose
from pipeline.sfm.rigid_model import RigidModel

NEIGHBOURS = 8  # frames with a pose on either side that tell the motion
LARGEST_TURN = 2.0  # radians: rotation vectors of frames that turned farther wrap around
NOISE_RATIOS = 10.0 ** np.arange(-4, 5)  # variance of the process over that of a measurement, tried one by one
FEWEST_KNOWN = 3
LARGEST_TURN_STD = 0.17  # radians: what is less certain is no pose
TYPICAL_DEPTH = 0.5  # of an object, over the background's: in what units its path is, only motion may tell


@dataclass(frozen=True)
class World:
    """The camera in the world in every frame, and how far the background is from it."""

    world_from_camera: Float[np.ndarray, "frame 4 4"]
    depth: float

    @staticmethod
    def of_background(model: RigidModel) -> "World":
        """The world of a reconstructed background; cameras that it does not know stand where the last known one does."""
        known = np.flatnonzero(model.registered)
        frames = np.arange(len(model.registered))
        nearest = known[np.abs(frames[:, None] - known).argmin(1)]
        poses = model.object_from_camera[nearest]
        points = model.points[model.has_point]
        depth = transform(inverse(poses[:1]), points[None])[..., 2] if len(points) else np.ones(1)
        return World(poses, float(np.median(np.abs(depth))))


@dataclass(frozen=True)
class PosePrediction:
    """camera_from_object of a frame, with standard deviations of its turn (radians) and of the object's place."""

    camera_from_object: Float[np.ndarray, "4 4"]
    turn_std: float
    place_std: float

    def place_std_share(self, model: RigidModel) -> float:
        """The standard deviation of the place as a share of the distance to the camera."""
        centre = np.median(model.points[model.has_point], axis=0)
        return self.place_std / max(float(np.linalg.norm(transform(self.camera_from_object, centre[None]))), 1e-12)


def predicted_pose(model: RigidModel, world: World, frame: int) -> PosePrediction | None:
    """The pose that the motion in the registered frames leads to; None where too few are known."""
    known = neighbouring_frames(np.flatnonzero(model.registered), frame)
    if len(known) < FEWEST_KNOWN:
        return None
    centre = np.median(model.points[model.has_point], axis=0)
    turned = world.world_from_camera[known, :3, :3] @ model.camera_from_object[known, :3, :3]
    reference = turned[np.abs(known - frame).argmin()]
    vectors = Rotation.from_matrix(turned @ reference.T).as_rotvec()
    near = np.linalg.norm(vectors, axis=1) < LARGEST_TURN
    vector, turn_variance = kriging(known[near].astype(float), vectors[near], float(frame))
    camera_path, places = relative_places(model, world, centre, known)
    place, place_variance = kriging(known.astype(float), places, float(frame))
    rotation = world.world_from_camera[frame, :3, :3].T @ Rotation.from_rotvec(vector).as_matrix() @ reference
    towards = world.world_from_camera[frame, :3, :3].T @ (place - camera_path * world.world_from_camera[frame, :3, 3])
    pose = rigid(rotation, towards - rotation @ centre)
    return PosePrediction(pose, turn_variance**0.5, place_variance**0.5)


def carried_poses(model: RigidModel, world: World) -> dict[int, PosePrediction]:
    """Poses of frames that have none, by number of the frame, as far as the motion tells them."""
    if not model.has_point.any() or not model.registered.any():
        return {}
    extent = float(
        np.median(np.linalg.norm(model.points - np.nanmedian(model.points, axis=0), axis=1)[model.has_point])
    )
    found = {int(frame): predicted_pose(model, world, int(frame)) for frame in np.flatnonzero(~model.registered)}
    return {
        frame: pose
        for frame, pose in found.items()
        if pose is not None and pose.turn_std < LARGEST_TURN_STD and pose.place_std < extent
    }


def carried(model: RigidModel, numbers: Mapping[str, float | int], world: World) -> list[CarriedPose]:
    """The poses that smooth motion gives where nothing of the object was found; a flat picture has no motion to go by."""
    if "rotation_std_deg" not in numbers:
        return []
    return [
        CarriedPose(
            frame=frame,
            camera_from_object=pose.camera_from_object[:3].round(7).tolist(),
            rotation_std_deg=round(float(np.degrees(pose.turn_std)), 3),
            place_std_percent=round(100 * pose.place_std_share(model), 3),
        )
        for frame, pose in carried_poses(model, world).items()
    ]


def neighbouring_frames(known: Int[np.ndarray, "known"], frame: int) -> Int[np.ndarray, "neighbour"]:
    """The nearest frames with a pose on either side, without the frame itself."""
    return np.concatenate([known[known < frame][-NEIGHBOURS:], known[known > frame][:NEIGHBOURS]])


def relative_places(
    model: RigidModel, world: World, centre: Float[np.ndarray, "xyz=3"], frames: Int[np.ndarray, "known"]
) -> tuple[float, Float[np.ndarray, "known xyz=3"]]:
    """Places of the object in axes of the world, in its own units, and how long a unit of the world is in these.

    A video does not tell how large an object is. A camera that shakes tells it a little, as the object does not shake with it:
    of all lengths, near that of a thing half as far as the background, the one is taken under which the path is smoothest.
    """
    offset = (model.camera_from_object[frames, :3, :3] @ centre) + model.camera_from_object[frames, :3, 3]
    seen = np.einsum("fij,fj->fi", world.world_from_camera[frames, :3, :3], offset)
    cameras = world.world_from_camera[frames, :3, 3]
    typical = float(np.median(offset[:, 2])) / (TYPICAL_DEPTH * max(world.depth, 1e-9))
    together = np.flatnonzero((frames[2:] - frames[:-2]) == 2)
    shake, jump = (np.diff(path, 2, axis=0)[together].ravel() for path in (cameras, seen))
    noise = float(np.mean((jump + typical * shake) ** 2)) if len(together) else 1.0
    pull = max(noise, 1e-18) / typical**2
    length = (typical * pull - float(shake @ jump)) / (pull + float(shake @ shake))
    length = float(np.clip(length, 0.2 * typical, 5 * typical))
    return length, seen + length * cameras


@dataclass(frozen=True)
class WienerFit:
    """An integrated Wiener process through values: its noise ratio, factor of its covariance, line, and what the line leaves."""

    ratio: float
    factor: tuple[np.ndarray, bool]
    inner: Float[np.ndarray, "2 2"]
    line: Float[np.ndarray, "2 axis"]
    rest: Float[np.ndarray, "known axis"]
    variance: float
    likelihood: float


def kriging(
    times: Float[np.ndarray, "known"], values: Float[np.ndarray, "known axis"], at: float
) -> tuple[Float[np.ndarray, "axis"], float]:
    """Value and variance (per axis) at a time, of the integrated Wiener process with the likeliest noise.

    Rasmussen and Williams, Gaussian Processes for Machine Learning, sec. 2.7 (eq. 2.41 to 2.42: a linear mean, all open).
    """
    if len(times) < FEWEST_KNOWN:
        return values[np.abs(times - at).argmin()], np.inf
    start = min(times.min(), at)
    span, then = times - start, np.array([at - start])
    basis = np.stack([np.ones_like(span), span], axis=1)
    fits = (wiener_fit(span, basis, values, ratio) for ratio in NOISE_RATIOS)
    best = max(fits, key=lambda fit: fit.likelihood)
    here = np.array([1.0, then[0]])
    link = best.ratio * integrated_wiener(span, then)[:, 0]
    solved = cho_solve(best.factor, link)
    unknown = here - basis.T @ solved
    variance = best.ratio * integrated_wiener(then, then)[0, 0] - link @ solved
    variance += unknown @ np.linalg.solve(best.inner, unknown)
    return here @ best.line + solved @ best.rest, float(best.variance * max(variance, 0.0))


def wiener_fit(
    span: Float[np.ndarray, "known"],
    basis: Float[np.ndarray, "known 2"],
    values: Float[np.ndarray, "known axis"],
    ratio: float,
) -> WienerFit:
    """The process with one ratio of noises, and its restricted likelihood."""
    factor = cho_factor(ratio * integrated_wiener(span, span) + np.eye(len(span)), lower=True)
    inner = basis.T @ cho_solve(factor, basis)
    line = np.linalg.solve(inner, basis.T @ cho_solve(factor, values))
    rest = values - basis @ line
    freedom = rest.shape[1] * (len(span) - 2)
    variance = max(float((rest * cho_solve(factor, rest)).sum()) / freedom, 1e-18)
    spread = 2 * np.log(np.diag(factor[0])).sum() + np.linalg.slogdet(inner)[1]
    return WienerFit(
        ratio, factor, inner, line, rest, variance, -0.5 * (freedom * np.log(variance) + rest.shape[1] * spread)
    )


def integrated_wiener(one: Float[np.ndarray, "a"], other: Float[np.ndarray, "b"]) -> Float[np.ndarray, "a b"]:
    """Covariance of an integrated Wiener process that starts at time 0."""
    least, most = np.minimum(one[:, None], other), np.maximum(one[:, None], other)
    return least**2 * (most / 2 - least / 6)
