"""The controls with which a person edits the scene live, and saves the edits into config.yaml."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.live.edit_desk import ACTIONS, NOTHING, edit_entries, joined_entries
from pipeline.live.parts import Part
from pipeline.live.scene_choice import as_markdown
from pipeline.runtime.config_edit import parsed, read_text, save_text, with_scene_value
from pipeline.runtime.errors import StageError
from pipeline.runtime.yaml_edit import entry_lines

if TYPE_CHECKING:
    from pipeline.live.page import LivePage

VIDEO = "edited"
MOST_NAME = 60
GIZMO = 0.8


class EditPanel:
    """One part at a time; all edits together are a block of YAML. What is set here, and not in a browser, is no edit."""

    def __init__(self, page: "LivePage", config: Path) -> None:
        self.page, self.config, self.gui = page, config, page.server.gui
        self.parts = {page.controls.names[part.column]: part for part in page.nodes.parts[1:]}
        if not self.parts:
            self.gui.add_markdown("nothing was found to move, so there is nothing to edit")
            return
        self.add_controls()
        self.show()

    def add_controls(self) -> None:
        gui = self.gui
        self.which = gui.add_dropdown("edit", tuple(self.parts), initial_value=next(reversed(self.parts)))
        self.action = gui.add_dropdown("it is", ACTIONS, initial_value=NOTHING)
        axes = "right, down and forward in the first view, in the scene's units"
        self.offset = gui.add_vector3("moved by", (0.0, 0.0, 0.0), step=0.001, hint=axes)
        self.rotation = gui.add_vector3("turned by", (0.0, 0.0, 0.0), step=1.0, hint="degrees about these axes")
        self.gizmo = self.page.server.scene.add_transform_controls(
            "/edit", scale=GIZMO, disable_rotations=True, depth_test=False, visible=False
        )
        self.gizmo.on_update(lambda event: self.dragged(event.phase))
        gui.add_button("Undo all edits").on_click(lambda _: self.undo())
        self.video = gui.add_text("name of the film", VIDEO)
        self.block = gui.add_markdown("")
        gui.add_button("Save into the configuration").on_click(lambda event: self.save(event.client))
        self.which.on_update(lambda event: self.chosen() if event.client else None)
        self.video.on_update(lambda _: self.show())
        for control in (self.action, self.offset, self.rotation):
            control.on_update(lambda event: self.set() if event.client else None)

    @property
    def part(self) -> Part:
        return self.parts[self.which.value]

    def chosen(self) -> None:
        """Another part: the controls say how it is edited."""
        edit = self.page.desk.wanted.get(self.part.column)
        self.action.value = NOTHING if edit is None else edit.action
        self.offset.value = (0.0, 0.0, 0.0) if edit is None else edit.offset
        self.rotation.value = (0.0, 0.0, 0.0) if edit is None else edit.rotation
        self.show()

    def set(self) -> None:
        offset, rotation = ([float(part) for part in control.value] for control in (self.offset, self.rotation))
        self.page.desk.set(self.part, self.action.value, offset, rotation)
        self.page.changed()
        self.show()

    def dragged(self, phase: str) -> None:
        """The arrows in the scene: where they are is where the part's centre is to be."""
        centre = self.page.nodes.centre(self.part, self.page.choice)
        if centre is None or phase == "start":
            return
        shift = np.asarray(self.gizmo.position) / self.page.unit - centre
        self.offset.value = tuple(self.page.desk.offset(shift))
        self.set()

    def undo(self) -> None:
        self.page.desk.wanted.clear()
        self.chosen()
        self.page.changed()

    def show(self) -> None:
        """The arrows where the part is, and the block as config.yaml will have it."""
        self.place_gizmo()
        try:
            lines = entry_lines("edits", self.entries())
        except StageError as error:
            self.block.content = as_markdown(str(error))
            return
        none = "no edit yet: choose what to remove or move"
        self.block.content = "```yaml\n" + "\n".join(lines) + "\n```" if self.page.desk.wanted else none

    def place_gizmo(self) -> None:
        if not self.parts:
            return
        column, moving = self.part.column, self.action.value == "move"
        centre = self.page.nodes.centre(self.part, self.page.choice)
        self.gizmo.visible = moving and centre is not None
        if centre is None or not moving:
            return
        motion = self.page.desk.motion(column, centre, self.page.choice.frame)
        place = centre if motion is None else motion[:3, :3] @ centre + motion[:3, 3]
        if np.abs(np.asarray(self.gizmo.position) - place * self.page.unit).max() > 1e-3:
            self.gizmo.position = place * self.page.unit

    def entries(self) -> list[dict[str, Any]]:
        return edit_entries(self.page.desk.edits(), film_name(self.video.value))

    def save(self, client: Any) -> None:
        """Into config.yaml, beside other edits of the scene; told in the page whether it went well."""
        try:
            self.save_edits()
        except (StageError, OSError) as error:
            client.add_notification("Not saved", str(error), color="red", auto_close_seconds=None)
            return
        said = (
            f"{self.config}: run `snakemake --cores all results/{self.page.run.name}/report.html` to see the film there"
        )
        client.add_notification("Saved", said, color="green", auto_close_seconds=None)

    def save_edits(self) -> None:
        new, scene = self.entries(), self.page.run.name
        if not new:
            raise StageError("there is no edit to save; choose what to remove or move first")
        scenes = parsed(read_text(self.config)).get("scenes")
        if not isinstance(scenes, dict) or scene not in scenes:
            raise StageError(
                f"scenes.{scene} is not in {self.config}; copy the block to where the scene is described, or name "
                "its file with --config"
            )
        held = (scenes[scene] or {}).get("edits") or []
        save_text(self.config, lambda text: with_scene_value(text, scene, "edits", joined_entries(held, new), ""))


def film_name(text: str) -> str:
    """A film's name, if it is one."""
    name = text.strip()
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise StageError(f"the film needs a name of 1 to {MOST_NAME} letters")
    return name
