"""What can be laid over the trained scene: the film's cameras, reconstructed points, and paths of the objects."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from pipeline.cameras import transform, unproject
from pipeline.formats.scene_file import Scene
from pipeline.geometry.camera_paths import evenly_chosen
from pipeline.live.scene_choice import SceneChoice, quaternion
from pipeline.reporting.pictures import object_colour
from pipeline.scene.placement import world_from_object

MOST_CAMERAS = 24
FRUSTUM, SMALL_FRUSTUM = 0.6, 0.22
POINT_SIZE = 0.03
LINE_PX = 2.5
FILM, FILM_SOFT = (235, 90, 30), (150, 158, 170)


class Layers:
    """Nodes over one scene; each kind is shown or not."""

    def __init__(self, server: Any, unit: float, scene: Scene, go_to: Callable[[int], None]) -> None:
        self.server, self.unit, self.scene = server, unit, scene
        self.shown = {"camera": True, "cameras": False, "points": False, "trajectories": False}
        self.looked_through = False
        self.add_cameras(go_to)
        self.points = {k: self.points_node(k) for k in range(scene.object_count)}
        self.paths = {k: self.path_node(k) for k in range(1, scene.object_count)}

    def add_cameras(self, go_to: Callable[[int], None]) -> None:
        """The camera of the frame that is shown, with its picture; those of other frames, to be clicked; their path."""
        scene, add = self.scene, self.server.scene
        camera = scene.camera
        shape = {"fov": 2 * np.arctan(camera.height / 2 / camera.fy), "aspect": camera.width / camera.height}
        lines = {"thickness": LINE_PX, "thickness_units": "screen"}
        self.film = add.add_camera_frustum("/film/now", **shape, **lines, scale=FRUSTUM, color=FILM)
        known = np.flatnonzero(scene.visible[0])
        chosen = known[evenly_chosen(len(known), MOST_CAMERAS)].tolist()
        self.cameras = []
        for frame in chosen if len(known) > 1 else []:
            pose = self.film_pose(frame)
            node = add.add_camera_frustum(
                f"/film/{frame}",
                **shape,
                **lines,
                scale=SMALL_FRUSTUM,
                color=FILM_SOFT,
                position=pose[:3, 3] * self.unit,
                wxyz=quaternion(pose[:3, :3]),
            )
            node.on_click(lambda _, frame=frame: go_to(frame))
            self.cameras.append(node)
        if len(known) > 1:
            centres = scene.object_from_camera[0, known, :3, 3] * self.unit
            path = np.stack([centres[:-1], centres[1:]], axis=1)
            self.cameras.append(add.add_line_segments("/film/path", path, colors=FILM_SOFT, **lines))

    def film_pose(self, frame: int) -> Float[np.ndarray, "4 4"]:
        return self.scene.object_from_camera[0, frame].astype(np.float64)

    def points_node(self, index: int) -> Any:
        places, colours = reconstructed_points(self.scene, index)
        if not len(places):
            return None
        return self.server.scene.add_point_cloud(
            f"/points/{index}",
            places * self.unit,
            colours,
            point_size=POINT_SIZE,
            point_shape="diamond",
            point_shading="flat",
            precision="float32",
            visible=False,
        )

    def path_node(self, index: int) -> Any:
        colour = object_colour(int(self.scene.objects[index]["id"]))
        return self.server.scene.add_line_segments(
            f"/trajectories/{index}",
            np.array([[[0, 0, 0], [0, 0, 1]]], np.float32),
            colors=tuple(colour.tolist()),
            thickness=LINE_PX,
            thickness_units="screen",
            visible=False,
        )

    def place(self, choice: SceneChoice, seen: Mapping[int, bool]) -> None:
        """Everything as it is chosen."""
        pose = self.film_pose(choice.frame)
        self.film.position, self.film.wxyz = pose[:3, 3] * self.unit, quaternion(pose[:3, :3])
        self.show_film()
        for node in self.cameras:
            node.visible = self.shown["cameras"]
        for index, node in self.points.items():
            place = choice.place(index)
            if node is None:
                continue
            node.visible = self.shown["points"] and place is not None and seen.get(index, True)
            if place is not None:
                node.position, node.wxyz, node.scale = place.position * self.unit, place.wxyz, place.scale
        for index, node in self.paths.items():
            lines = trajectory(self.scene, index, float(choice.scales[index])) * self.unit
            node.visible = self.shown["trajectories"] and len(lines) > 0 and seen.get(index, True)
            if node.visible:
                node.points = lines.astype(np.float32)

    def show_film(self) -> None:
        """The camera of the frame that is shown, unless one looks through it: its picture would hide the scene."""
        visible = self.shown["camera"] and not self.looked_through
        if self.film.visible != visible:
            self.film.visible = visible

    def look_from(self, places: list[np.ndarray]) -> None:
        """From where the page is looked at."""
        away = [np.linalg.norm(np.asarray(place) - np.asarray(self.film.position)) for place in places]
        self.looked_through = any(distance < FRUSTUM for distance in away)
        self.show_film()


def reconstructed_points(
    scene: Scene, index: int
) -> tuple[Float[np.ndarray, "point xyz=3"], UInt8[np.ndarray, "point rgb=3"]]:
    """An object's sparse points in its own frame and units, with the colours of the frames that saw them."""
    own = scene.observation_object == index
    frames, xy = scene.observation_frame[own], scene.observation_xy[own].astype(np.float64)
    local = unproject(scene.camera, xy, scene.observation_depth[own].astype(np.float64))
    poses = scene.object_from_camera[index, frames].astype(np.float64)
    places = np.einsum("nij,nj->ni", poses[:, :3, :3], local) + poses[:, :3, 3]
    height, width = scene.size
    column, row = np.floor(xy).astype(int).T if len(xy) else np.zeros((2, 0), int)
    colours = scene.images[frames, row.clip(0, height - 1), column.clip(0, width - 1)]
    return places.astype(np.float32), colours


def trajectory(scene: Scene, index: int, scale: float) -> Float[np.ndarray, "segment end=2 xyz=3"]:
    """The way of an object's centre through the world under a scale, from frame to frame; gaps where it has no pose."""
    poses = [world_from_object(scene, index, frame, scale) for frame in range(scene.frame_count)]
    centres = [None if pose is None else transform(pose, np.zeros(3)) for pose in poses]
    ends = [(a, b) for a, b in pairwise(centres) if a is not None and b is not None]
    return np.array(ends, np.float64).reshape(-1, 2, 3)
