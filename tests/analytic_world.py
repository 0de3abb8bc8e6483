"""A wall and moving spheres, cast exactly: a truth file, a scene in other units, and a method that knows all.

The scene's world is the true one turned and in other units, and every object has units of its own, so that whatever
relates estimates to truth has something to find: the true scale of object k is `UNITS[k] / UNITS[0]`.
"""

import numpy as np
import torch
from torch import Tensor

from models.rays import Rays
from models.rendering import Rendering
from pipeline.cameras import Intrinsics, directions_at_unit_depth, inverse, look_at, pixel_centres, rigid, transform
from pipeline.formats.scene_file import Scene
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.truth.truth_file import Truth, TruthViews

FRAMES, HEIGHT, WIDTH, FOCAL = 8, 36, 48, 44.0
WALL, RADIUS = 4.0, 0.45
UNITS = (2.0, 3.0, 1.2)
TRUE_SCALES = np.array([1.0, 1.5, 0.6])
CAMERA = Intrinsics.centred(FOCAL, HEIGHT, WIDTH)
TURN = look_at(np.zeros(3), np.array([0.3, -0.2, 1.0]), np.array([0.0, 1.0, 0.1]))[:3, :3]
TURNS = (TURN, np.eye(3), np.eye(3))


def world_from_camera(frame: int, aside: float = 0.0) -> np.ndarray:
    """The video's camera goes along an arc; the held-out one is beside it."""
    eye = np.array([0.5 * np.sin(frame / 3) + aside, 0.25 * np.cos(frame / 2) - aside / 2, 0.1 * np.sin(frame)])
    return look_at(eye, np.array([0.0, 0.0, 3.0]), np.array([0.0, 1.0, 0.0]))


def world_from_object(index: int, frame: int) -> np.ndarray:
    """Two spheres move across each other, turning."""
    if index == 0:
        return np.eye(4)
    angle = 0.2 * frame * (1 if index == 1 else -1)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    side = -0.6 if index == 1 else 0.7
    return rigid(turn, np.array([side + 0.06 * frame, 0.1 * side, 2.2 + 0.5 * (index - 1)]))


