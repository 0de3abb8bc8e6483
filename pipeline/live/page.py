"""The live viewer's page, by viser: splats at once, and the trained fields behind them where a view rests."""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics
from pipeline.formats.splat_file import Splats
from pipeline.live.scene_choice import SceneChoice, quaternion, suggested_scales
from pipeline.rendering.view_pictures import render_chunks, view_rays
from pipeline.rendering.view_plans import frame_rate, viewing_depth

SHOWN_DEPTH = 5.0  # what lies in the middle of the scene is shown so far away: covariances travel as half floats
RESTED_S = 0.4  # a view that stays this long is rendered by the fields
RENDER_HEIGHTS = (60, 120, 240, 480)
RAYS_AT_ONCE = 8192


class LivePage:
    """The controls and the scene of one run on a viser server."""

    def __init__(self, server: Any, choice: SceneChoice, splats: dict[int, Splats]) -> None:
        self.server, self.choice = server, choice
        self.unit = SHOWN_DEPTH / viewing_depth(choice.scene)
        self.lock = threading.RLock()
        self.moved = time.monotonic()
        self.busy = False  # sliders that are set here tell so too
        server.scene.set_up_direction("-y")
        self.nodes = {k: self.add_splats(k, splats) for k in range(choice.scene.object_count)}
        self.add_camera()
        self.add_time()
        self.add_scales()
        server.on_client_connect(self.greet)
        self.show()

    # ---- the scene ----

    def add_splats(self, index: int, splats: dict[int, Splats]) -> Any:
        """One object's splats in its own frame; None of one that has none."""
        entry = self.choice.scene.objects[index]
        found = splats.get(int(entry["id"]))
        if found is None:
            return None
        turned = Rotation.from_quat(found.rotations, scalar_first=True).as_matrix() * np.exp(found.log_scales)[:, None]
        return self.server.scene.add_gaussian_splats(
            f"/objects/{index}",
            centers=found.places * self.unit,
            covariances=(turned @ turned.transpose(0, 2, 1) * self.unit**2).astype(np.float32),
            rgbs=found.rgb,
            opacities=1 / (1 + np.exp(-found.opacities[:, None])),
        )

    def add_camera(self) -> None:
        """The film's camera with its frame, and its path."""
        camera = self.choice.scene.camera
        self.frustum = self.server.scene.add_camera_frustum(
            "/film", fov=2 * np.arctan(camera.height / 2 / camera.fy), aspect=camera.width / camera.height, scale=0.6
        )
        centres = self.choice.scene.object_from_camera[0, self.choice.scene.visible[0], :3, 3] * self.unit
        if len(centres) > 1:
            self.server.scene.add_spline_catmull_rom("/film_path", centres)

    def show(self) -> None:
        """Everything as it is chosen now."""
        with self.lock:
            choice = self.choice
            for index, node in self.nodes.items():
                place = choice.place(index)
                if node is None:
                    continue
                node.visible = place is not None and self.shown(index)
                if place is not None:
                    node.position, node.wxyz, node.scale = place.position * self.unit, place.wxyz, place.scale
            pose = choice.scene.object_from_camera[0, choice.frame].astype(np.float64)
            self.frustum.position, self.frustum.wxyz = pose[:3, 3] * self.unit, quaternion(pose[:3, :3])
            self.frustum.image = choice.scene.images[choice.frame]
            self.badge.content = "\n\n".join(text for text in (choice.scale_text(), choice.verdict()) if text)
            self.moved = time.monotonic()

    # ---- the controls ----

    def add_time(self) -> None:
        gui, scene = self.server.gui, self.choice.scene
        known = np.flatnonzero(scene.visible[0])
        self.time = gui.add_slider("frame", 0, scene.frame_count - 1, 1, self.choice.frame)
        self.playing = gui.add_checkbox("play", False)
        self.time.on_update(lambda _: self.set_frame(int(known[np.abs(known - self.time.value).argmin()])))
        gui.add_button("from the film's camera").on_click(lambda event: self.look_as_filmed(event.client))
        self.neural = gui.add_checkbox("trained fields where the view rests", True)
        threading.Thread(target=self.play, args=(known,), daemon=True).start()

    def set_frame(self, frame: int) -> None:
        self.choice.frame = frame
        self.show()

    def play(self, known: np.ndarray) -> None:
        """Time passes while it is asked to."""
        pause = 1 / frame_rate(self.choice.scene, known.tolist())
        while True:
            time.sleep(pause)
            if self.playing.value:
                later = known[known > self.choice.frame]
                self.time.value = int(later[0] if len(later) else known[0])
                self.set_frame(int(self.time.value))

    def add_scales(self) -> None:
        """A logarithmic slider for each moving object, the verdict, and buttons that choose."""
        gui, scene = self.server.gui, self.choice.scene
        names = [str(entry["name"]) for entry in scene.objects]
        self.boxes = {k: gui.add_checkbox(f"show {name}", True) for k, name in enumerate(names)}
        self.sliders = {}
        for k in range(1, scene.object_count):
            low, high = np.log10(scene.scale_range[k].astype(np.float64))
            self.sliders[k] = gui.add_slider(
                f"log10 scale of {names[k]}", low, high, (high - low) / 1000, float(np.log10(self.choice.scales[k]))
            )
            self.sliders[k].on_update(lambda _, k=k: self.slid(k))
        for box in self.boxes.values():
            box.on_update(lambda _: self.show())
        self.only = gui.add_checkbox("stop at what is possible", False)
        self.only.on_update(lambda _: self.restrict())
        self.badge = gui.add_markdown("")
        wanted: dict[str, Callable[[], np.ndarray]] = {
            "nearest possible": self.choice.nearest,
            "suggested": lambda: suggested_scales(self.choice.method),
            "another possible one": self.choice.another,
        }
        for label, scales in wanted.items():
            gui.add_button(label).on_click(lambda _, scales=scales: self.set_scales(scales()))

    def shown(self, index: int) -> bool:
        return bool(self.boxes[index].value)

    def slid(self, index: int) -> None:
        """A slider was moved by a person."""
        if self.busy:
            return
        scales = self.choice.scales.copy()
        scales[index] = 10 ** self.sliders[index].value
        self.set_scales(self.choice.asked(scales))

    def restrict(self) -> None:
        self.choice.valid_only = bool(self.only.value)
        if self.choice.valid_only:
            self.set_scales(self.choice.nearest())

    def set_scales(self, scales: np.ndarray) -> None:
        with self.lock:
            self.choice.scales, self.busy = scales, True
            for k, slider in self.sliders.items():
                slider.value = float(np.log10(scales[k]))
            self.busy = False
        self.show()

    # ---- one who looks ----

    def greet(self, client: Any) -> None:
        """A new client looks from the film's camera, and gets renders of the fields where it rests."""
        self.look_as_filmed(client)
        state = {"moved": time.monotonic()}
        client.camera.on_update(lambda _: state.update(moved=time.monotonic()))
        threading.Thread(target=self.render_where_rested, args=(client, state), daemon=True).start()

    def look_as_filmed(self, client: Any) -> None:
        scene = self.choice.scene
        pose = scene.object_from_camera[0, self.choice.frame].astype(np.float64)
        client.camera.position, client.camera.wxyz = pose[:3, 3] * self.unit, quaternion(pose[:3, :3])
        client.camera.look_at = (pose[:3, 3] * self.unit) + SHOWN_DEPTH * pose[:3, 2]
        client.camera.fov = 2 * np.arctan(scene.camera.height / 2 / scene.camera.fy)

    def render_where_rested(self, client: Any, state: dict[str, float]) -> None:
        """Pictures of the fields at rising resolution for as long as nothing moves; splats alone while something does."""
        done: tuple[float, int] = (0.0, len(RENDER_HEIGHTS))
        while client.client_id in self.server.get_clients():
            time.sleep(0.1)
            changed = max(state["moved"], self.moved)
            if changed != done[0]:
                client.scene.set_background_image(None)
                done = (changed, 0)
            if self.neural.value and time.monotonic() - changed > RESTED_S and done[1] < len(RENDER_HEIGHTS):
                image = self.field_image(client.camera, RENDER_HEIGHTS[done[1]])
                if max(state["moved"], self.moved) == changed:
                    client.scene.set_background_image(image, depth=np.full(image.shape[:2], 1e-3, np.float32))
                    done = (changed, done[1] + 1)

    def field_image(self, looking: Any, height: int) -> np.ndarray:
        """The trained fields from where a client looks."""
        focal = height / 2 / np.tan(looking.fov / 2)
        camera = Intrinsics.centred(float(focal), height, max(2, round(height * looking.aspect)))
        pose = np.eye(4)
        pose[:3, :3] = Rotation.from_quat(np.asarray(looking.wxyz), scalar_first=True).as_matrix()
        pose[:3, 3] = np.asarray(looking.position) / self.unit
        method = self.choice.method
        rays = view_rays(camera, pose, self.choice.frame).to(method.device)
        scales = torch.from_numpy(self.choice.scales).float().to(method.device)
        colour = render_chunks(method, rays, scales, RAYS_AT_ONCE).colour
        return (255 * colour.clamp(0, 1)).round().byte().cpu().numpy().reshape(camera.height, camera.width, 3)
