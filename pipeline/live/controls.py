"""The controls of the live viewer's page: time, scales and the verdict, parts, layers."""

from collections.abc import Callable
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.live.parts import Part
from pipeline.live.scene_choice import Judgement, SceneChoice, as_markdown, suggested_scales
from pipeline.reporting.pictures import hex_colour

if TYPE_CHECKING:
    from pipeline.live.page import LivePage

ALL = "all"
BADGE_COLOURS = {Judgement.POSSIBLE: "#2b8a3e", Judgement.DOUBTFUL: "#a87400", Judgement.IMPOSSIBLE: "#c92a2a"}
DIGITS, STEP = 3, 0.001  # of the scale's logarithm


class Controls:
    """Everything in the panel beside the scene but edits and paths; it tells the page what a person sets.

    What the page itself sets is told by viser too: then nobody's browser is behind it, and nothing follows.
    """

    def __init__(self, page: "LivePage") -> None:
        self.page, self.gui = page, page.server.gui
        parts = page.nodes.parts
        self.names = dict(zip((p.column for p in parts), unlike([p.name for p in parts]), strict=True))
        self.add_time()
        tabs = self.gui.add_tab_group()
        self.picture = self.gui.add_image(page.pictures.picture(page.choice.frame), label="the film's frame")
        self.legend = self.gui.add_html("")
        with tabs.add_tab("Scales" if page.run.method.judges_scales else "Scene"):
            self.add_scales()
            self.add_parts()
        with tabs.add_tab("Layers"):
            self.add_layers()
        self.tabs = tabs

    # ---- time ----

    def add_time(self) -> None:
        page, gui = self.page, self.gui
        self.about = gui.add_markdown(as_markdown(page.run.label))
        self.time = gui.add_slider("frame", 0, page.run.scene.frame_count - 1, 1, page.choice.frame)
        self.time.on_update(lambda event: page.set_frame(int(self.time.value)) if event.client else None)
        self.play_box = gui.add_checkbox("play", False)
        gui.add_button("Look from the film's camera").on_click(lambda event: page.look_as_filmed(event.client))

    @property
    def playing(self) -> bool:
        return bool(self.play_box.value)

    def set_time(self, frame: int) -> None:
        if self.time.value != frame:
            self.time.value = frame

    # ---- scales ----

    def add_scales(self) -> None:
        """A logarithmic slider for each moving object, the verdict, and buttons that choose; nothing of one scale."""
        page, gui = self.page, self.gui
        scene, choice = page.run.scene, page.choice
        self.sliders: dict[int, Any] = {}
        self.badge = gui.add_html("")
        if not page.run.method.judges_scales:
            return
        for k in range(1, scene.object_count):
            low, high = slider_bounds(scene.scale_range[k])
            label, value = f"{scene.objects[k]['name']}, log10", slider_value(choice.scales[k])
            hint = "the object's scale as a power of 10: 0 is 1, -1 a tenth"
            self.sliders[k] = gui.add_slider(label, low, high, STEP, value, hint=hint)
            self.sliders[k].on_update(lambda event, k=k: self.slid(k) if event.client else None)
        self.only = gui.add_checkbox("valid scales only", False, hint="sliders stop where scales stop being possible")
        self.only.on_update(lambda _: self.restrict())
        chosen: dict[str, Callable[[], np.ndarray]] = {
            "nearest valid": lambda: page.choice.nearest(),
            "suggested": lambda: suggested_scales(page.choice.method),
            "another sample": lambda: page.choice.another(),
        }
        group = gui.add_button_group("take", tuple(chosen))
        group.on_click(lambda _: page.set_scales(chosen[group.value]()))

    def slid(self, index: int) -> None:
        self.page.slid(index, 10 ** float(self.sliders[index].value))

    def restrict(self) -> None:
        self.page.choice.valid_only = bool(self.only.value)
        if self.page.choice.valid_only:
            self.page.set_scales(self.page.choice.nearest())

    def set_scales(self, scales: np.ndarray) -> None:
        for k, slider in self.sliders.items():
            if slider.value != slider_value(scales[k]):
                slider.value = slider_value(scales[k])

    # ---- parts ----

    def add_parts(self) -> None:
        gui, parts = self.gui, self.page.nodes.parts
        with gui.add_folder("Classes" if self.page.run.method.classes else "Objects"):
            self.alone = gui.add_dropdown(
                "show", (ALL, *(f"only {name}" for name in self.names.values())), initial_value=ALL
            )
            self.columns = {f"only {self.names[part.column]}": part.column for part in parts}
            self.boxes = {part.column: gui.add_checkbox(self.names[part.column], True) for part in parts}
            for control in (self.alone, *self.boxes.values()):
                control.on_update(lambda _: self.page.changed())

    def visible(self, part: Part) -> bool:
        """Whether a part is shown: isolated, or not hidden, and not removed by an edit."""
        if self.page.desk.removed(part.column):
            return False
        if self.alone.value != ALL:
            return self.columns[self.alone.value] == part.column
        return bool(self.boxes[part.column].value)

    # ---- layers ----

    def add_layers(self) -> None:
        page, gui = self.page, self.gui
        self.neural = gui.add_checkbox(
            "trained fields", True, hint="rendered where the view rests, in the splats' place"
        )
        self.neural.on_update(lambda _: self.toggle_renders())
        texts = {
            "colours": ("plain colours", "each class or object in a colour of its own"),
            "camera": ("film's camera", "with the frame that it saw; not while you look through it"),
            "cameras": ("all cameras", "of the film; click on one to go to its frame"),
            "points": ("points", "those of the reconstruction, under the chosen scales"),
            "trajectories": ("trajectories", "the objects' ways through the world, under the chosen scales"),
            "masks": ("masks", "over the film's frame"),
            "tracks": ("tracks", "over the film's frame: where points come from"),
        }
        if page.run.tracks is None:
            del texts["tracks"]
        self.layer_boxes = {
            name: gui.add_checkbox(text, name == "camera", hint=hint) for name, (text, hint) in texts.items()
        }
        for name, box in self.layer_boxes.items():
            box.on_update(lambda _, name=name: self.toggle(name))

    def layer(self, name: str) -> bool:
        return name in self.layer_boxes and bool(self.layer_boxes[name].value)

    def toggle(self, name: str) -> None:
        if name == "colours":
            self.page.nodes.colour(self.layer(name))
        elif name in self.page.layers.shown:
            self.page.layers.shown[name] = self.layer(name)
        self.page.changed()

    def toggle_renders(self) -> None:
        self.page.renders.turned_on = bool(self.neural.value)
        self.page.changed()

    # ---- what is told ----

    def tell(self, choice: SceneChoice) -> None:
        """What is shown, and the verdict on the scales."""
        self.about.content = as_markdown(self.page.run.label)
        self.legend.content = self.legend_html()
        if self.sliders:
            self.badge.content = badge_html(choice)

    def legend_html(self) -> str:
        """Names in their colours, where colours mean something."""
        if not any(self.layer(name) for name in ("colours", "masks", "tracks", "trajectories")):
            return ""
        entries = [
            f'<span style="white-space:nowrap"><span style="color:{hex_colour(part.identity)}">&#9679;</span> '
            f"{escape(part.name)}</span>"
            for part in self.page.nodes.parts
        ]
        return f'<div style="font-size:0.8em;padding:0 0.75em">{" &ensp; ".join(entries)}</div>'


