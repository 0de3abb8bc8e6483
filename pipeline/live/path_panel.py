"""The controls with which a person lays a camera path, sees it, and saves it to be rendered."""

import re
import shlex
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.formats.camera_path_file import CameraPath, PathView, write_camera_path
from pipeline.geometry.camera_paths import path_through
from pipeline.live.field_renders import looking_pose
from pipeline.live.scene_choice import as_markdown, quaternion
from pipeline.runtime.errors import StageError

if TYPE_CHECKING:
    from pipeline.live.page import LivePage

FOLDER = Path("camera_paths")
FPS, SHOWN_FPS = 24.0, 12.0
COLOUR = (70, 130, 220)
LINE_VIEWS = 64
LINES: dict[str, Any] = {"thickness": 2.0, "thickness_units": "screen"}
NAME = re.compile(r"[\w][\w .-]{0,59}")


class PathPanel:
    """Views that the path goes through, in the order in which they were added."""

    def __init__(self, page: "LivePage") -> None:
        self.page, gui = page, page.server.gui
        self.views: list[PathView] = []
        self.nodes: list[Any] = []
        self.said = gui.add_markdown("Look at something, choose a time, and add the view; go on with the next.")
        gui.add_button("Add this view").on_click(lambda event: self.add(event.client))
        gui.add_button("Take the last one away").on_click(lambda _: self.take_away())
        self.seconds = gui.add_number("seconds", 4.0, min=0.1, max=600.0, step=0.5)
        gui.add_button("Fly along").on_click(lambda event: self.start_flight(event.client))
        self.name = gui.add_text("name", "path")
        gui.add_button("Save the path").on_click(lambda event: self.save(event.client))

    def add(self, client: Any) -> None:
        looking, page = client.camera, self.page
        rows = tuple(tuple(row) for row in looking_pose(looking, page.unit).tolist())
        view = {"frame": page.choice.frame, "world_from_camera": rows, "fov_y_deg": float(np.degrees(looking.fov))}
        self.views.append(PathView.model_validate(view))
        self.show()

    def take_away(self) -> None:
        if self.views:
            self.views.pop()
            self.show()

    def show(self) -> None:
        """The views and the path between them."""
        scene, unit, camera = self.page.server.scene, self.page.unit, self.page.run.scene.camera
        for node in self.nodes:
            node.remove()
        self.nodes = [
            scene.add_camera_frustum(
                f"/path/{number}",
                fov=float(np.radians(view.fov_y_deg)),
                aspect=camera.width / camera.height,
                scale=0.25,
                color=COLOUR,
                **LINES,
                position=view.pose[:3, 3] * unit,
                wxyz=quaternion(view.pose[:3, :3]),
            )
            for number, view in enumerate(self.views)
        ]
        if len(self.views) > 1:
            places = path_through(np.stack([view.pose for view in self.views]), LINE_VIEWS)[0][:, :3, 3] * unit
            lines = np.stack([places[:-1], places[1:]], axis=1).astype(np.float32)
            self.nodes.append(scene.add_line_segments("/path/line", lines, colors=COLOUR, **LINES))
        frames = ", ".join(str(view.frame) for view in self.views)
        self.said.content = f"{len(self.views)} views, at frames {frames}" if self.views else "no view yet"

    def start_flight(self, client: Any) -> None:
        threading.Thread(target=self.fly, args=(client,), daemon=True).start()

    def fly(self, client: Any) -> None:
        """The browser's view goes along the path, and time passes with it."""
        if len(self.views) < 2:
            self.said.content = "a path needs two views at least"
            return
        count = max(2, round(float(self.seconds.value) * SHOWN_FPS))
        poses, at = path_through(np.stack([view.pose for view in self.views]), count)
        frames = np.interp(at, np.arange(len(self.views)), [view.frame for view in self.views])
        for pose, frame in zip(poses, frames, strict=True):
            self.page.look(client, pose)
            self.page.set_frame(round(float(frame)))
            time.sleep(1 / SHOWN_FPS)

    def path(self) -> CameraPath:
        """The path as its file has it, with the scales and edits that are shown now."""
        if len(self.views) < 2:
            raise StageError("a path needs two views at least; look from elsewhere and add that view")
        page = self.page
        camera = page.run.scene.camera
        values = {"seconds": float(self.seconds.value), "fps": FPS, "height": camera.height, "width": camera.width}
        return CameraPath.model_validate(
            {**values, "scales": page.choice.scales.tolist(), "edits": page.shown_edits(), "views": self.views}
        )

    def save(self, client: Any) -> None:
        try:
            file = self.save_path()
        except (StageError, OSError) as error:
            client.add_notification("Not saved", str(error), color="red", auto_close_seconds=None)
            return
        said = f"{file} is saved. To render it with the trained fields:"
        self.said.content = f"{as_markdown(said)}\n```\n{self.command(file)}\n```"

    def save_path(self) -> Path:
        """Write the path's file, beside config.yaml: a person's own work is not kept among results."""
        if not NAME.fullmatch(self.name.value):
            raise StageError("the path needs a name of letters, digits, spaces, points and dashes")
        file = FOLDER / self.page.run.name / f"{self.name.value}.json"
        write_camera_path(file, self.path())
        return file

    def command(self, file: Path) -> str:
        """What renders the path, to be typed into a shell."""
        folder = self.page.run.folder
        flags = {
            "--checkpoint": folder / "checkpoint.pt",
            "--scene": folder.parent / "scene.h5",
            "--path": file,
            "--renders": folder / "paths" / file.stem,
        }
        words = [f"{name} {shlex.quote(str(value))}" for name, value in flags.items()]
        return " \\\n  ".join(["python -m pipeline.render_path", *words])