def cast(index: int, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Depth (inf where missed) and colour of rays against one object, in its own true frame."""
    if index == 0:
        depth = (WALL - origins[:, 2]) / directions[:, 2]
        depth = np.where(depth > 1e-6, depth, np.inf)
    else:
        a, b = (directions**2).sum(1), (origins * directions).sum(1)
        root = b**2 - a * ((origins**2).sum(1) - RADIUS**2)
        depth = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
        depth = np.where(depth > 1e-6, depth, np.inf)
    points = origins + np.where(np.isfinite(depth), depth, 0)[:, None] * directions
    return depth, paint(index, points)


def paint(index: int, points: np.ndarray) -> np.ndarray:
    """A smooth texture, another for each object."""
    waves = np.stack([np.sin((2 + index) * points[:, axis] + index + axis) for axis in (0, 1, 0)], axis=1)
    return 0.5 + 0.2 * waves + 0.25 * np.roll([1.0, 0.0, -1.0], index)


def nearest(hits: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth, colour and index of the nearest object of every ray."""
    depths, colours = np.stack([depth for depth, _ in hits]), np.stack([colour for _, colour in hits])
    owner = depths.argmin(0)
    rays = np.arange(len(owner))
    return depths[owner, rays], colours[owner, rays], owner


def view(pose: np.ndarray, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Image, depth, ids and the depth of each object alone, from a true camera."""
    directions = directions_at_unit_depth(CAMERA, pixel_centres(HEIGHT, WIDTH)).reshape(-1, 3) @ pose[:3, :3].T
    origins = np.broadcast_to(pose[:3, 3], directions.shape)
    hits = []
    for index in range(len(UNITS)):
        object_from_world = inverse(world_from_object(index, frame))
        hits.append(cast(index, transform(object_from_world, origins), directions @ object_from_world[:3, :3].T))
    depth, colour, owner = nearest(hits)
    size = (HEIGHT, WIDTH)
    solo = np.stack([np.where(np.isfinite(alone), alone, 0).reshape(size) for alone, _ in hits])
    image = (255 * colour.clip(0, 1)).round().astype(np.uint8).reshape(*size, 3)
    return image, depth.reshape(size).astype(np.float32), owner.reshape(size).astype(np.uint8), solo


def views(aside: float) -> tuple[TruthViews, np.ndarray]:
    """All times from the video's cameras, or from beside them; and solo depths."""
    poses = np.stack([world_from_camera(frame, aside) for frame in range(FRAMES)])
    images, depth, ids, solo = (
        np.stack(part) for part in zip(*(view(pose, t) for t, pose in enumerate(poses)), strict=True)
    )
    objects = np.stack([[world_from_object(index, t) for index in (1, 2)] for t in range(FRAMES)])
    return TruthViews(images, depth, ids, poses, objects.astype(np.float32), np.arange(FRAMES)), np.swapaxes(solo, 0, 1)


def analytic_truth() -> Truth:
    """The truth file's contents."""
    train, solo = views(0.0)
    test, _ = views(0.25)
    return Truth(train, test, solo.astype(np.float32), FOCAL)


def estimated_from_true(index: int, poses: np.ndarray) -> np.ndarray:
    """A camera's poses in an object's true frame, in the units and turn of the scene's."""
    return rigid(TURNS[index] @ poses[..., :3, :3], poses[..., :3, 3] @ TURNS[index].T / UNITS[index])


def analytic_scene(truth: Truth, objects: int = 3) -> Scene:
    """The scene as a perfect reconstruction gives it, with exact sparse depths at every fifth pixel."""
    poses = np.stack(
        [
            estimated_from_true(
                k, np.stack([inverse(world_from_object(k, t)) @ world_from_camera(t) for t in range(FRAMES)])
            )
            for k in range(objects)
        ]
    )
    ids = np.where(truth.train.object_ids < objects, truth.train.object_ids, 255).astype(np.uint8)
    frame, row, column = (part.ravel() for part in np.mgrid[:FRAMES, 2:HEIGHT:5, 2:WIDTH:5])
    owner = ids[frame, row, column]
    kept = owner != 255
    frame, row, column, owner = frame[kept], row[kept], column[kept], owner[kept]
    pairs = (FRAMES - 1, HEIGHT, WIDTH)
    return Scene(
        images=truth.train.images,
        object_ids=ids,
        times_s=np.arange(FRAMES) / 10,
        flow_forward=np.zeros((*pairs, 2), np.float32),
        flow_backward=np.zeros((*pairs, 2), np.float32),
        flow_forward_valid=np.zeros(pairs, bool),
        flow_backward_valid=np.zeros(pairs, bool),
        intrinsics=CAMERA.values,
        object_from_camera=poses.astype(np.float32),
        visible=np.ones((objects, FRAMES), bool),
        box_half_extent=np.full((objects, 3), 3.0, np.float32),
        scale_range=np.array([[1, 1], [0.6, 3.0], [0.3, 1.2]], np.float32)[:objects],
        depth_range=np.array([0.1, 4.0], np.float32),
        observation_object=owner,
        observation_frame=frame.astype(np.int32),
        observation_xy=np.stack([column + 0.5, row + 0.5], axis=1).astype(np.float32),
        observation_depth=(truth.train.depth[frame, row, column] / np.array(UNITS)[owner]).astype(np.float32),
        observation_weight=np.ones(len(owner), np.float32),
        objects=[
            {"id": k, "name": "background" if k == 0 else f"sphere {k}", "verdict": "ok", "reason": ""}
            for k in range(objects)
        ],
    )


class AnalyticMethod(TrainedMethod):
    """A trained method that casts the spheres exactly, each under its scale about the video's camera."""

    judges_scales = True
    largest_chunk = 0

    def render(self, rays: Rays, scales: Tensor | None = None) -> Rendering:
        self.largest_chunk = max(self.largest_chunk, len(rays.frames))
        chosen = (self.scales[0] if scales is None else scales).numpy()
        frame = int(rays.frames[0])
        camera_from_world = inverse(self.scene.object_from_camera[0, frame].astype(np.float64))
        origins = transform(camera_from_world, rays.origins.double().numpy())
        directions = rays.directions.double().numpy() @ camera_from_world[:3, :3].T
        hits = []
        for k in range(self.scene.object_count):
            pose = self.scene.object_from_camera[k, frame].astype(np.float64)
            local = UNITS[k] * transform(pose, origins / chosen[k]) @ TURNS[k]
            hits.append(cast(k, local, UNITS[k] / chosen[k] * directions @ pose[:3, :3].T @ TURNS[k]))
        depth, colour, owner = (torch.from_numpy(np.asarray(part)) for part in nearest(hits))
        weights = torch.nn.functional.one_hot(owner, self.scene.object_count).float()
        depth = depth.nan_to_num(posinf=1e6)
        return Rendering(colour.float(), depth.float(), torch.ones(len(depth)), weights)

    def validity(self, scales: Tensor) -> Tensor:
        """Valid up to 1.2 times the true scale, of any object."""
        relative = scales[:, 1:] / torch.from_numpy(TRUE_SCALES[1 : scales.shape[1]]).float()
        return torch.sigmoid(20 * (1.2 - relative.max(1).values))


def analytic_method(scene: Scene, samples: int = 50) -> AnalyticMethod:
    """With valid samples of which one is exactly true."""
    random = np.random.default_rng(0)
    scales = np.ones((samples, scene.object_count))
    scales[:, 1:] = TRUE_SCALES[1 : scene.object_count] * random.uniform(0.7, 1.1, (samples, scene.object_count - 1))
    scales[samples // 2] = TRUE_SCALES[: scene.object_count]
    return AnalyticMethod(scene, torch.from_numpy(scales).float(), torch.linspace(0.99, 0.6, samples))
