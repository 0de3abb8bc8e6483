"""The live viewer's page, by viser: what is chosen on its controls, and what is shown of it at once."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Edit
from pipeline.live.controls import Controls
from pipeline.live.edit_desk import EditDesk
from pipeline.live.edit_panel import EditPanel
from pipeline.live.field_renders import FieldRenders, Wanted
from pipeline.live.frame_picture import FramePictures
from pipeline.live.layers import Layers
from pipeline.live.part_nodes import part_nodes
from pipeline.live.path_panel import PathPanel
from pipeline.live.scene_choice import SceneChoice, quaternion
from pipeline.live.trained_run import TrainedRun
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.view_plans import frame_rate, viewing_depth

SHOWN_DEPTH = 5.0  # what lies in the middle of the scene is shown so far away: covariances travel as half floats


class LivePage:
    """One run on a viser server: the state of what is chosen, and everything that shows it."""

    def __init__(self, server: Any, run: TrainedRun, config: Path = Path("config.yaml")) -> None:
        self.server, self.run = server, run
        self.choice = SceneChoice.suggested(run.method)
        self.unit = SHOWN_DEPTH / viewing_depth(run.scene)
        self.lock = threading.RLock()
        self.covered = False
        self.pictured: tuple[int, bool, bool] | None = None
        self.frame_set: list[Callable[[int], None]] = []
        self.edited: tuple[tuple[Any, ...], TrainedMethod] | None = None
        server.scene.set_up_direction("-y")
        self.nodes = part_nodes(server, self.unit, run.method, run.splats)
        self.pictures = FramePictures(run.scene, run.tracks)
        self.layers = Layers(server, self.unit, run.scene, self.set_frame)
        self.desk = EditDesk(run.scene, self.nodes.parts)
        self.controls = Controls(self)
        with self.controls.tabs.add_tab("Edit"):
            self.edit_panel = EditPanel(self, config)
        with self.controls.tabs.add_tab("Path"):
            self.path_panel = PathPanel(self)
        self.renders = FieldRenders(server, self.unit, self.wanted, self.cover)
        server.on_client_connect(self.greet)
        self.show()
        threading.Thread(target=self.play, daemon=True).start()

    @property
    def known(self) -> np.ndarray:
        """The frames that can be shown: those whose camera is known."""
        return np.flatnonzero(self.run.scene.visible[0])

    # ---- what is shown ----

    def show(self) -> None:
        """Everything as it is chosen now; what is told of it follows what is seen of it."""
        with self.lock:
            choice, controls = self.choice, self.controls
            visible = {part.column: controls.visible(part) for part in self.nodes.parts}
            seen = {column: shown and not self.covered for column, shown in visible.items()}
            with self.server.atomic():
                self.nodes.place(choice, seen, self.motions())
                self.layers.place(choice, visible)
                self.edit_panel.place_gizmo()
            controls.tell(choice)
            self.show_picture()

    def show_picture(self) -> None:
        """The film's frame beside the scene and in its camera, where it is another one: pictures take time to send."""
        asked = (self.choice.frame, self.controls.layer("masks"), self.controls.layer("tracks"))
        if asked != self.pictured:
            self.pictured = asked
            self.layers.film.image = self.controls.picture.image = self.pictures.picture(*asked)

    def changed(self) -> None:
        """Something else is chosen."""
        self.renders.touch()
        self.covered = False
        self.show()

    def motions(self) -> dict[int, np.ndarray]:
        """How the parts that were moved stand now."""
        found: dict[int, np.ndarray] = {}
        for part in self.nodes.parts:
            if part.column in self.desk.wanted:
                motion = self.desk.motion(part.column, self.nodes.centre(part, self.choice), self.choice.frame)
                found |= {} if motion is None else {part.column: motion}
        return found

    def cover(self, covered: bool) -> None:
        """Splats and points make way for a picture of the fields, and come back."""
        if covered != self.covered:
            self.covered = covered
            self.show()

    def wanted(self) -> Wanted | None:
        """What the fields are to be rendered of: hidden parts are removed, edits carried out.

        None where a method with classes would have to leave out the background, which it cannot.
        """
        edits, classes = self.shown_edits(), self.run.method.classes
        if classes is not None and not self.controls.visible(self.nodes.parts[0]):
            return None
        key = (*(edit.model_dump_json() for edit in edits), *self.choice.scales.tolist(), id(self.run.method))
        if self.edited is None or self.edited[0] != key:
            method = self.run.method.edited(edits, self.choice.scales) if edits else self.run.method
            self.edited = (key, method)
        return Wanted(self.edited[1], self.choice.frame, self.choice.scales)

    def shown_edits(self) -> list[Edit]:
        """The edits at work: those of the desk, and a removal of every part that is hidden."""
        hidden = [part for part in self.nodes.parts if not self.controls.visible(part)]
        if self.run.method.classes is not None:  # a class that nothing is left of shows what is behind: the background
            hidden = [part for part in hidden if part.column]
        gone = [Edit(object=part.request, action="remove") for part in hidden if not self.desk.removed(part.column)]
        moved = {part.column for part in hidden}
        kept = [
            edit for column, edit in sorted(self.desk.wanted.items()) if column not in moved or edit.action == "remove"
        ]
        return [*kept, *gone]

    # ---- what is chosen ----

    def set_frame(self, frame: int) -> None:
        """Another time: the nearest frame whose camera is known."""
        frame = int(self.known[np.abs(self.known - frame).argmin()])
        if frame == self.choice.frame:
            return
        self.choice.frame = frame
        self.controls.set_time(frame)
        self.changed()
        for tell in self.frame_set:
            tell(frame)

    def play(self) -> None:
        """Time passes while it is asked to."""
        pause = 1 / frame_rate(self.run.scene, self.known.tolist())
        while True:
            time.sleep(pause)
            if self.controls.playing:
                later = self.known[self.known > self.choice.frame]
                self.set_frame(int(later[0] if len(later) else self.known[0]))

    def set_scales(self, scales: np.ndarray) -> None:
        with self.lock:
            self.choice.scales = scales
            self.controls.set_scales(scales)
        self.changed()

    def slid(self, index: int, scale: float) -> None:
        """A scale was moved by a person."""
        scales = self.choice.scales.copy()
        scales[index] = scale
        self.set_scales(self.choice.asked(scales))

    def renew(self, run: TrainedRun) -> None:
        """A newer state of the same run, under the same scales at the same time."""
        with self.lock:
            self.nodes.remove()
            self.run, self.choice.method, self.edited = run, run.method, None
            self.nodes = part_nodes(self.server, self.unit, run.method, run.splats)
            self.nodes.colour(self.controls.layer("colours"))
        self.changed()

    # ---- one who looks ----

    def greet(self, client: Any) -> None:
        """A new client looks from the film's camera, and gets renders of the fields where it rests."""
        self.look_as_filmed(client)
        client.camera.on_update(lambda _: self.layers.look_from(self.looked_from()))
        self.renders.attend(client)

    def looked_from(self) -> list[np.ndarray]:
        return [client.camera.position for client in self.server.get_clients().values()]

    def look_as_filmed(self, client: Any) -> None:
        scene = self.run.scene
        self.look(client, scene.object_from_camera[0, self.choice.frame].astype(np.float64))
        client.camera.fov = 2 * np.arctan(scene.camera.height / 2 / scene.camera.fy)

    def look(self, client: Any, pose: np.ndarray) -> None:
        """From a place in the world, at what lies in the middle of the scene."""
        with client.atomic():
            client.camera.position, client.camera.wxyz = pose[:3, 3] * self.unit, quaternion(pose[:3, :3])
            client.camera.look_at = pose[:3, 3] * self.unit + SHOWN_DEPTH * pose[:3, 2]
