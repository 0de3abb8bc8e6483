"""The parts of a trained scene as nodes of the page: splats or points, placed and coloured as they are chosen."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from pipeline.formats.splat_file import Splats
from pipeline.live.field_points import Points, frame_points, object_points
from pipeline.live.parts import Part, parts_of
from pipeline.live.scene_choice import SceneChoice, as_place
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.reporting.pictures import object_colour

Pose = Float[np.ndarray, "4 4"]
OBJECT_POINT, FRAME_POINT = (
    0.025,
    0.05,
)  # about the distance of neighbours in the middle of the scene, where it is shown


class PartNodes(ABC):
    """The nodes of all parts; None of a part of which nothing is there."""

    point_size = OBJECT_POINT

    def __init__(self, server: Any, unit: float, method: TrainedMethod) -> None:
        self.server, self.unit, self.method = server, unit, method
        self.parts = parts_of(method)
        self.nodes: dict[int, Any] = {}
        self.by_part = False

    @abstractmethod
    def place(self, choice: SceneChoice, seen: Mapping[int, bool], moved: Mapping[int, Pose]) -> None:
        """Everything as it is chosen: which parts are seen, and world-from-world motions of those that were moved."""

    @abstractmethod
    def centre(self, part: Part, choice: SceneChoice) -> Float[np.ndarray, "xyz=3"] | None:
        """Where a part is in the world, unmoved; None where it is not there."""

    @abstractmethod
    def colour(self, by_part: bool) -> None:
        """The parts in their own colours, or each in one of its own."""

    def remove(self) -> None:
        for node in self.nodes.values():
            if node is not None:
                node.remove()
        self.nodes = {}

    def points_node(self, part: Part, points: Points) -> Any:
        colours = object_colour(part.identity) if self.by_part else points.colours
        return self.server.scene.add_point_cloud(
            f"/parts/{part.column}",
            points.places * self.unit,
            colours,
            point_size=self.point_size,
            point_shape="circle",
            point_shading="flat",
            precision="float32",
        )


class ObjectNodes(PartNodes):
    """Objects in frames of their own: what is sent once is moved, turned and scaled."""

    def __init__(self, server: Any, unit: float, method: TrainedMethod, splats: Mapping[int, Splats]) -> None:
        super().__init__(server, unit, method)
        self.splats = splats
        self.points = {} if splats else {part.column: object_points(method, part.column) for part in self.parts}
        self.nodes = {part.column: self.node(part) for part in self.parts}

    def node(self, part: Part) -> Any:
        if not self.splats:
            points = self.points[part.column]
            return self.points_node(part, points) if len(points.places) else None
        found = self.splats.get(part.identity)
        return None if found is None else self.splats_node(part, found)

    def splats_node(self, part: Part, found: Splats) -> Any:
        turned = Rotation.from_quat(found.rotations, scalar_first=True).as_matrix() * np.exp(found.log_scales)[:, None]
        return self.server.scene.add_gaussian_splats(
            f"/parts/{part.column}",
            centers=found.places * self.unit,
            covariances=(turned @ turned.transpose(0, 2, 1) * self.unit**2).astype(np.float32),
            rgbs=found.rgb,
            opacities=1 / (1 + np.exp(-found.opacities[:, None])),
        )

    def place(self, choice: SceneChoice, seen: Mapping[int, bool], moved: Mapping[int, Pose]) -> None:
        for column, node in self.nodes.items():
            place = choice.place(column, moved.get(column))
            if node is None:
                continue
            node.visible = place is not None and seen[column]
            if place is not None:
                node.position, node.wxyz, node.scale = place.position * self.unit, place.wxyz, place.scale

    def centre(self, part: Part, choice: SceneChoice) -> Float[np.ndarray, "xyz=3"] | None:
        place = choice.place(part.column)
        return None if place is None else place.position

    def colour(self, by_part: bool) -> None:
        self.by_part = by_part
        for part in self.parts:
            node = self.nodes[part.column]
            if node is None:
                continue
            plain = object_colour(part.identity)
            if self.splats:
                own = self.splats[part.identity].rgb
                node.rgbs = np.broadcast_to(plain / 255, own.shape).astype(np.float32) if by_part else own
            else:
                node.colors = (
                    np.broadcast_to(plain, self.points[part.column].colours.shape).copy()
                    if by_part
                    else (self.points[part.column].colours)
                )


class FrameNodes(PartNodes):
    """Parts that are other points at every time: those of the frame that is shown come first, the others meanwhile."""

    point_size = FRAME_POINT

    def __init__(self, server: Any, unit: float, method: TrainedMethod) -> None:
        super().__init__(server, unit, method)
        self.known = np.flatnonzero(method.scene.visible[0]).tolist()
        self.found: dict[int, list[Points]] = {}
        self.shown: int | None = None
        self.wanted = self.known[len(self.known) // 2]
        self.seen: Mapping[int, bool] = {}
        self.moved: Mapping[int, Pose] = {}
        self.lock, self.ended = threading.RLock(), threading.Event()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        """Points of all frames, one after the other."""
        while not self.ended.is_set() and len(self.found) < len(self.known):
            frame = self.wanted if self.wanted not in self.found else next(t for t in self.known if t not in self.found)
            self.found[frame] = frame_points(self.method, frame)
            if frame == self.wanted:
                self.renew()

    def place(self, choice: SceneChoice, seen: Mapping[int, bool], moved: Mapping[int, Pose]) -> None:
        self.wanted, self.seen, self.moved = choice.frame, seen, moved
        self.renew()

    def renew(self) -> None:
        """The wanted frame's points, if they are there; a wait shows the last ones."""
        with self.lock:
            if self.wanted in self.found and self.wanted != self.shown and not self.ended.is_set():
                super().remove()
                for part, points in zip(self.parts, self.found[self.wanted], strict=True):
                    self.nodes[part.column] = self.points_node(part, points) if len(points.places) else None
                self.shown = self.wanted
            for column, node in self.nodes.items():
                if node is None:
                    continue
                node.visible = self.seen.get(column, True)
                place = as_place(self.moved.get(column, np.eye(4)), 1.0)
                node.position, node.wxyz = place.position * self.unit, place.wxyz

    def centre(self, part: Part, choice: SceneChoice) -> Float[np.ndarray, "xyz=3"] | None:
        points = self.found.get(choice.frame)
        if points is None or not len(points[part.column].places):
            return None
        return np.median(points[part.column].places.astype(np.float64), axis=0)

    def colour(self, by_part: bool) -> None:
        with self.lock:
            self.by_part, self.shown = by_part, None
            self.renew()

    def remove(self) -> None:
        self.ended.set()
        with self.lock:
            super().remove()


def part_nodes(server: Any, unit: float, method: TrainedMethod, splats: Mapping[int, Splats]) -> PartNodes:
    """Nodes of objects that have frames of their own, or of a method's classes."""
    return ObjectNodes(server, unit, method, splats) if method.classes is None else FrameNodes(server, unit, method)