def badge_html(choice: SceneChoice) -> str:
    """The verdict as a badge, with the reason and the scales; plain HTML is there at once, Markdown is compiled first."""
    verdict = choice.verdict()
    word, colour = verdict.judgement.value, BADGE_COLOURS[verdict.judgement]
    return (
        f'<div style="font-size:0.9em;line-height:1.45;padding:0 0.75em"><span style="background:{colour};color:#fff;'
        f'border-radius:0.3em;padding:0.1em 0.5em;font-weight:600">{word}, score {verdict.score:.3f}</span>'
        f"<div>{escape(verdict.reason)}</div><div>{escape(choice.scale_text())}</div></div>"
    )


def slider_bounds(scale_range: np.ndarray) -> tuple[float, float]:
    """The slider's ends, within the range: a range of less than a step is a point."""
    low, high = np.log10(scale_range.astype(np.float64))
    inner = float(np.ceil(low / STEP) * STEP), float(np.floor(high / STEP) * STEP)
    low, high = inner if inner[0] < inner[1] else (low, low + STEP)
    return round(float(low), DIGITS + 3), round(float(high), DIGITS + 3)


def slider_value(scale: float) -> float:
    return round(float(np.log10(scale)), DIGITS)


def unlike(names: list[str]) -> list[str]:
    """Names of which no two are alike: those that come again are numbered."""
    found: list[str] = []
    for name in names:
        free = (f"{name} ({number})" for number in count(2))
        found.append(name if name not in found else next(other for other in free if other not in found))
    return found
